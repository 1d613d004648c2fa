"""Action detection under a protocol: which recordings have labeled segments, training, and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.store import Store
from hitrs.evaluate.protocol import Split
from hitrs.tasks.detection import latency, propose, score_detection
from hitrs.tasks.detection.model import DetectionModel
from hitrs.train.config import Config
from hitrs.train.detection import actions, detector_probabilities, train_detector, truth
from hitrs.transforms.source import Source

CONFIRM = 3
"""An action counts as named where so many frames in a row say so."""

train = train_detector
load = DetectionModel.from_pretrained


def usable(store: Store) -> np.ndarray:
    """(N,) bool: recordings with labeled segments."""
    return np.asarray(store.segment_counts) > 0


def measure(
    model: DetectionModel, split: Split, config: Config | None = None, keep: Path | None = None
) -> dict[str, dict[str, Any]]:
    """Scores on the test part in percent; of a causal detector also how late it names actions.

    Raises:
        DataError: for a class that the model does not know.
    """
    query = Source(split.store, split.test, model.card.layout, model.card.preprocessing)
    probabilities = detector_probabilities(model, query)
    found = percent(score_source(model, query, probabilities))
    if model.settings.causal:
        delays = latency(
            actions(query, model.card.classes), [each.argmax(1) for each in probabilities], CONFIRM
        )
        found |= {key: value if value is None else round(value, 2) for key, value in delays.items()}
    return {"all": found}


def score_source(model: DetectionModel, source: Source, probabilities: list[np.ndarray]) -> dict[str, Any]:
    """``score_detection`` of the recordings of a source, with the model's segment settings."""
    classes, settings = model.card.classes, model.segments
    return score_detection(
        actions(source, classes),
        [propose(each, settings) for each in probabilities],
        truth(source, classes),
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
