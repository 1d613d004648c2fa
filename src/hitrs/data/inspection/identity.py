"""Who is who, and which side is which: bodies that exchange slots, and left that becomes right."""

from __future__ import annotations

import numpy as np

from hitrs.data.inspection.measures import BLOCK
from hitrs.skeleton.layout import Layout

SHORTER = 0.5
"""An exchange is believed where it makes the movement at least so much shorter."""
LEAST = 0.1
"""Movements shorter than this part of a body's size, as a mean over joints, are never taken for an exchange:
bodies that touch, or feet that stand together, are near each other anyway."""
ABSENT = 0.25
"""What it costs, in sizes of a body, that a body appears or goes: from nearer than this it is taken for the
one that went from the other slot in the same moment."""


def find_swaps(positions: np.ndarray, valid: np.ndarray, size: float) -> np.ndarray:
    """(N, 3) int rows (frame, a, b): from this frame on, the bodies of slots a and b are exchanged.

    Each frame is compared with the one before; bodies that are gone for a while are not followed.
    """
    frames, persons = valid.shape[:2]
    found = []
    if persons < 2 or frames < 2 or not size > 0:
        return np.zeros((0, 3), int)
    step = max(1, BLOCK // (valid[0].size * persons))
    for start in range(1, frames, step):
        stop = min(frames, start + step)
        cost = _costs(positions[start - 1 : stop], valid[start - 1 : stop], size)  # (t, P, P)
        own = np.diagonal(cost, axis1=1, axis2=2)
        stay, swap = own[:, :, None] + own[:, None], cost + np.swapaxes(cost, 1, 2)
        wins = (swap < SHORTER * stay) & (stay > 2 * LEAST * size)
        taken: dict[int, set[int]] = {}  # a body changes its place once in a frame
        rows = [(float(swap[t, a, b]), t, a, b) for t, a, b in np.argwhere(wins).tolist() if a < b]
        for _, t, a, b in sorted(rows):
            if not taken.setdefault(t, set()) & {a, b}:
                taken[t] |= {a, b}
                found.append((start + t, a, b))
    return np.array(sorted(found), int).reshape(-1, 3)


def _costs(positions: np.ndarray, valid: np.ndarray, size: float) -> np.ndarray:
    """(T-1, P, P): mean distance of body a in one frame from body b in the next, over joints seen in both."""
    both = valid[:-1, :, None] & valid[1:, None]  # (T-1, P, P, J)
    away = np.linalg.norm(positions[:-1, :, None] - positions[1:, None], axis=-1)
    count = both.sum(-1)
    cost = (away * both).sum(-1) / np.maximum(count, 1)
    present = np.any(valid, axis=-1)
    neither = ~present[:-1, :, None] & ~present[1:, None]
    return np.where(count > 0, cost, np.where(neither, 0.0, ABSENT * size))


def find_flips(positions: np.ndarray, valid: np.ndarray, layout: Layout, size: float) -> np.ndarray:
    """(T, P) bool: from this frame on, the left joints of a body stand where the right ones were.

    At least half of the layout's pairs must be seen in this frame and the one before.
    """
    flips = np.zeros(valid.shape[:2], bool)
    if not layout.pairs or len(positions) < 2 or not size > 0:
        return flips
    left, right = np.array(layout.pairs).T
    lefts, rights = positions[:, :, left], positions[:, :, right]  # (T, P, K, C)
    seen = valid[:, :, left] & valid[:, :, right]
    both = seen[1:] & seen[:-1]  # (T-1, P, K)
    count = both.sum(-1)
    stay = ((_far(lefts[1:], lefts[:-1]) + _far(rights[1:], rights[:-1])) * both).sum(-1)
    flip = ((_far(lefts[1:], rights[:-1]) + _far(rights[1:], lefts[:-1])) * both).sum(-1)
    flips[1:] = (flip < SHORTER * stay) & (stay > 2 * LEAST * size * count) & (2 * count >= len(left))
    return flips


def _far(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(one - other, axis=-1))
