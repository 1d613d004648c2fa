"""Online detection: one frame in, what happens now out, by past frames only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hitrs.data.cleaning.operations import MaskLost
from hitrs.data.conversion import Conversion
from hitrs.data.space import measure_space
from hitrs.errors import not_finite
from hitrs.tasks.deployed import Answering, DeployedModel, one_frame, stated_space
from hitrs.tasks.detection.segments import SLACK, Proposal, SegmentSettings, segment_settings
from hitrs.tasks.inputs import Joints, conversion_of


@dataclass(frozen=True)
class Event:
    """An action has started or ended."""

    kind: Literal["started", "ended"]
    label: str
    segment: Proposal
    """So far, or whole; its score is the mean probability of the class."""

    def to_dict(self, fps: float | None) -> dict[str, Any]:
        """JSON values: what happened, class, frames, their seconds at a frame rate, score."""
        start, stop = self.segment.start, self.segment.stop
        seconds = [None if fps is None else round(frame / fps, 2) for frame in (start, stop)]
        facts = {"event": self.kind, "label": self.label, "start": start, "stop": stop}
        times = {"start_seconds": seconds[0], "stop_seconds": seconds[1]}
        return {**facts, **times, "score": self.segment.score}


@dataclass(frozen=True)
class OnlineResult:
    """The newest frame, as a model classifies it."""

    frame: int
    """Its number, from 0."""
    label: str | None
    """The most probable class; None for background."""
    probabilities: np.ndarray
    """(K + 1,), background last."""
    events: tuple[Event, ...]
    notes: tuple[str, ...] = ()
    """Of the first frame that shows somebody: what is converted from now on, in sentences for people."""


class OnlineDetector(DeployedModel):
    """A causal detector for one recording, frame by frame; its memory is bounded by its history.

    The probabilities are those that ``Detector`` gives for the whole recording. A segment is a run of
    frames of one class as the model's segment settings have it, ``mode`` and ``threshold``; it has started
    when it is as long as they ask for (``min_length``). Smoothing, merging, levels and suppression need
    frames to come and are left out (:attr:`left_out`).

    >>> online = hitrs.OnlineDetector("runs/detector")
    >>> for frame in camera:  # (J, 3) or (P, J, 3), in meters
    ...     print(online.update(frame).label)
    >>> online.finish()
    (Event(kind='ended', label='wave', segment=Proposal(start=31, stop=75, label=0, score=0.93)),)

    Args:
        model: model directory, the run that made it, ``hub://owner/name``, a file of
            ``hitrs export --online`` (``*.onnx``), or the loaded model itself.
        device: where a PyTorch model computes, for example "cuda"; None: where it is, the CPU for one that is
            read.
        layout: of the frames, if it is not the model's: a Layout, its name, a layout file, or a list of the
            names of its joints.
        unit: "meters", "centimeters" or "millimeters", where that is known; None: as bodies suggest.
        up: the axis that points up, "y", "-y", "z", ..., where that is known; None: as bodies suggest.
        as_is: take coordinates as they are. Otherwise the first frame that shows somebody is compared with
            the training data: another unit is converted, a body on its head is turned, and both are told in
            the notes of that frame; that it lies is only told, because people do.

    Raises:
        CheckpointError: if there is no model, or it is one for something else.
        ConfigError: if it looks at frames to come, or its preprocessing needs the whole recording; or for a
            unit or axis that does not exist.
        LayoutError: if there is no such layout, or it has nothing in common with the model's.
    """

    task = "detection"

    def __init__(
        self,
        model: str | os.PathLike[str] | Answering,
        *,
        device: str | None = None,
        layout: Joints | None = None,
        unit: str | None = None,
        up: str | None = None,
        as_is: bool = False,
    ):
        super().__init__(model, device=device)
        self._as_is, self._stated = as_is, stated_space(unit, up, as_is)
        self._given = self.frames_layout(layout)
        self._segments = self.settings
        self._least = np.broadcast_to(np.asarray(self._segments.threshold), len(self.classes)) - SLACK
        self.reset()

    @property
    def settings(self) -> SegmentSettings:
        """How frames become segments."""
        return segment_settings(self.card)

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a recording."""
        self.frames = 0
        """Frames of the recording so far."""
        self._answer = self.model.frame_by_frame(1)  # made anew for the bodies of the first frame
        self._persons: int | None = None
        self._conversion = Conversion() if self._as_is else None  # that of the first body
        self._runs: dict[int, _Run] = {}

    @property
    def left_out(self) -> tuple[str, ...]:
        """Of the model's segment settings those that need frames to come."""
        usual = SegmentSettings()
        ahead = ("smoothing", "merge", *(("levels",) if self._segments.mode == "threshold" else ()))
        return tuple(name for name in ahead if getattr(self._segments, name) != getattr(usual, name))

    def update(self, frame: np.ndarray, valid: np.ndarray | None = None) -> OnlineResult:
        """The next frame.

        Args:
            frame: (J, C), or (P, J, C) with P as in the first frame and every body in its own slot; joints of
                the model's layout unless another one was named, in the unit of the training data (meters).
            valid: (J,) or (P, J) bool, True where the joint was seen; default: what is not NaN.

        Raises:
            DataError: if it is malformed, not finite or absurdly large, has more bodies than the first frame,
                or the first body is of another size than those of the training data, which no unit explains.
                It is as if the frame had not been there; the next one goes on.
            LayoutError: if its joints or dimensions are not the layout's.
        """
        time = self.frames
        given = one_frame(frame, valid, self._given, time, self._persons)
        if self._persons is None:
            self._persons = given.n_persons
            self._answer = self.model.frame_by_frame(given.n_persons)
        if not self._as_is:
            given = MaskLost()(given).recording
        given = self.mapped(given)
        notes: tuple[str, ...] = ()
        if self._conversion is None and given.valid.any():
            have = measure_space(given.positions, given.valid, self.layout)
            self._conversion = conversion_of(have, self.card, given.name, moment=True, stated=self._stated)
            notes = self._conversion.notes
        converted = given.positions if self._conversion is None else self._conversion(given.positions)
        probabilities = self._answer(converted[0], given.valid[0])
        if not np.isfinite(probabilities).all():
            raise not_finite(f"frame {time}")
        self.frames += 1
        best = int(probabilities.argmax())
        if self._segments.mode == "runs":
            going = {best} - {len(self.classes)}
        else:
            going = set(np.flatnonzero(probabilities[:-1] >= self._least).tolist())
        events = self._end(set(self._runs) - going, time)
        for index in sorted(going):
            run = self._runs.setdefault(index, _Run(index, time))
            run.add(float(probabilities[index]))
            enough = run.frames >= self._segments.min_length and run.score >= self._least[index]
            if enough and not run.told:
                run.told = True
                events.append(self._event("started", run, time + 1))
        label = self.classes[best] if best < len(self.classes) else None
        return OnlineResult(time, label, probabilities, tuple(events), notes)

    def finish(self) -> tuple[Event, ...]:
        """End the recording, and an action that goes on; the next frame is the first of another recording."""
        events = self._end(set(self._runs), self.frames)
        self.reset()
        return tuple(events)

    def _end(self, labels: set[int], stop: int) -> list[Event]:
        """The runs of these classes are over; those that had started are told."""
        ended = [self._runs.pop(label) for label in sorted(labels)]
        return [self._event("ended", run, stop) for run in ended if run.told]

    def _event(self, kind: Literal["started", "ended"], run: _Run, stop: int) -> Event:
        proposal = Proposal(run.start, stop, run.label, run.score)
        return Event(kind, self.classes[run.label], proposal)


@dataclass
class _Run:
    """Frames in a row of one class."""

    label: int
    start: int
    frames: int = 0
    total: float = 0.0
    """Of the probabilities of the class."""
    told: bool = False
    """Whether it has started."""

    @property
    def score(self) -> float:
        return self.total / self.frames

    def add(self, probability: float) -> None:
        self.frames += 1
        self.total += probability
