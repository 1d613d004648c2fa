"""Action recognition for applications: raw recordings in, named classes with probabilities out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.recording import Recording, natural_order
from hitrs.skeleton import Layout
from hitrs.tasks.csv_files import write_rows
from hitrs.tasks.deployed import DeployedModel
from hitrs.tasks.inputs import Input, JointsSeen, known_layout
from hitrs.tasks.recognition.confidence import UNKNOWN
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.predict import predict


@dataclass(frozen=True)
class ClassScore:
    """A class and how probable the model takes it to be."""

    label: str
    probability: float


@dataclass(frozen=True)
class Recognition:
    """The classes of one recording."""

    name: str
    """Name of the recording."""
    scores: tuple[ClassScore, ...]
    """All classes, the most probable first; the probabilities sum to 1."""
    known: bool
    """Whether the most probable class is as probable as the model's threshold asks."""
    joints: JointsSeen
    """How many of the model's joints the recording has, and shows."""
    notes: tuple[str, ...] = ()
    """What its reader left out or changed, and what was converted."""

    @property
    def label(self) -> str:
        """The most probable class, or "none of these" where it is not probable enough."""
        return self.scores[0].label if self.known else UNKNOWN

    @property
    def probability(self) -> float:
        """Probability of the most probable class, also where it is not named because that is too little."""
        return self.scores[0].probability

    def to_dict(self) -> dict[str, Any]:
        """JSON values: name, label (null: none of these), probability of every class, joints, notes."""
        return {
            "name": self.name,
            "label": self.label if self.known else None,
            "scores": [{"label": score.label, "probability": score.probability} for score in self.scores],
            "joints": self.joints.to_dict(),
            "notes": list(self.notes),
        }


def write_csv(path: str | Path, recognitions: Sequence[tuple[str, Recognition]]) -> None:
    """A line per recording: what it is called, its class, the probability of that, and those of all classes.

    That of "none of these" is empty: the model does not say how probable it is.

    Args:
        recognitions: (what to call it, its classes).

    Raises:
        DataError: if the file cannot be written.
    """
    classes = sorted(
        {score.label for _, each in recognitions[:1] for score in each.scores}, key=natural_order
    )
    rows = []
    for name, each in recognitions:
        chances = {score.label: score.probability for score in each.scores}
        rows.append(
            [name, each.label, each.probability if each.known else "", *(chances[label] for label in classes)]
        )
    write_rows(Path(path), ["file", "label", "probability", *classes], rows)


class Recognizer(DeployedModel[RecognitionModel]):
    """A trained recognizer with everything that a raw recording needs before it.

    Layout, preprocessing (centering, alignment, stream ...) and class names come from the model's directory.
    Long recordings are cut into overlapping chunks whose scores are averaged.

    >>> recognizer = hitrs.Recognizer("runs/tuned")
    >>> recognizer("morning.npz").label
    'wave quickly'
    >>> recognizer(positions, layout="kinect20").scores[:2]  # (T, J, 3) in meters
    (ClassScore(label='wave quickly', probability=0.91), ClassScore(label='wave', probability=0.05))

    Args:
        model: model directory, the run that made it, ``hub://owner/name``, or the loaded model itself.
        device: where to compute, for example "cuda"; None: where the model is, the CPU for one that is read.

    Raises:
        CheckpointError: if there is no model, or it is one without classes.
    """

    model_class = RecognitionModel

    def __call__(
        self,
        recording: Input,
        *,
        valid: np.ndarray | None = None,
        layout: Layout | str | os.PathLike[str] | None = None,
        as_is: bool = False,
    ) -> Recognition:
        """Recognize the action in one recording.

        Args:
            recording: (T, J, C) or (T, P, J, C) in the unit of the training data (meters), a Recording, or
                the path of a file.
            valid: of an array: (T, J) or (T, P, J) bool, True where the joint was seen; default: what is not
                NaN.
            layout: of an array or file, if it is not the model's: a Layout, its name, or a layout file.
            as_is: take coordinates as they are, whatever their unit and up axis seem to be.

        Raises:
            DataError: if the recording is empty, not finite, unreadable, shows nobody or too few of the
                model's joints, or bodies of another size, which no unit explains.
            LayoutError: if it does not fit the model: 2-D for a 3-D model, joints of another layout.
        """
        return self.recognize([self.recording(recording, valid=valid, layout=layout, as_is=as_is)])[0]

    def recognize_many(
        self,
        recordings: Iterable[Input],
        *,
        layout: Layout | str | os.PathLike[str] | None = None,
        as_is: bool = False,
    ) -> list[Recognition]:
        """Recognize many recordings at once, each as in ``__call__``; the results are in the same order.

        Raises:
            DataError, LayoutError: as in ``__call__``, for the first recording that is not usable.
        """
        known = known_layout(layout)
        usable = [
            self.recording(recording, layout=known, as_is=as_is, name=f"input {number}")
            for number, recording in enumerate(recordings)
        ]
        return self.recognize(usable)

    def recognize(self, recordings: Sequence[Recording]) -> list[Recognition]:
        """Recognize recordings that :meth:`recording` has prepared."""
        if not recordings:
            return []
        probabilities = predict(self.model, self.inputs(recordings))
        known = probabilities.max(1) >= self.model.confidence.threshold
        return [
            Recognition(recording.name, self._scores(row), sure, self.joints_seen(recording), recording.notes)
            for recording, row, sure in zip(recordings, probabilities, known.tolist(), strict=True)
        ]

    def _scores(self, probabilities: np.ndarray) -> tuple[ClassScore, ...]:
        order = np.argsort(-probabilities, kind="stable")
        return tuple(ClassScore(self.classes[i], float(probabilities[i])) for i in order)
