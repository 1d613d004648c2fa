"""Running the cells of a plan; each leaves a small JSON file, so that a table can be continued."""

from __future__ import annotations

import dataclasses
import platform
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch

from hitrs import __version__
from hitrs.config import Config
from hitrs.data.protocol import ProtocolSplit, protocol_split
from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.experiments.label_subsets import read_label_subset, select_subjects, stratified_subset
from hitrs.experiments.plan import SHIPPED, Cell, Plan
from hitrs.experiments.results import Result
from hitrs.files import file_name, locked
from hitrs.models.card_files import GENERAL, read_card, resolve_pretrained
from hitrs.models.encoder import HiTRS
from hitrs.pretext.job import train_encoder
from hitrs.skeleton.layout import Layout, get_layout
from hitrs.skeleton.mapping import unseen_joints
from hitrs.tasks.base import Metrics, TaskModel, get_task
from hitrs.tasks.finetune import finetune
from hitrs.tasks.probe import probe
from hitrs.tasks.recognition.floors import CONVOLUTIONS, POSITIONS, nearest_positions
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.ridge import convolution_recognizer
from hitrs.tasks.registry import section_name
from hitrs.tasks.stores import converted_store
from hitrs.training.log import read_metrics
from hitrs.training.loop import Interrupted
from hitrs.training.run_folder import commit
from hitrs.transforms.dataset import SkeletonDataset, training_layout


class Outcome(TypedDict, total=False):
    """What the run of a cell finds out; fields of its ``Result``."""

    steps: int
    labels: int
    last: Mapping[str, Any]
    online_knn: Mapping[str, float]
    metrics: Mapping[str, Metrics]


