"""Online detection: one frame in, what happens now out, by past frames only.

Every frame costs the same but for those that complete a clip (`hitrs bench stream` measures both), and
nothing older than the model's history is kept. The scores are those of ``DetectionModel.forward`` on the
recording up to the frame. A frame (of tubelets the one that completes a token) goes through F-TRS; the joint
features are kept for as long as a clip needs them. When a frame completes a clip, C-TRS computes that clip
and V-TRS the last ``history`` clips. The temporal head keeps the inputs that its layers look back on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hitrs.data.cleaning import MaskLost
from hitrs.data.conversion import Conversion
from hitrs.data.space import measure_space
from hitrs.errors import ConfigError, DataError
from hitrs.tasks.deployed import DeployedModel
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.predict import background
from hitrs.tasks.detection.segments import SLACK, Proposal, SegmentSettings
from hitrs.tasks.inputs import conversion_of
from hitrs.transforms.batch import tubelets
from hitrs.transforms.preprocessing import RunningPreprocessing


@dataclass(frozen=True)
class Event:
    """An action has started or ended."""

    kind: Literal["started", "ended"]
    label: str
    segment: Proposal
    """So far, or whole; its score is the mean probability of the class."""


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


class OnlineDetector(DeployedModel[DetectionModel]):
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
        model: model directory, the run that made it, ``hub://owner/name``, or the loaded model itself.
        device: where to compute, for example "cuda"; None: where the model is, the CPU for one that is read.
        as_is: take coordinates as they are. Otherwise the first frame that shows somebody is compared with
            the training data: another unit is converted, a body on its head is turned, and both are told in
            the notes of that frame; that it lies is only told, because people do.

    Raises:
        CheckpointError: if there is no model, or it is one for something else.
        ConfigError: if it looks at frames to come, or its preprocessing needs the whole recording.
    """

    model_class = DetectionModel

    def __init__(
        self,
        model: str | os.PathLike[str] | DetectionModel,
        *,
        device: str | None = None,
        as_is: bool = False,
    ):
        super().__init__(model, device=device)
        self._as_is = as_is
        self._segments = self.model.segments
        self._least = np.broadcast_to(np.asarray(self._segments.threshold), len(self.classes)) - SLACK
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a recording."""
        card = self.model.card
        self._preprocess = RunningPreprocessing(card.preprocessing, card.layout)
        self._stepper = OnlineModel(self.model, card.persons)  # made anew for the bodies of the first frame
        self._persons: int | None = None
        self._conversion = Conversion() if self._as_is else None  # that of the first body
        self._absent = 0  # frames in a row in which nobody was seen
        self._runs: dict[int, _Run] = {}

    @property
    def left_out(self) -> tuple[str, ...]:
        """Of the model's segment settings those that need frames to come."""
        usual = SegmentSettings()
        ahead = ("smoothing", "merge", *(("levels",) if self._segments.mode == "threshold" else ()))
        return tuple(name for name in ahead if getattr(self._segments, name) != getattr(usual, name))

    @property
    def frames(self) -> int:
        """Frames of the recording so far."""
        return self._stepper.time

    def update(self, frame: np.ndarray, valid: np.ndarray | None = None) -> OnlineResult:
        """The next frame.

        Args:
            frame: (J, C), or (P, J, C) with P as in the first frame and every body in its own slot; joints of
                the model's layout, in the unit of the training data (meters).
            valid: (J,) or (P, J) bool, True where the joint was seen; default: what is not NaN.

        Raises:
            DataError: if it is malformed, not finite or absurdly large, has more bodies than the first frame,
                or the first body is of another size than those of the training data, which no unit explains.
                It is as if the frame had not been there; the next one goes on.
            LayoutError: if its joints or dimensions are not the model's.
        """
        time = self._stepper.time
        given = self.one_frame(frame, valid, time, self._persons)
        if self._persons is None:
            self._persons = given.n_persons
            self._stepper = OnlineModel(self.model, given.n_persons)
        if not self._as_is:
            given = MaskLost()(given).recording
        notes: tuple[str, ...] = ()
        if self._conversion is None and given.valid.any():
            have = measure_space(given.positions, given.valid, self.layout)
            self._conversion = conversion_of(have, self.model.card, given.name, moment=True)
            notes = self._conversion.notes
        converted = given.positions if self._conversion is None else self._conversion(given.positions)
        # copies: what is given may be read-only, or the caller's buffer for every frame
        positions = torch.tensor(converted[0], device=self.device)
        seen_joints = torch.tensor(given.valid[0], device=self.device)
        scores = self._stepper(*self._preprocess(positions, seen_joints))
        self._absent = 0 if given.valid.any() else self._absent + 1
        probabilities = scores.float().softmax(-1).cpu().numpy()
        if self._absent >= self.model.clip_times.step:
            probabilities = background(len(self.classes))
        if not np.isfinite(probabilities).all():
            raise DataError(
                f"frame {time}: what the model makes of it is not finite; the coordinates are too large for "
                "the model (another unit?), or the weights are; reset() begins anew"
            )
        best = int(probabilities.argmax())
        if self._segments.mode == "runs":
            going = {best} - {len(self.classes)}
        else:
            going = set(np.flatnonzero(probabilities[:-1] >= self._least).tolist())
        events = self._end(set(self._runs) - going, time)
        for label in sorted(going):
            run = self._runs.setdefault(label, _Run(label, time))
            run.add(float(probabilities[label]))
            enough = run.frames >= self._segments.min_length and run.score >= self._least[label]
            if enough and not run.told:
                run.told = True
                events.append(self._event("started", run, time + 1))
        label = self.classes[best] if best < len(self.classes) else None
        return OnlineResult(time, label, probabilities, tuple(events), notes)

    def finish(self) -> tuple[Event, ...]:
        """End the recording, and an action that goes on; the next frame is the first of another recording."""
        events = self._end(set(self._runs), self._stepper.time)
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


