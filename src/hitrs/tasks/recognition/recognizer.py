"""Action recognition for applications: raw recordings in, named classes with probabilities out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitrs.data.recording import Recording
from hitrs.errors import not_finite
from hitrs.schema import read_settings
from hitrs.tasks.deployed import DeployedModel
from hitrs.tasks.inputs import Input, Joints, JointsSeen, known_layout
from hitrs.tasks.recognition.confidence import UNKNOWN, Confidence


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


class Recognizer(DeployedModel):
    """A trained recognizer with everything that a raw recording needs before it.

    Layout, preprocessing (centering, alignment, stream ...) and class names come from the model's directory.
    Long recordings are cut into overlapping chunks whose scores are averaged.

    >>> recognizer = hitrs.Recognizer("runs/tuned")
    >>> recognizer("morning.npz").label
    'wave quickly'
    >>> recognizer(positions, layout="kinect20").scores[:2]  # (T, J, 3) in meters
    (ClassScore(label='wave quickly', probability=0.91), ClassScore(label='wave', probability=0.05))

    Args:
        model: model directory, the run that made it, ``hub://owner/name``, an exported file (``*.onnx``), or
            the loaded model itself.
        device: where a PyTorch model computes, for example "cuda"; None: where it is, the CPU for one that is
            read.

    Raises:
        CheckpointError: if there is no model, or it is one without classes.
    """

    task = "recognition"

    @property
    def settings(self) -> Confidence:
        """From which probability on a class is named."""
        found = self.card.postprocessing.get("confidence", {})
        return read_settings(Confidence, found, "postprocessing.confidence")

    def __call__(
        self,
        recording: Input,
        *,
        valid: np.ndarray | None = None,
        layout: Joints | None = None,
        fps: float | None = None,
        resample: bool = False,
        unit: str | None = None,
        up: str | None = None,
        as_is: bool = False,
    ) -> Recognition:
        """Recognize the action in one recording.

        Args:
            recording: (T, J, C) or (T, P, J, C) in the unit of the training data (meters), a Recording, or
                the path of a file.
            valid: of an array: (T, J) or (T, P, J) bool, True where the joint was seen; default: what is not
                NaN.
            layout: of an array or file, if it is not the model's: a Layout, its name, a layout file, or a
                list of the names of its joints.
            fps: frames per second where the input does not say it; None = unknown.
            resample: bring a recording of another frame rate to the model's.
            unit: "meters", "centimeters" or "millimeters", where that is known; None: as bodies suggest.
            up: the axis that points up, "y", "-y", "z", ..., where that is known; None: as bodies suggest.
            as_is: take coordinates as they are, whatever their unit and up axis seem to be.

        Raises:
            DataError: if the recording is empty, not finite, unreadable, shows nobody or too few of the
                model's joints, has another frame rate, or bodies of another size, which no unit explains.
            LayoutError: if it does not fit the model: 2-D for a 3-D model, joints of another layout.
            ConfigError: for a unit or axis that does not exist, or one with ``as_is``.
        """
        usable = self.recording(
            recording, valid=valid, layout=layout, fps=fps, resample=resample, unit=unit, up=up, as_is=as_is
        )
        return self.recognize([usable])[0]

    def recognize_many(
        self,
        recordings: Iterable[Input],
        *,
        layout: Joints | None = None,
        as_is: bool = False,
    ) -> list[Recognition]:
        """Recognize many recordings at once, each as in ``__call__``; the results are in the same order.

        Raises:
            DataError, LayoutError: as in ``__call__``, for the first recording that is not usable.
        """
        known = known_layout(layout, self.layout)
        usable = [
            self.recording(recording, layout=known, as_is=as_is, name=f"input {number}")
            for number, recording in enumerate(recordings)
        ]
        return self.recognize(usable)

    def recognize(self, recordings: Sequence[Recording]) -> list[Recognition]:
        """Recognize recordings that :meth:`recording` has prepared."""
        if not recordings:
            return []
        answers = self.model.answers([self.mapped(recording) for recording in recordings])
        return [self._named(recording, row) for recording, row in zip(recordings, answers, strict=True)]

    def _named(self, recording: Recording, probabilities: np.ndarray) -> Recognition:
        """The classes of a recording from their probabilities (K,)."""
        if not np.isfinite(probabilities).all():
            raise not_finite(f"recording '{recording.name}'")
        known = bool(probabilities.max() >= self.settings.threshold)
        scores, joints = self._scores(probabilities), self.joints_seen(recording)
        return Recognition(recording.name, scores, known, joints, recording.notes)

    def _scores(self, probabilities: np.ndarray) -> tuple[ClassScore, ...]:
        order = np.argsort(-probabilities, kind="stable")
        return tuple(ClassScore(self.classes[i], float(probabilities[i])) for i in order)
