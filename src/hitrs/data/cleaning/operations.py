"""Cleaning operations: a recording in, a recording out, and how much was changed.

Each is an explicit repair: units, the up axis, the frame rate, spikes, gaps, exchanged bodies and sides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from hitrs.data.inspection.motion import JUMP, SPIKE, body_size, find_flips, find_spikes, find_swaps
from hitrs.data.interpolation import interpolate
from hitrs.data.recording import Recording, Segment
from hitrs.data.space import TURNS
from hitrs.errors import ConfigError, DataError


@dataclass(frozen=True)
class Change:
    """What an operation has made of a recording."""

    recording: Recording
    values: int = 0
    """Joints that were changed, summed over frames and persons."""
    note: str = ""
    """What was done, for ``Recording.notes``; nothing where nothing was changed."""


class Operation(Protocol):
    """A frozen dataclass whose fields are its options.

    It never changes the arrays of a recording in place: they may be views of a store.
    """

    name: ClassVar[str]
    """The option of ``hitrs clean``, without its dashes."""
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __call__(self, recording: Recording) -> Change:
        """Raises DataError for a recording to which it cannot be applied."""
        ...


def describe(step: Mapping[str, Any]) -> str:
    """One entry of a store's ``meta["cleaning"]`` as a line for people."""
    options = " ".join(str(value) for value in step["options"].values())
    return f"{step['operation']} {options}".rstrip() + (
        f": {step['values']} joints in {step['recordings']} recordings changed"
    )


PER_METER = {"cm": 100.0, "mm": 1000.0}


@dataclass(frozen=True)
class ToMeters:
    """Rescales recordings that are in centimeters or millimeters to meters."""

    name: ClassVar[str] = "unit"
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in PER_METER:
            raise ConfigError(
                f"there is no unit '{self.unit}' to convert from; known: {', '.join(PER_METER)}."
            )

    def __call__(self, recording: Recording) -> Change:
        if recording.layout.dims != 3:
            raise DataError(
                f"'{recording.name}' is 2-D, in pixels; only 3-D recordings have a unit of length."
            )
        positions = (recording.positions / PER_METER[self.unit]).astype(np.float32)
        note = f"converted from {self.unit} to meters"
        return Change(replace(recording, positions=positions), int(recording.valid.sum()), note)


@dataclass(frozen=True)
class TurnUp:
    """Turns recordings in which ``axis`` points up so that y does."""

    name: ClassVar[str] = "up"
    axis: str

    def __post_init__(self) -> None:
        if self.axis not in TURNS:
            raise ConfigError(f"'{self.axis}' is no axis to turn to y; known: {', '.join(TURNS)}.")

    def __call__(self, recording: Recording) -> Change:
        if recording.layout.dims != 3:
            raise DataError(
                f"'{recording.name}' is 2-D: y of an image points down, there is nothing to turn."
            )
        turned = recording.positions @ TURNS[self.axis].T
        note = f"turned from {self.axis} up to y up"
        return Change(replace(recording, positions=turned), int(recording.valid.sum()), note)


_SAME = 1e-6  # frames; nearer than this a moment is a frame that exists
MOST_FRAMES = 10_000_000
"""More than a day at 100 frames a second: a rate that asks for more is a slip, and would fill the memory."""


@dataclass(frozen=True)
class Resample:
    """Resamples to ``fps`` frames a second, in a straight line between frames.

    A joint is seen where it was seen in both frames around. Nothing is smoothed: movements faster than half
    the new rate fold into slower ones.
    """

    name: ClassVar[str] = "fps"
    fps: float

    def __post_init__(self) -> None:
        if not 0 < self.fps < math.inf:
            raise ConfigError(f"a frame rate of {self.fps} makes no sense.")

    def __call__(self, recording: Recording) -> Change:
        if recording.fps is None:
            raise DataError(
                f"the frame rate of '{recording.name}' is unknown, so it cannot be resampled. Give the rate "
                "when you import (column fps of labels.csv)."
            )
        if recording.fps == self.fps:
            return Change(recording)
        ratio = self.fps / recording.fps
        frames = (recording.n_frames - 1) * ratio + 1
        if frames > MOST_FRAMES:
            raise DataError(
                f"'{recording.name}' would have {frames:.3g} frames at {self.fps:g} frames a second."
            )
        moments = np.arange(math.floor(frames + _SAME)) / ratio  # in frames of the source
        nearest = np.round(moments)
        moments = np.where(np.abs(moments - nearest) < _SAME, nearest, moments)
        moments = moments.clip(0, recording.n_frames - 1)
        positions, valid = interpolate(recording.positions, recording.valid, moments)
        changed = replace(
            recording,
            positions=positions,
            valid=valid,
            fps=self.fps,
            segments=tuple(_resampled(segment, ratio, len(moments)) for segment in recording.segments),
        )
        note = f"resampled from {recording.fps:g} to {self.fps:g} frames a second"
        return Change(changed, int(valid.sum()), note)


