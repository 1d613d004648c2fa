"""The frame rate: all recordings to the same one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hitrs.data.cleaning.operation import Change
from hitrs.data.recording import Recording, Segment
from hitrs.errors import ConfigError, DataError

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
        moments = np.clip(
            np.where(np.abs(moments - nearest) < _SAME, nearest, moments), 0, recording.n_frames - 1
        )
        before = np.floor(moments).astype(int)
        after = np.ceil(moments).astype(int)
        share = (moments - before)[:, None, None, None].astype(np.float32)
        one, other = recording.positions[before], recording.positions[after]
        valid = recording.valid[before] & recording.valid[after]
        changed = replace(
            recording,
            positions=one + share * (other - one),
            valid=valid,
            fps=self.fps,
            segments=tuple(_resampled(segment, ratio, len(moments)) for segment in recording.segments),
        )
        note = f"resampled from {recording.fps:g} to {self.fps:g} frames a second"
        return Change(changed, int(valid.sum()), note)


def _resampled(segment: Segment, ratio: float, frames: int) -> Segment:
    """The same stretch of time; at least one frame, so that none is lost."""
    start = min(round(segment.start * ratio), frames - 1)
    return Segment(start, min(max(round(segment.stop * ratio), start + 1), frames), segment.label)
