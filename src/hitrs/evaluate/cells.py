"""Running the cells of a plan: each finished one is a small JSON file, so tables can be continued."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hitrs import __version__
from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.evaluate.downstream import get_downstream
from hitrs.evaluate.draws import draw_labels, of_subjects, read_draw, strata
from hitrs.evaluate.plan import Cell, Plan
from hitrs.evaluate.protocol import Split, nearest_positions, probe, recognizer_scores, split_of
from hitrs.models.hitrs import HiTRS
from hitrs.skeleton.layout import get_layout
from hitrs.skeleton.mapping import unseen_joints
from hitrs.tasks.recognition import RecognitionModel
from hitrs.train.config import Config
from hitrs.train.log import read_metrics
from hitrs.train.pretraining import pretrain
from hitrs.transforms.source import Source, training_layout

Configure = Callable[[dict[str, Any]], Config]
"""Makes the plan's configuration with single fields changed by dotted names."""


class Runner:
    """Runs cells of one plan.

    Args:
        plan: the plan.
        configure: the plan's configuration with fields changed.
        stores: folder that holds the stores by name.
        runs: folder for run folders and scores; large, not kept.
        results: folder for the JSON files; small, kept.
    """

    def __init__(self, plan: Plan, configure: Configure, stores: Path, runs: Path, results: Path):
        self.plan, self.configure = plan, configure
        self.stores, self.runs, self.results = stores, runs / plan.name, results / plan.name

    def result_file(self, cell: Cell) -> Path:
        return self.results / f"{cell.name}.json"

    def finished(self, cell: Cell) -> bool:
        return self.result_file(cell).is_file()

    def run(self, cell: Cell) -> dict[str, Any]:
        """Run one cell and write its JSON; a run that was cut off goes on where it stopped.

        Raises:
            DataError: if a cell that it needs has no run folder here (weights are not kept with the results).
        """
        store = Store.open(self.stores / cell.store)
        config = self._config(cell)
        before = self._seconds_so_far(cell)
        began = time.monotonic()
        # pre-training needs no labels
        labeled = (
            np.ones(len(store), bool) if cell.do == "pretrain" else get_downstream(cell.task).usable(store)
        )
        found = getattr(self, f"_{cell.do}")(cell, config, split_of(store, cell.protocol, labeled))
        result = {
            "cell": cell.name,
            **dataclasses.asdict(cell),
            **found,
            "seconds": round(before + time.monotonic() - began, 1),
            "data": store.fingerprint,
            "version": __version__,
            "commit": commit(),
            "machine": {
                "cpu": platform.machine(),
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
            },
        }
        self.results.mkdir(parents=True, exist_ok=True)
        partial = self.result_file(cell).with_suffix(".partial")
        partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, self.result_file(cell))
        return result

    def _config(self, cell: Cell) -> Config:
        changes = {
            "preprocessing.stream": cell.stream,
            "pretrain.seed": cell.seed,
            "finetune.seed": cell.seed,
            "detect.seed": cell.seed,
            "predict.seed": cell.seed,
        }
        return self.configure({**self.plan.settings, **changes, **dict(cell.settings)})

    def _seconds_so_far(self, cell: Cell) -> float:
        # a continued run counts the time of its earlier parts, as far as they were logged
        rows = [r for r in read_metrics(self.runs / cell.name / "metrics.jsonl") if "seconds" in r]
        return rows[-1]["seconds"] if rows else 0.0

    def _pretrain(self, cell: Cell, config: Config, split: Split) -> dict[str, Any]:
        folder = self.runs / cell.name
        # pre-training needs no labels, but sees the training part only
        train = split.store.split(split.protocol, "train")
        layout = training_layout(split.store, config.layout)
        pretrain(Source(split.store, train, layout, config.preprocessing), config, folder, resume=True)
        rows = read_metrics(folder / "metrics.jsonl")
        last = next(row for row in reversed(rows) if "loss" in row)
        probes = {row["step"]: round(row["knn/accuracy"], 4) for row in rows if "knn/accuracy" in row}
        return {"updates": config.pretrain.steps, "last": last, "online_knn": probes}

    def _neighbors(self, cell: Cell, config: Config, split: Split) -> dict[str, Any]:
        return {"metrics": {"knn": nearest_positions(split, split.train, split.store.layout, config)}}

    def _probe(self, cell: Cell, config: Config, split: Split) -> dict[str, Any]:
        encoder = HiTRS.from_pretrained(self._model_of(cell))
        return {"metrics": probe(encoder, split, config, self._labeled(cell, split))}

    def _finetune(self, cell: Cell, config: Config, split: Split) -> dict[str, Any]:
        folder, task = self.runs / cell.name, get_downstream(cell.task)
        encoder = HiTRS.from_pretrained(self._model_of(cell)) if cell.source else None
        layout = encoder.card.layout if encoder else training_layout(split.store, config.layout)
        settings = encoder.card.preprocessing if encoder else config.preprocessing
        known = Source(split.store, self._labeled(cell, split), layout, settings)
        task.train(known, config, folder, encoder=encoder, resume=True)
        found = task.measure(task.load(folder), split, config, folder)
        last = next(row for row in reversed(read_metrics(folder / "metrics.jsonl")) if "loss" in row)
        return {
            "updates": task.optimization(config).steps,
            "labels": len(known),
            "last": last,
            "metrics": {"fine-tuned" if encoder else "scratch": found},
        }

    def _ensemble(self, cell: Cell, config: Config, split: Split) -> dict[str, Any]:
        files = [self.runs / name / "scores.npy" for name in cell.of]
        missing = [f for f in files if not f.is_file()]
        if missing:
            raise DataError(
                f"{cell.name} adds scores of other cells, but {missing[0]} is not here; run that cell again"
            )
        scores = np.mean([np.load(f) for f in files], axis=0)
        return {"metrics": {"ensemble": split.report(scores)}}

    def _layout(self, cell: Cell, config: Config, split: Split) -> dict[str, Any]:
        model = RecognitionModel.from_pretrained(self._model_of(cell))
        layout, seen_as = model.card.layout, get_layout(str(cell.seen_as))
        query = Source(split.store, split.test, layout, model.card.preprocessing, seen_as)
        scores = recognizer_scores(model, query, config.finetune.test_views)
        seen = int((~unseen_joints(split.store.layout, seen_as, layout)).sum())
        name = f"seen as {seen_as.name} ({seen} of {layout.n_joints} joints)"
        return {"metrics": {name: split.report(scores)}}

    def _model_of(self, cell: Cell) -> Path:
        """The run folder of the cell that this one starts from."""
        folder = self.runs / str(cell.source)
        if not (folder / "model").is_dir():
            raise DataError(
                f"{cell.name} starts from {cell.source}, whose model is not in {folder}; run that cell again"
            )
        return folder

    def _labeled(self, cell: Cell, split: Split) -> np.ndarray:
        known = of_subjects(split.store, split.train, cell.subjects.split())
        if cell.fraction == 1:
            return known
        if cell.task != "recognition":  # its recordings have no one class that a list could be stratified by
            return known[draw_labels(strata(split.store, known, cell.task), cell.fraction, cell.draw)]
        lists = self.plan.folder / "draws" / f"{cell.store}-{cell.protocol}.json"
        return read_draw(split.store, split.protocol, cell.fraction, cell.draw, lists)


def commit() -> str | None:
    """The commit of the source tree that runs, if it is one."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):  # installed from a wheel, or no git
        return None
    return found.stdout.strip()
