"""Action detection under a protocol: which recordings have labeled segments, training, and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.store import Store
from hitrs.evaluate.protocol import Split
from hitrs.tasks.detection import frame_labels, numbered, propose, score_detection
from hitrs.tasks.detection.model import DetectionModel
from hitrs.train.config import Config
from hitrs.train.detection import detector_probabilities, train_detector
from hitrs.transforms.source import Source

train = train_detector
load = DetectionModel.from_pretrained


def usable(store: Store) -> np.ndarray:
    """(N,) bool: recordings with labeled segments."""
    return np.asarray(store.segment_counts) > 0


def measure(
    model: DetectionModel, split: Split, config: Config | None = None, keep: Path | None = None
) -> dict[str, dict[str, Any]]:
    """Scores of ``score_detection`` on the test part, in percent.

    Raises:
        DataError: for a class that the model does not know.
    """
    query = Source(split.store, split.test, model.card.layout, model.card.preprocessing)
    probabilities = detector_probabilities(model, query)
    return {"all": percent(score_source(model, query, probabilities))}


def score_source(model: DetectionModel, source: Source, probabilities: list[np.ndarray]) -> dict[str, Any]:
    """``score_detection`` of the recordings of a source, with the model's segment settings."""
    store, classes = source.store, model.card.classes
    segments = [(store.segments(int(i)), int(store.frames[i])) for i in source.indices]
    settings = model.segments
    return score_detection(
        [numbered(found, frames, classes) for found, frames in segments],
        [propose(each, settings) for each in probabilities],
        [frame_labels(found, frames, classes) for found, frames in segments],
        [each.argmax(1) for each in probabilities],
        classes,
    )


def percent(scores: dict[str, Any]) -> dict[str, Any]:
    """Fractions as percent with two digits, also inside; counts and None as they are."""
    return {
        key: percent(value)
        if isinstance(value, dict)
        else round(100 * value, 2)
        if isinstance(value, float)
        else value
        for key, value in scores.items()
    }
