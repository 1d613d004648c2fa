"""The tasks that an encoder serves, as the protocols see them: what can train, how, and what is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.store import Store
from hitrs.errors import ConfigError
from hitrs.evaluate import detection, prediction, recognition
from hitrs.tasks.prediction.windows import HORIZONS
from hitrs.train.config import Config
from hitrs.train.optimizer import OptimConfig


@dataclass(frozen=True)
class Figure:
    """A column of a table."""

    title: str
    part: str
    """"all", or "clean": without test recordings that have a twin in training."""
    key: str
    """Of the metrics."""


@dataclass(frozen=True)
class Downstream:
    """One task."""

    usable: Callable[[Store], np.ndarray]
    """(N,) bool: recordings that have the labels which training and testing need."""
    needs: str
    """What ``usable`` asks of a recording, and where it comes from."""
    optimization: Callable[[Config], OptimConfig]
    """The task's section of a configuration."""
    train: Callable[..., Any]
    """(source, config, folder, encoder=, resume=) -> model, also written to folder/model."""
    load: Callable[[Path | str], Any]
    measure: Callable[..., dict[str, dict[str, Any]]]
    """(model, split, config=, keep=folder for bulky scores) -> part -> metrics."""
    figures: tuple[Figure, ...]
    """What tables show."""
    tables: Callable[[list[dict[str, Any]]], str] | None = None
    """Results of cells -> tables of another form than rows of ``figures``."""


DOWNSTREAM = {
    "recognition": Downstream(
        recognition.usable,
        "a label; add labels.csv",
        lambda config: config.finetune,
        recognition.train,
        recognition.load,
        recognition.measure,
        (Figure("top-1, all", "all", "top1"), Figure("top-1, clean", "clean", "top1")),
    ),
    "detection": Downstream(
        detection.usable,
        "labeled segments; add segments.csv (or train for --task recognition)",
        lambda config: config.detect,
        detection.train,
        detection.load,
        detection.measure,
        (
            Figure("frame accuracy", "all", "frame/accuracy"),
            Figure("F1@50", "all", "frame/f1@50"),
            *(Figure(f"mAP@{iou} (VOC)", "all", f"voc/map@{iou}") for iou in (0.1, 0.3, 0.5, 0.7)),
            Figure("mAP_a@0.5 (PKU)", "all", "pku/map_action@0.5"),
        ),
    ),
    "prediction": Downstream(
        prediction.usable,
        "frames; add recordings",
        lambda config: config.predict,
        prediction.train,
        prediction.load,
        prediction.measure,
        tuple(Figure(f"mm at frame {h}", "all", f"mpjpe@{h}") for h in HORIZONS),
        prediction.prediction_tables,
    ),
}


def get_downstream(task: str) -> Downstream:
    """A task by its name.

    Raises:
        ConfigError: if there is none of this name.
    """
    if task not in DOWNSTREAM:
        raise ConfigError(f"there is no task '{task}'; known: {', '.join(DOWNSTREAM)}")
    return DOWNSTREAM[task]
