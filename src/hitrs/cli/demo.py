"""``hitrs demo``: the whole way on made-up motion.

It runs the same commands that a user would, on the embedded default data, and reports what came out.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.cli.configfile import load_config
from hitrs.cli.console import say, show_table
from hitrs.cli.demo_report import Outcome, write_report
from hitrs.cli.main import run_command
from hitrs.cli.options import Run, Size
from hitrs.data import Store, write_npz
from hitrs.errors import ConfigError
from hitrs.evaluate.draws import draw_labels
from hitrs.evaluate.protocol import Split, nearest_positions, probe, split_of
from hitrs.models.hitrs import HiTRS
from hitrs.train.config import Config

PER_CLASS = 5
"""Labels of each class that the comparison may use."""
SHOWN = 3
"""Test recordings that are recognized from their files."""
LONG = 2
"""Untrimmed test recordings in which actions are found."""
SEEN = 25
"""Frames after which a movement is continued."""
_MARK = "made-by-hitrs-demo.txt"


def run(
    *,
    out: Run = Path("demo"),
    size: Size = "default",
    config: str = "tiny",
) -> None:
    """Make motion up, pre-train on it without labels, use what was learned for each task, and write a report.

    A few minutes on two cores. Recognition compares, with the same 5 labels a class: fine-tuning the
    pre-trained encoder, training from scratch with as many updates, and the nearest neighbor on positions.
    Detection finds actions in longer recordings; prediction continues movements.

    Args:
        out: folder for everything; the one that an earlier demo made is replaced.
        size: how much motion to make up.
        config: paper, base, small, tiny, or a YAML file.
    """
    began = time.monotonic()
    _clear(out)
    parts = ("store", "pretrained", "tuned", "scratch", "untrimmed", "detector", "predictor")
    store, pretrained, tuned, scratch, untrimmed, detector, predictor = (out / part for part in parts)
    seconds: dict[str, float] = {}
    commands: list[str] = []

    def command(*arguments: object) -> None:
        words = [str(argument) for argument in arguments]
        commands.append(" ".join(["hitrs", *words]))
        say(f"\n$ {commands[-1]}", style="bold")
        start = time.monotonic()
        run_command(words)
        seconds[commands[-1]] = time.monotonic() - start

    command("import", "synthetic", store, "--size", size)
    split = split_of(Store.open(store))
    fraction = PER_CLASS / int(np.bincount(split.store.labels[split.train]).min())
    few = ("--config", config, "--fraction", fraction)
    command("pretrain", store, "--config", config, "--out", pretrained)
    command("finetune", store, *few, "--from", pretrained, "--out", tuned)
    command("finetune", store, *few, "--out", scratch)
    files = _unknown(split, out / "unknown")
    command("recognize", tuned, *files)

    command("import", "synthetic", untrimmed, "--untrimmed", "--size", size)
    with_task = ("--config", config, "--from", pretrained, "--task")
    command("finetune", untrimmed, *with_task, "detection", "--out", detector)
    long = _long(Store.open(untrimmed), out / "unknown")
    command("detect", detector, *long, "--timeline", out / "plots" / "timeline.png")

    command("finetune", store, *with_task, "prediction", "--out", predictor)
    command("predict", predictor, files[0], "--at", SEEN, "--gif", out / "plots" / "prediction.gif")

    labeled = split.train[draw_labels(split.store.labels[split.train], fraction, 0)]
    outcome = Outcome(
        split=split,
        labels=len(labeled),
        reports={
            "pre-trained, then fine-tuned": _metrics(tuned),
            "from scratch, as many updates": _metrics(scratch),
            **_frozen(split, labeled, HiTRS.from_pretrained(pretrained), load_config(config)),
        },
        files=files,
        detection=_metrics(detector),
        prediction=_metrics(predictor),
        commands=seconds,
    )
    say()
    rows = [[name, f"{report['top1']:.1f}"] for name, report in outcome.reports.items()]
    show_table([f"{len(labeled)} labels, {len(split.test)} test recordings", "top-1 in %"], rows)
    report = write_report(outcome, out)
    say(f"\ndone in {(time.monotonic() - began) / 60:.1f} minutes")
    say(f"report      {report}")


def _clear(out: Path) -> None:
    """A folder with nothing in it but the mark by which the next demo knows that it may replace it."""
    if out.exists() and not (out / _MARK).is_file():
        raise ConfigError(f"{out} exists already and no demo made it; choose another --out")
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / _MARK).write_text("hitrs demo made this folder and will replace it.\n", encoding="utf-8")


def _unknown(split: Split, folder: Path) -> list[Path]:
    """The first test recordings of some classes as files, as if they came from somewhere else."""
    labels = np.asarray(split.store.labels)[split.test]
    known = np.unique(labels)
    folder.mkdir()
    files = []
    for label in known[:: max(1, len(known) // SHOWN)][:SHOWN]:
        index = int(split.test[np.flatnonzero(labels == label)[0]])
        files.append(folder / f"{split.store.name(index)}.npz")
        write_npz(split.store[index], files[-1])
    return files


def _long(store: Store, folder: Path) -> list[Path]:
    """The first untrimmed test recordings as files; the true segments are in them for the picture only."""
    files = []
    for index in store.split(store.protocols[0], "test")[:LONG]:
        files.append(folder / f"{store.name(int(index))}.npz")
        write_npz(store[int(index)], files[-1])
    return files


def _metrics(run_folder: Path) -> dict[str, Any]:
    results = json.loads((run_folder / "results.json").read_text(encoding="utf-8"))
    return results["metrics"]["all"]


def _frozen(split: Split, labeled: np.ndarray, encoder: HiTRS, config: Config) -> dict[str, dict[str, Any]]:
    """What needs no training of an encoder: a linear layer on frozen features, and neighbors on positions."""
    return {
        "pre-trained, frozen, linear layer": probe(encoder, split, config, labeled)["linear"]["all"],
        "nearest neighbor on positions": nearest_positions(split, labeled, encoder.card.layout, config)[
            "all"
        ],
    }