def _resampled(segment: Segment, ratio: float, frames: int) -> Segment:
    """The same span of time; at least one frame, so that none is lost."""
    start = min(round(segment.start * ratio), frames - 1)
    return Segment(start, min(max(round(segment.stop * ratio), start + 1), frames), segment.label)


@dataclass(frozen=True)
class RejectSpikes:
    """Marks a joint as not seen that stands farther than ``factor`` sizes of the body from its median over
    the five frames around (see ``inspection.motion.find_spikes``). Where a whole pose is wrong for a frame or
    two, these are most of its joints. ``FillGaps`` can then fill the gap.
    """

    name: ClassVar[str] = "spikes"
    factor: float = SPIKE

    def __post_init__(self) -> None:
        if not self.factor > 0:
            raise ConfigError(f"a limit for spikes of {self.factor} body sizes makes no sense; try {SPIKE}.")

    def __call__(self, recording: Recording) -> Change:
        positions, valid = recording.positions, recording.valid
        spikes = find_spikes(positions, valid, body_size(positions, valid), self.factor)
        if not spikes.any():
            return Change(recording)
        count = int(spikes.sum())
        note = f"{count} joints taken out as spikes"
        return Change(replace(recording, valid=valid & ~spikes), count, note)


@dataclass(frozen=True)
class FillGaps:
    """Fills gaps of at most ``frames`` frames between two frames in which the joint was seen.

    A gap is left alone where its ends are more than half a body apart: there the body jumped or another one
    came, and nothing is known of the way.
    """

    name: ClassVar[str] = "fill-gaps"
    frames: int

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ConfigError(f"gaps of at most {self.frames} frames cannot be filled; expected 1 or more.")

    def __call__(self, recording: Recording) -> Change:
        positions, valid = recording.positions, recording.valid
        length = len(positions)
        frame_numbers = np.arange(length)[:, None, None]
        before = np.maximum.accumulate(
            np.where(valid, frame_numbers, -1), axis=0
        )  # (T, P, J) last seen frame
        after = np.minimum.accumulate(np.where(valid, frame_numbers, length)[::-1], axis=0)[::-1]
        gap = ~valid & (before >= 0) & (after < length) & (after - before - 1 <= self.frames)
        frame, person, joint = np.nonzero(gap)
        first, last = before[gap], after[gap]  # (N,)
        start, end = positions[first, person, joint], positions[last, person, joint]  # (N, C)
        near = np.linalg.norm(end - start, axis=-1) <= JUMP * body_size(positions, valid)
        if not near.any():
            return Change(recording)
        share = ((frame - first) / (last - first))[:, None].astype(np.float32)
        chosen = frame[near], person[near], joint[near]
        filled, seen = positions.copy(), valid.copy()
        filled[chosen] = (start + share * (end - start))[near]
        seen[chosen] = True
        count = int(near.sum())
        note = f"{count} joints in gaps of at most {self.frames} frames filled by interpolation"
        return Change(replace(recording, positions=filled, valid=seen), count, note)


@dataclass(frozen=True)
class Unswap:
    """Puts bodies that exchanged their slots back, from each exchange on."""

    name: ClassVar[str] = "unswap"

    def __call__(self, recording: Recording) -> Change:
        positions, valid = recording.positions, recording.valid
        swaps = find_swaps(positions, valid, body_size(positions, valid))
        if not len(swaps):
            return Change(recording)
        slots = np.tile(np.arange(recording.n_persons), (recording.n_frames, 1))  # (T, P): where each body is
        for frame, a, b in swaps.tolist():
            now = slots[frame]
            slots[frame:] = np.where(now == a, b, np.where(now == b, a, now))
        moved = slots != np.arange(recording.n_persons)
        changed = replace(
            recording,
            positions=np.take_along_axis(positions, slots[:, :, None, None], axis=1),
            valid=np.take_along_axis(valid, slots[:, :, None], axis=1),
        )
        note = f"bodies put back into their slots after {len(swaps)} exchanges"
        return Change(changed, int(changed.valid[moved].sum()), note)


@dataclass(frozen=True)
class Unflip:
    """Exchanges left and right in the frames in which they were exchanged.

    Which of the two states is the right one is not in the data: the one that holds for more frames is taken.
    """

    name: ClassVar[str] = "unflip"

    def __call__(self, recording: Recording) -> Change:
        positions, valid, layout = recording.positions, recording.valid, recording.layout
        flips = find_flips(positions, valid, layout, body_size(positions, valid))
        if not flips.any():
            return Change(recording)
        flipped = np.cumsum(flips, axis=0) % 2 == 1  # (T, P)
        bodies = valid.any(-1)
        flipped ^= 2 * (flipped & bodies).sum(0) > bodies.sum(0)
        frame, person = np.nonzero(flipped & bodies)
        changed, seen = positions.copy(), valid.copy()
        changed[frame, person] = positions[frame, person][:, layout.mirror]
        seen[frame, person] = valid[frame, person][:, layout.mirror]
        sides = layout.mirror != np.arange(layout.n_joints)
        count = int(seen[frame, person][:, sides].sum())
        note = f"left and right exchanged in {len(frame)} frames"
        return Change(replace(recording, positions=changed, valid=seen), count, note)
