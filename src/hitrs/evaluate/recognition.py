"""Action recognition under a protocol: which recordings have a label, training, and accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.store import Store
from hitrs.evaluate.protocol import Split, recognizer_scores
from hitrs.tasks.recognition import RecognitionModel
from hitrs.train.config import Config
from hitrs.train.recognition import train_recognizer
from hitrs.transforms.source import Source

train = train_recognizer
load = RecognitionModel.from_pretrained


def usable(store: Store) -> np.ndarray:
    """(N,) bool: recordings with a class."""
    return np.asarray(store.labels) >= 0


def measure(
    model: RecognitionModel, split: Split, config: Config | None = None, keep: Path | None = None
) -> dict[str, dict[str, Any]]:
    """Accuracy on the test part; the scores stay in ``keep``, for ensembles."""
    query = Source(split.store, split.test, model.card.layout, model.card.preprocessing)
    scores = recognizer_scores(model, query, config.finetune.test_views if config else 1)
    if keep is not None:
        np.save(keep / "scores.npy", scores)
    return split.report(scores)
