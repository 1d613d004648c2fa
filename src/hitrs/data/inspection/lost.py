"""What a tracker puts out for joints that it has lost: one point for all of them, zeros, the last place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hitrs.data.inspection.motion import HELD, body_size, masked_median
from hitrs.skeleton.layout import Layout

SAME_POINT = 1e-4
"""Joints no farther apart than this part of a body lie at one point."""
LOST = "lost joints"
"""How notes about them begin."""
NEAR = 0.1
"""A joint that is no farther from 0 than this part of a body in the frames around may be there."""
_FEW = 3
"""Fewer joints than this may meet."""
TORN = 0.3
"""A joint that keeps its exact place while the length of its bone changes by more than this part of it was
left behind: a foot on the floor keeps its place too, but also its distance from the ankle."""


@dataclass(frozen=True)
class Lost:
    """Joints that count as seen and were not, (T, P, J) bool each; none is in two."""

    together: np.ndarray
    """Most joints of the body lie at one point."""
    zero: np.ndarray
    """At exactly 0, away from the body or from where the joint was just before and after: a root may well
    stand there."""
    stuck: np.ndarray
    """At the same place for 10 frames or more while the body moves away from it."""

    @property
    def any_kind(self) -> np.ndarray:
        """(T, P, J) bool."""
        return self.together | self.zero | self.stuck

    def describe(self) -> str:
        """In words with counts, nothing where nothing was lost."""
        kinds = {"at one point": self.together, "at zero": self.zero, "stuck": self.stuck}
        counts = [f"{int(mask.sum())} {what}" for what, mask in kinds.items() if mask.any()]
        return f"{LOST}: {', '.join(counts)}" if counts else ""


def find_lost(positions: np.ndarray, valid: np.ndarray, layout: Layout) -> Lost:
    """Joints that count as seen but were lost.

    Args:
        positions: (T, P, J, C); valid: (T, P, J) bool.
    """
    together = _together(positions, valid)
    valid = valid & ~together
    zero = _zeros(positions, valid)
    return Lost(together, zero, _stuck(positions, valid & ~zero, layout))


def flat_axes(positions: np.ndarray, valid: np.ndarray) -> str:
    """Axes of (T, P, J, C) whose coordinate is the same for all joints in all frames while others differ, for
    example "z": what became of 2-D positions in a 3-D layout."""
    seen = positions[valid]
    if not len(seen):
        return ""
    constant = np.ptp(seen, axis=0) == 0
    return "" if constant.all() else "".join(np.array(list("xyz"))[: len(constant)][constant])


def _together(positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    seen = valid[..., None]
    count = valid.sum(-1)
    if not (count >= _FEW).any():
        return np.zeros_like(valid)
    extent = np.where(seen, positions, -np.inf).max(2) - np.where(seen, positions, np.inf).min(2)
    extent = extent.max(-1)[count >= _FEW]
    size = float(np.median(extent[extent > 0])) if (extent > 0).any() else 0.0
    # where most joints lie at one point, it is the median of each coordinate
    middle = masked_median(positions, seen, axis=2)[:, :, None]
    near = valid & (np.abs(positions - np.nan_to_num(middle)) <= SAME_POINT * size).all(-1)
    lost = (near.sum(-1) >= _FEW) & (2 * near.sum(-1) > count)
    return np.asarray(near & lost[..., None])


def _zeros(positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    zero = valid & ~positions.any(-1)
    if not zero.any():
        return zero
    others = valid & ~zero
    size = body_size(positions, others)
    if not size > 0:
        return np.zeros_like(zero)
    away = np.linalg.norm(masked_median(positions, others[..., None], axis=2), axis=-1)  # (T, P), NaN: alone
    far = away > size
    # a root that starts at the origin goes on from there; a joint that was lost comes from somewhere else
    distance = np.where(others, np.linalg.norm(positions, axis=-1), np.inf)
    before, after = _held(distance, others), _held(distance[::-1], others[::-1])[::-1]
    nearest = np.minimum(before, after)  # inf where the joint is never anywhere else
    jumps = np.isfinite(nearest) & (nearest > NEAR * size)
    return np.asarray(zero & (far[..., None] | jumps) & others.any(-1, keepdims=True))


def _held(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The last known of values (T, ...) up to each frame; inf before the first."""
    frame = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    last = np.maximum.accumulate(np.where(known, frame, -1), axis=0)
    held = np.take_along_axis(values, last.clip(min=0), axis=0)
    return np.where(last < 0, np.inf, held)


def _stuck(positions: np.ndarray, valid: np.ndarray, layout: Layout) -> np.ndarray:
    stuck = np.zeros_like(valid)
    bones = np.array(layout.bones()).reshape(-1, 2)
    markers = (bones[:, 1] == layout.root).all()  # a list of them has no bones
    if len(positions) < HELD or markers or layout.dims == 2:  # and images shorten bones
        return stuck
    both = valid[1:] & valid[:-1]  # (T-1, P, J)
    moved = (positions[1:] != positions[:-1]).any(-1) & both
    moves = 2 * moved.sum(-1) > both.sum(-1)  # (T-1, P)
    held = both & ~moved & moves[..., None]
    for person, joint in np.argwhere(held.sum(0) >= HELD - 1).tolist():
        neighbors = [a + b - joint for a, b in bones.tolist() if joint in (a, b)]
        away = positions[:, person, [joint]] - positions[:, person, neighbors]
        lengths = np.linalg.norm(away, axis=-1)  # (T, N)
        seen = valid[:, person, [joint]] & valid[:, person, neighbors]
        usual = masked_median(lengths, seen)
        for start, stop in _runs(held[:, person, joint]):
            frames = slice(start, stop + 1)  # a step lies between two frames
            high = np.where(seen[frames], lengths[frames], -np.inf).max(0)
            low = np.where(seen[frames], lengths[frames], np.inf).min(0)
            if stop - start >= HELD - 1 and (high - low > TORN * usual).any():
                stuck[frames, person, joint] = True
    return stuck


def _runs(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    """[start, stop) of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
