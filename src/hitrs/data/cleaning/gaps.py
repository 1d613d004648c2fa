"""Short gaps: a joint that was not seen for a few frames is taken to have moved in a straight line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hitrs.data.cleaning.operation import Change
from hitrs.data.inspection.measures import body_size
from hitrs.data.inspection.motion import JUMP
from hitrs.data.recording import Recording
from hitrs.errors import ConfigError


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
        place = np.arange(length)[:, None, None]
        before = np.maximum.accumulate(np.where(valid, place, -1), axis=0)  # (T, P, J) last seen frame
        after = np.minimum.accumulate(np.where(valid, place, length)[::-1], axis=0)[::-1]
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
