"""Class probabilities of recordings: what evaluation and deployment both use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from hitrs.models.features import collect
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.transforms.batch import Batch
from hitrs.transforms.dataset import ModelInputs
from hitrs.transforms.preprocessing import yaw_matrix

TURN = np.pi / 6
"""Test views are spread evenly from -30 to 30 degrees about the up axis."""
BATCH_FRAMES = 8192
"""Frames (of all bodies, with padding) in one batch: some hundred MB in the paper's size."""


def predict(model: RecognitionModel, dataset: ModelInputs, views: int = 1) -> np.ndarray:
    """Class probabilities (N, classes) of every recording of ``dataset``, in its order.

    Args:
        views: turned copies of each recording whose probabilities are averaged (3-D only).
    """
    angles = np.linspace(-TURN, TURN, views) if views > 1 and dataset.layout.dims == 3 else [0.0]

    def probabilities(batch: Batch) -> Tensor:
        return torch.softmax(model(batch).float(), dim=1)

    return np.mean(
        [
            collect(probabilities, model, dataset, change=_turned(angle, dataset), max_frames=BATCH_FRAMES)
            for angle in angles
        ],
        axis=0,
    )


def _turned(angle: float, dataset: ModelInputs) -> Callable[[Batch], Batch] | None:
    if angle == 0:
        return None
    matrix = yaw_matrix(torch.tensor([angle], dtype=torch.float32), dataset.settings.up_axis)[0]
    return lambda batch: Batch(batch.positions @ matrix.T, batch.valid, batch.lengths)