class OnlineModel:
    """A detector frame by frame, with its memory of one recording.

    Args:
        model: trained with ``detect.head.causal``.
        persons: P, body slots.
    Raises:
        ConfigError: if the model looks ahead.
    """

    def __init__(self, model: DetectionModel, persons: int):
        if not model.settings.causal:
            raise ConfigError(
                "this detector looks at frames to come, so it cannot run online; train one that does not "
                "with `hitrs finetune STORE --task detection --detect.head.causal`"
            )
        encoder, config, size = model.encoder, model.encoder.config, model.token_times.size
        self.model = model
        self.persons = model.card.persons if model.paper else persons
        self.history = min(model.settings.history, config.max_clips)
        self.time = 0  # frames so far
        self.n_clips = 0  # clips so far, at most the history
        device = next(model.parameters()).device
        span = (config.window - 1) * config.dilation
        self._window = torch.arange(config.window, device=device) * config.dilation - span
        # the frames of a token as they come, frame t at t modulo their number, and the frame before
        self._positions = torch.zeros(
            self.persons, size, encoder.joints, encoder.coords // size, device=device
        )
        self._valid = torch.zeros(self.persons, size, encoder.joints, dtype=torch.bool, device=device)
        self._previous: tuple[Tensor, Tensor] | None = None
        # the last tokens' joint features, token k at k modulo their number
        self._joints = torch.zeros(self.persons, span + 1, encoder.joints, config.width, device=device)
        self._seen = torch.zeros(self.persons, span + 1, encoder.joints, dtype=torch.bool, device=device)
        if model.paper:  # what lies before the recording is zeros that take part
            with torch.inference_mode():
                self._joints[:] = encoder.frame(torch.zeros(1, encoder.joints, encoder.coords, device=device))
            self._seen[:] = True
        self._clips = torch.zeros(self.persons, self.history, encoder.clip_width, device=device)
        self._in_clip = torch.zeros(self.persons, self.history, dtype=torch.bool, device=device)
        hidden = model.settings.hidden
        # projections of the newest token and clip, and whether a joint was seen in them
        self._token = torch.zeros(self.persons, hidden, device=device)
        self._in_token = torch.zeros(self.persons, dtype=torch.bool, device=device)
        self._context = torch.zeros(self.persons, hidden, device=device)
        self._in_context = torch.zeros(self.persons, dtype=torch.bool, device=device)
        self._head = model.head.memory()

    @torch.inference_mode()
    def __call__(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Scores (K + 1,) of the next frame, before softmax.

        Args:
            positions: (P, J, C), preprocessed and in the model's stream; valid: (P, J).
        """
        model = self.model
        if model.paper:
            missing = max(0, self.persons - len(positions))
            positions = torch.nn.functional.pad(positions[: self.persons], (0, 0, 0, 0, 0, missing))
            valid = torch.nn.functional.pad(valid[: self.persons], (0, 0, 0, missing))
        place = self.time % self._positions.shape[1]
        self._positions[:, place], self._valid[:, place] = positions, valid
        token = self.time // model.token_times.size
        if model.token_times.completed(self.time):
            self._complete_token(token)
        if model.clip_times.completed(self.time):
            self._complete_clip(token)
        in_frame = torch.ones_like(self._in_token) if model.paper else valid.any(-1)
        raw = torch.zeros_like(self._token)
        raw[in_frame] = model.input_proj(self._raw_features(positions, valid)[in_frame]).float()
        seen = (in_frame | self._in_token | self._in_context)[:, None].float()
        value = ((self._token + raw + self._context) * seen).sum(0) / seen.sum().clamp(min=1)
        scores = model.head.step(value, self._head, self.time)
        self.time += 1
        return scores

    def _raw_features(self, positions: Tensor, valid: Tensor) -> Tensor:
        """``DetectionModel.raw_features`` of this frame of each body."""
        before = self._previous if self._previous is not None else (positions, valid)
        self._previous = (positions, valid)
        two = [torch.stack(pair, dim=1) for pair in zip(before, self._previous, strict=True)]
        return self.model.raw_features(*two)[:, -1]

    def _complete_token(self, number: int) -> None:
        """Compute the joint features of the token of which the last frame is there now."""
        size = self._positions.shape[1]
        lengths = torch.full((self.persons,), size, device=self._valid.device)
        positions, valid, _ = tubelets(self._positions, self._valid, lengths, size)
        positions, valid = positions[:, 0], valid[:, 0]
        if self.model.paper:
            valid = torch.ones_like(valid)
        place = number % self._joints.shape[1]
        present = valid.any(-1)
        self._seen[:, place], self._in_token = valid, present
        self._token = torch.zeros_like(self._token)
        if bool(present.any()):
            own = valid[present]
            features = self.model.encoder.frame(positions[present], own)
            self._joints[present, place] = features.to(self._joints.dtype)
            self._token[present] = self.model.pose_proj((features * own[..., None]).flatten(1)).float()

    def _complete_clip(self, token: int) -> None:
        """Compute the features of the clip of which the last token is there now."""
        encoder = self.model.encoder
        places = (token + self._window) % self._joints.shape[1]
        valid = self._seen[:, places]  # (P, W, J)
        present = valid.flatten(1).any(1)
        if self.n_clips == self.history:  # the oldest is forgotten
            self._clips = self._clips.roll(-1, 1)
            self._in_clip = self._in_clip.roll(-1, 1)
        else:
            self.n_clips += 1
        newest = self.n_clips - 1
        self._in_clip[:, newest] = self._in_context = present
        self._context = torch.zeros_like(self._context)
        if not bool(present.any()):
            return
        joints = self._joints[present][:, places].flatten(0, 1)  # (k W, J, D)
        rows = torch.arange(len(joints), device=joints.device).view(-1, len(places))
        features = encoder.clip(joints, rows, valid[present])  # (k, 2D)
        self._clips[present, newest] = features
        if self.model.settings.context == "video":
            past, in_past = self._clips[present, : self.n_clips], self._in_clip[present, : self.n_clips]
            video = encoder.video.encode_last_clip(past, in_past)
            features = torch.cat([features, video.to(features.dtype)], dim=-1)
        self._context[present] = self.model.clip_proj(features).float()
