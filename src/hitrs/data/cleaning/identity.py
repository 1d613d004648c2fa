"""Bodies back in their slots, and left back on the left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hitrs.data.cleaning.operation import Change
from hitrs.data.inspection.identity import find_flips, find_swaps
from hitrs.data.inspection.measures import body_size
from hitrs.data.recording import Recording


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
    """Exchanges left and right in the stretches in which they were exchanged.

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
