"""Action recognition for applications: raw recordings in, named classes with probabilities out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hitrs.data.recording import Recording
from hitrs.deploy.recordings import Input, as_recording, known_layout, model_arrays
from hitrs.skeleton import Layout
from hitrs.tasks.recognition import RecognitionModel
from hitrs.transforms.batch import collate
from hitrs.transforms.preprocess import preprocess

BATCH_FRAMES = 8192
"""Frames (of all bodies, with padding) in one batch: some hundred MB in the paper's size."""


@dataclass(frozen=True)
class Prediction:
    """One class and how probable the model thinks it is."""

    label: str
    probability: float


@dataclass(frozen=True)
class Recognition:
    """What a model thinks of one recording."""

    name: str
    """Name of the recording."""
    predictions: tuple[Prediction, ...]
    """All classes, the most probable first; the probabilities sum to 1."""

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.predictions[0].label

    @property
    def probability(self) -> float:
        """Probability of the most probable class."""
        return self.predictions[0].probability

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "predictions": [{"label": p.label, "probability": p.probability} for p in self.predictions],
        }


class Recognizer:
    """A trained recognizer with everything that a raw recording needs before it.

    Layout, preprocessing (centering, alignment, stream ...) and class names come from the model's directory.
    Long recordings are cut into overlapping stretches whose scores are averaged.

    >>> recognizer = Recognizer("runs/tuned")
    >>> recognizer(positions).label  # (T, J, 3) in meters
    'wave quickly'

    Args:
        model: model directory, the run that made it, or a hub id.
        device: where to compute, for example "cuda".

    Raises:
        CheckpointError: if there is no model, or it is one without classes.
    """

    def __init__(self, model: str | os.PathLike[str], *, device: str = "cpu"):
        self.device = torch.device(device)
        self.model = RecognitionModel.from_pretrained(os.fspath(model)).to(self.device)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.model.card.classes

    @property
    def layout(self) -> Layout:
        """The layout that recordings are mapped to."""
        return self.model.card.layout

    def __call__(
        self, recording: Input, *, valid: np.ndarray | None = None, layout: Layout | str | None = None
    ) -> Recognition:
        """Recognize the action in one recording.

        Args:
            recording: (T, J, C) or (T, P, J, C) in the unit of the training data (meters), a Recording, or
                the path of a file.
            valid: of an array: (T, J) or (T, P, J) bool, True where the joint was seen; default: all.
            layout: of an array or file, if it is not the model's: a Layout, its name, or a layout file.

        Raises:
            DataError: if the recording is empty, not finite, unreadable, or shows nobody.
            LayoutError: if it does not fit the model: 2-D for a 3-D model, joints of another layout.
        """
        given = as_recording(recording, self.layout, valid=valid, layout=known_layout(layout))
        return next(self._recognize([given]))

    def recognize_many(
        self, recordings: Iterable[Input], *, layout: Layout | str | None = None
    ) -> list[Recognition]:
        """Recognize many recordings at once, each as in ``__call__``; the results are in the same order.

        Raises:
            DataError, LayoutError: as in ``__call__``, for the first recording that is not usable.
        """
        known = known_layout(layout)
        given = [
            as_recording(recording, self.layout, layout=known, name=f"input {number}")
            for number, recording in enumerate(recordings)
        ]
        return list(self._recognize(given))

    def _recognize(self, recordings: list[Recording]) -> Iterator[Recognition]:
        arrays = [model_arrays(recording, self.layout) for recording in recordings]
        scores = np.zeros((len(arrays), len(self.classes)))
        for batch in _batches([positions.shape[:2] for positions, _ in arrays]):
            scores[batch] = self._probabilities([arrays[i] for i in batch])
        for recording, row in zip(recordings, scores, strict=True):
            order = np.argsort(-row, kind="stable")
            yield Recognition(
                recording.name, tuple(Prediction(self.classes[i], float(row[i])) for i in order)
            )

    @torch.inference_mode()
    def _probabilities(self, arrays: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """(N, classes) of recordings, each positions (T, P, J, C) and valid (T, P, J)."""
        batch = preprocess(collate(arrays), self.model.card.preprocessing, self.layout)
        return self.model(batch.to(self.device)).float().softmax(1).cpu().numpy()


def _batches(sizes: list[tuple[int, int]]) -> Iterator[list[int]]:
    """Groups of recordings of like length, each of at most ``BATCH_FRAMES`` frames with padding.

    Args:
        sizes: frames and persons of each recording.
    """
    batch: list[int] = []
    for i in sorted(range(len(sizes)), key=lambda i: sizes[i]):
        members = [*batch, i]
        frames = len(members) * max(sizes[m][0] for m in members) * max(sizes[m][1] for m in members)
        if batch and frames > BATCH_FRAMES:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
