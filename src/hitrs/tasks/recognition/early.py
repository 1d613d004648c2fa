"""Accuracy on beginnings of recordings: how soon an action is recognized."""

from __future__ import annotations

import numpy as np

from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.predict import predict
from hitrs.transforms.dataset import ModelInputs

SHARES = tuple(percent / 100 for percent in range(10, 101, 10))
"""Of a recording, after which accuracy is measured."""


class Beginnings(ModelInputs):
    """The first frames of every recording of a data set, at least one.

    Args:
        whole: the data set.
        share: of each recording's frames.
    """

    def __init__(self, whole: ModelInputs, share: float):
        self.whole, self.origin = whole, whole.origin
        self.layout, self.settings = whole.layout, whole.settings
        self.frames = np.maximum(np.ceil(share * whole.frames).astype(np.int64), 1)
        self.persons = whole.persons

    def name(self, i: int) -> str:
        return self.whole.name(i)

    def arrays(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        positions, valid = self.whole.arrays(i)
        return positions[: self.frames[i]], valid[: self.frames[i]]


def early_accuracy(model: RecognitionModel, whole: ModelInputs, labels: np.ndarray) -> dict[str, float]:
    """Top-1 accuracy in percent after 10%, 20%, ... of each recording, by "10", "20", ....

    Args:
        labels: (N,) index of the true class among the model's.

    >>> early_accuracy(model, dataset, dataset.labels)["50"]
    71.3
    """
    return {
        f"{100 * share:.0f}": round(
            100 * float((predict(model, Beginnings(whole, share)).argmax(1) == labels).mean()), 2
        )
        for share in SHARES
    }
