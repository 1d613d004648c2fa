"""Online detection for applications: one frame in, what happens now out, by past frames only.

Every ``stride``-th frame completes a clip and costs more; `hitrs bench stream` measures both.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from hitrs.deploy.recordings import as_recording
from hitrs.errors import DataError
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.online import OnlineModel
from hitrs.tasks.detection.segments import Proposal
from hitrs.transforms.online import OnlinePreprocessing


@dataclass(frozen=True)
class Event:
    """An action has started or ended."""

    kind: Literal["started", "ended"]
    label: str
    segment: Proposal
    """So far, or whole; its score is the mean probability of the class."""


@dataclass(frozen=True)
class OnlineResult:
    """What a model thinks of the newest frame."""

    frame: int
    """Its number, from 0."""
    label: str | None
    """The most probable class; None for background."""
    probabilities: np.ndarray
    """(K + 1,), background last."""
    events: tuple[Event, ...]


class OnlineDetector:
    """A causal detector for one recording, frame by frame; it remembers no more than its history.

    The probabilities are those that the detector gives for the whole recording: background where nobody has
    been seen for as many frames as lie between two clips. A segment is a run of frames
    of one label; it has started when it is as long as the model's segment settings ask for (``min_length``).
    Smoothing and merging need frames to come and are left out.

    >>> online = OnlineDetector("runs/detector")
    >>> for frame in camera:  # (J, 3) or (P, J, 3), in meters
    ...     print(online.update(frame).label)

    Args:
        model: model directory, the run that made it, a hub id, or the loaded model itself.
        device: where to compute.

    Raises:
        CheckpointError: if there is no model, or it is one for something else.
        ConfigError: if it looks at frames to come, or its preprocessing needs the whole recording.
    """

    def __init__(self, model: str | os.PathLike[str] | DetectionModel, *, device: str = "cpu"):
        if not isinstance(model, DetectionModel):
            model = DetectionModel.from_pretrained(os.fspath(model)).to(device)
        self.model = model
        self.device = next(model.parameters()).device
        self.classes = model.card.classes
        self._least = model.segments.min_length
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a recording."""
        card = self.model.card
        self._prepare = OnlinePreprocessing(card.preprocessing, card.layout)
        self._steps = OnlineModel(self.model, card.persons)  # made anew for the bodies of the first frame
        self._persons: int | None = None
        self._absent = 0  # frames in a row in which nobody was seen
        self._run = Run(len(self.classes), 0)

    @property
    def frames(self) -> int:
        """How many frames of the recording it has seen."""
        return self._steps.time

    def update(self, frame: np.ndarray, valid: np.ndarray | None = None) -> OnlineResult:
        """The next frame.

        Args:
            frame: (J, C), or (P, J, C) with P as in the first frame and every body in its own slot; joints of
                the model's layout, in the unit of the training data (meters).
            valid: (J,) or (P, J) bool, True where the joint was seen; default: what is not NaN.

        Raises:
            DataError: if it is malformed, not finite, or has more bodies than the first frame.
            LayoutError: if its joints or dimensions are not the model's.
        """
        time = self._steps.time
        seen = None if valid is None else np.asarray(valid)[None]
        given = as_recording(
            np.asarray(frame)[None], self.model.card.layout, valid=seen, name=f"frame {time}"
        )
        if self._persons is None:
            self._persons = given.n_persons
            self._steps = OnlineModel(self.model, given.n_persons)
        if given.n_persons != self._persons:
            raise DataError(
                f"frame {time} has {given.n_persons} bodies, the first frame had {self._persons}; give every "
                "frame as many slots as there will ever be bodies, with `valid` False where one is absent"
            )
        # copies: what is given may be read-only, or the caller's buffer for every frame
        positions = torch.tensor(given.positions[0], device=self.device)
        seen_joints = torch.tensor(given.valid[0], device=self.device)
        scores = self._steps(*self._prepare(positions, seen_joints))
        self._absent = 0 if given.valid.any() else self._absent + 1
        probabilities = scores.float().softmax(-1).cpu().numpy()
        if self._absent >= self.model.settings.stride:
            probabilities = nobody(len(self.classes))
        best = int(probabilities.argmax())
        events = []
        if best != self._run.label:
            events = self._end(time)
            self._run = Run(best, time)
        self._run.add(float(probabilities[best]))
        if best < len(self.classes) and self._run.frames == self._least:
            events.append(self._event("started", time + 1))
        label = self.classes[best] if best < len(self.classes) else None
        return OnlineResult(time, label, probabilities, tuple(events))

    def finish(self) -> tuple[Event, ...]:
        """The recording is over: what goes on ends here. The next frame is the first of another recording."""
        events = self._end(self._steps.time)
        self.reset()
        return tuple(events)

    def _end(self, stop: int) -> list[Event]:
        ends = self._run.label < len(self.classes) and self._run.frames >= self._least
        return [self._event("ended", stop)] if ends else []

    def _event(self, kind: Literal["started", "ended"], stop: int) -> Event:
        run = self._run
        proposal = Proposal(run.start, stop, run.label, run.total / run.frames)
        return Event(kind, self.classes[run.label], proposal)


def nobody(classes: int) -> np.ndarray:
    """Probabilities (K + 1,) of a frame in which nobody has been seen for a clip's stride: background."""
    return np.eye(classes + 1, dtype=np.float32)[-1]


@dataclass
class Run:
    """Frames in a row of one label."""

    label: int
    start: int
    frames: int = 0
    total: float = 0.0
    """Of the probabilities of the label."""

    def add(self, probability: float) -> None:
        self.frames += 1
        self.total += probability