class Runner:
    """Runs cells of one plan.

    Args:
        plan: the plan.
        stores: folder that holds the stores by name.
        runs: folder for run folders; large, not kept.
        results: folder for the JSON files; small, kept.

    >>> runner = Runner(read_plan("benchmarks/nw-ucla.yaml"), Path("stores"), Path("runs"), Path("results"))
    >>> runner.run(runner.plan.cells[0]).metrics
    """

    def __init__(self, plan: Plan, stores: Path, runs: Path, results: Path):
        self.plan = plan
        self.stores, self.runs, self.results = (
            stores,
            runs / file_name(plan.name),
            results / file_name(plan.name),
        )

    def result_file(self, cell: Cell) -> Path:
        return self.results / f"{file_name(cell.name)}.json"

    def finished(self, cell: Cell) -> bool:
        return self.result_file(cell).is_file()

    def run(self, cell: Cell) -> Result:
        """Run one cell and write its result; a run that was interrupted goes on where it stopped.

        Raises:
            DataError: if a cell that it needs has no run folder here (weights are not kept with the results),
                or another process runs this cell.
            KeyboardInterrupt: after Ctrl-C, when a checkpoint is saved.
        """
        try:
            with locked(self._folder(cell), f"the cell {cell.name}"):
                return self._run(cell)
        except Interrupted as stop:
            message = f"{cell.name}: {str(stop).split(';')[0]}; the same command goes on there"
            raise KeyboardInterrupt(message) from stop

    def _run(self, cell: Cell) -> Result:
        store = self._store(cell)
        config = self._config(cell)
        before = self._seconds_so_far(cell)
        began = time.monotonic()
        # pre-training needs no labels
        usable = np.ones(len(store), bool) if cell.do == "pretrain" else get_task(cell.task).usable(store)
        run = {
            "pretrain": self._pretrain,
            "knn": self._knn,
            "convolutions": self._convolutions,
            "probe": self._probe,
            "finetune": self._finetune,
            "ensemble": self._ensemble,
            "layout": self._layout,
        }[cell.do]
        outcome = run(cell, config, self._split(protocol_split(store, cell.protocol, usable)))
        result = Result.of_cell(
            cell,
            **outcome,
            seconds=round(before + time.monotonic() - began, 1),
            data=store.fingerprint,
            version=__version__,
            commit=commit(),
            machine={
                "cpu": platform.machine(),
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
            },
        )
        result.write(self.result_file(cell))
        return result

    def _store(self, cell: Cell) -> Store:
        """The cell's store, in the unit and with the up axis of the model that it starts from."""
        store = Store.open(self.stores / cell.store)
        source = cell.source or next(iter(cell.of), None)
        if source is None:
            return store
        card, _ = read_card(resolve_pretrained(self._made_by(cell, source)))
        return converted_store(store, card, warnings.warn)

    def _config(self, cell: Cell) -> Config:
        """The plan's configuration with the stream and seed of the cell, and what else the cell changes."""
        config = self.plan.config
        sections = ("pretrain", *dict.fromkeys([*config.tasks, section_name(cell.task)]))
        seeds = {f"{section}.optim.seed": cell.seed for section in sections}
        return config.changed({"preprocessing.stream": cell.stream, **seeds, **dict(cell.settings)})

    def _seconds_so_far(self, cell: Cell) -> float:
        # a continued run counts the time of its earlier parts, as far as they were logged
        rows = [row for row in read_metrics(self._folder(cell) / "metrics.jsonl") if "seconds" in row]
        return rows[-1]["seconds"] if rows else 0.0

    def _split(self, split: ProtocolSplit) -> ProtocolSplit:
        """The split, or where subjects are held out the training part without them, and them."""
        if not self.plan.held_out:
            return split
        test = select_subjects(split.store, split.train, self.plan.held_out)
        train = np.setdiff1d(split.train, test)
        digests = split.store.digests
        duplicates = test[np.isin(digests[test], digests[train])]
        return dataclasses.replace(split, train=train, test=test, duplicates=duplicates)

    def _not_held_out(self, store: Store, protocol: str) -> np.ndarray:
        train = store.split(protocol, "train")
        if not self.plan.held_out:
            return train
        return np.setdiff1d(train, select_subjects(store, train, self.plan.held_out))

    def _pretrain(self, cell: Cell, config: Config, split: ProtocolSplit) -> Outcome:
        folder = self._folder(cell)
        sources = [(split.store, split.protocol)]
        sources += [(Store.open(self.stores / name), protocol) for name, protocol in cell.beside]
        layout = training_layout(split.store, config.layout)
        datasets = [  # of the training part only, but all of it
            SkeletonDataset(store, self._not_held_out(store, protocol), layout, config.preprocessing)
            for store, protocol in sources
        ]
        train_encoder(datasets, config, folder, resume=True)
        rows = read_metrics(folder / "metrics.jsonl")
        probes = {str(row["step"]): round(row["knn/accuracy"], 4) for row in rows if "knn/accuracy" in row}
        return {"steps": config.pretrain.optim.steps, "last": _last(folder), "online_knn": probes}

    def _knn(self, cell: Cell, config: Config, split: ProtocolSplit) -> Outcome:
        labeled = self._labeled(cell, split)
        own = dataclasses.replace(split, train=labeled)
        metrics = nearest_positions(own, split.store.layout, config.preprocessing)
        return {"labels": len(labeled), "metrics": {POSITIONS: metrics}}

    def _convolutions(self, cell: Cell, config: Config, split: ProtocolSplit) -> Outcome:
        layout = training_layout(split.store, config.layout)
        labeled = SkeletonDataset(split.store, self._labeled(cell, split), layout, config.preprocessing)
        model, task = convolution_recognizer(labeled, cell.seed), get_task(cell.task)
        model.save_pretrained(self._folder(cell) / "model")
        return {"labels": len(labeled), "metrics": {CONVOLUTIONS: task.evaluate([model], split)}}

    def _probe(self, cell: Cell, config: Config, split: ProtocolSplit) -> Outcome:
        labeled, encoder = self._labeled(cell, split), self._encoder(cell, config)
        convolutions = self._convolutions_beside(cell, encoder.card.layout)
        metrics = probe(encoder, split, config, labeled, convolutions=convolutions)
        return {"labels": len(labeled), "metrics": metrics}

    def _convolutions_beside(self, cell: Cell, layout: Layout) -> RecognitionModel | None:
        """The model of a convolutions cell of the same labels and joints (and seed, if there are several)."""
        keys = ("store", "protocol", "subjects", "label_fraction", "label_subset")
        alike = [
            other
            for other in self.plan.cells
            if other.do == "convolutions" and all(getattr(other, key) == getattr(cell, key) for key in keys)
        ]
        if not alike:
            return None
        other = next((other for other in alike if other.seed == cell.seed), alike[0])
        model = RecognitionModel.from_pretrained(self._made_by(cell, other))
        return model if model.card.layout == layout else None

    def _finetune(self, cell: Cell, config: Config, split: ProtocolSplit) -> Outcome:
        folder, task = self._folder(cell), get_task(cell.task)
        encoder = self._encoder(cell, config) if cell.source else None
        if encoder:
            task.check_encoder(encoder.card, config)
        layout = encoder.card.layout if encoder else training_layout(split.store, config.layout)
        settings = task.preprocessing(encoder.card.preprocessing if encoder else config.preprocessing, config)
        dataset = SkeletonDataset(split.store, self._labeled(cell, split), layout, settings)
        finetune(task, dataset, config, folder, encoder=encoder, resume=True)
        method = "fine-tuned" if encoder else "scratch"
        options, model = task.default_options(config), task.load(folder)
        metrics = {method: task.evaluate([model], split, options)}
        if task.ensembles and (convolutions := self._convolutions_beside(cell, layout)):
            metrics[f"{method} with convolutions"] = task.evaluate([model, convolutions], split, options)
        return {
            "steps": config.section(cell.task).optim.steps,
            "labels": len(dataset),
            "last": _last(folder),
            "metrics": metrics,
        }

    def _ensemble(self, cell: Cell, config: Config, split: ProtocolSplit) -> Outcome:
        task = get_task(cell.task)
        models = [self._model(cell, member) for member in cell.of]
        return {"metrics": {"ensemble": task.evaluate(models, split, task.default_options(config))}}

    def _layout(self, cell: Cell, config: Config, split: ProtocolSplit) -> Outcome:
        assert cell.source is not None
        task, model = get_task(cell.task), self._model(cell, cell.source)
        layout, seen_as = model.card.layout, get_layout(str(cell.seen_as))
        options = dataclasses.replace(task.default_options(config), seen_as=seen_as)
        seen = int((~unseen_joints(split.store.layout, seen_as, layout)).sum())
        name = f"seen as {seen_as.name} ({seen} of {layout.n_joints} joints)"
        return {"metrics": {name: task.evaluate([model], split, options)}}

    def _folder(self, cell: Cell) -> Path:
        """The run folder of a cell."""
        return self.runs / file_name(cell.name)

    def _encoder(self, cell: Cell, config: Config) -> HiTRS:
        assert cell.source is not None
        return HiTRS.from_pretrained(self._made_by(cell, cell.source), config.layout)

    def _model(self, cell: Cell, source: Cell) -> TaskModel:
        return get_task(source.task).load(self._made_by(cell, source))

    def _made_by(self, cell: Cell, source: Cell) -> Path:
        """The run folder with the model of a cell that this one needs."""
        if source.do == SHIPPED:
            return GENERAL
        folder = self._folder(source)
        if not (folder / "model").is_dir():
            raise DataError(
                f"{cell.name} needs the model of {source.name}, which is not in {folder}; run that cell again"
            )
        return folder

    def _labeled(self, cell: Cell, split: ProtocolSplit) -> np.ndarray:
        """The training recordings whose labels the cell may use, as store indices.

        A subset is that of the list beside the plan if there is one, else it is made here.
        """
        train = select_subjects(split.store, split.train, cell.subjects)
        if cell.label_fraction == 1:
            return train
        fraction, number = cell.label_fraction, cell.label_subset
        listed = self.plan.folder / "label_subsets" / cell.task / f"{cell.store}-{cell.protocol}.json"
        if listed.is_file() and not cell.subjects and not self.plan.held_out:
            return read_label_subset(split.store, train, fraction, number, listed)
        strata = get_task(cell.task).strata(split.store, train)
        return train[stratified_subset(strata, fraction, number)]


def _last(folder: Path) -> Mapping[str, Any]:
    """The last line of a run's log that has a loss."""
    return next(row for row in reversed(read_metrics(folder / "metrics.jsonl")) if "loss" in row)
