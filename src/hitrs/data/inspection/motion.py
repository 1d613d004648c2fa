"""What does not move as bodies do, and the measures that this needs (medians over what was seen, sizes).

Jumps, spikes of single joints, frozen joints, repeated frames, bodies that exchange their slots, and left
that becomes right.
"""

from __future__ import annotations

import numpy as np

from hitrs.skeleton.layout import Layout

BLOCK = 1 << 20
"""So many joints are worked on at a time: an hour of motion needs no more memory than a minute."""


def masked_median(values: np.ndarray, seen: np.ndarray, axis: int = 0) -> np.ndarray:
    """Median over an axis of the values that were seen; NaN where none was.

    Args:
        seen: bool, of a shape that broadcasts to that of ``values``.
    """
    seen = np.broadcast_to(seen, values.shape)
    ordered = np.sort(np.where(seen, values, np.inf), axis=axis)
    count = seen.sum(axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[axis] - 1), axis)
    with np.errstate(invalid="ignore"):  # both are infinite where nothing was seen
        return np.squeeze(np.where(count > 0, low + (high - low) / 2, np.nan), axis)


def body_size(positions: np.ndarray, valid: np.ndarray) -> float:
    """Median over the bodies of (T, P, J, C) of the longest side of the box around the seen joints.

    NaN if nobody was seen.
    """
    bodies = valid.any(-1)
    if not bodies.any():
        return float("nan")
    seen = valid[bodies][..., None]
    joints = positions[bodies]  # (N, J, C)
    high = np.where(seen, joints, -np.inf).max(1)
    low = np.where(seen, joints, np.inf).min(1)
    return float(np.median((high - low).max(-1)))


def body_centers(positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(T, P, C) median over the seen joints: where a body is, whichever joints it lacks; NaN without any."""
    return masked_median(positions, valid[..., None], axis=2)


def longest_run(flags: np.ndarray) -> np.ndarray:
    """Length of the longest run of True along the first axis: (T, ...) bool -> (...) int."""
    place = np.arange(1, len(flags) + 1).reshape(-1, *[1] * (flags.ndim - 1))
    last_false = np.maximum.accumulate(np.where(flags, 0, place), axis=0)
    return np.asarray((place - last_false).max(0, initial=0))


JUMP = 0.5
"""A body that moves by more than this part of its size from one frame to the next has jumped: at 25 frames a
second that is 20 m/s for an adult, twice the speed of the fastest sprinter."""
SPIKE = 0.2
"""A joint that stands farther than this part of the body's size from its median over five frames, seen from
the body, is a spike. A fast hand or foot (10 m/s) that turns round moves by less within those frames."""
STANDS_OUT = 3.0
"""And it stands so many times farther away than half of those frames: in fast movements all stand apart."""
CROWD = 1 / 3
"""Where more than this part of a body's joints are spikes in one frame, the pose is wrong, not a joint."""
REACH = 2
"""Frames on each side that make that median: spikes of up to two frames stand out from it."""
HELD = 10
"""A joint that keeps its exact place for so many frames while the body moves is frozen: what a tracker puts
out for a joint that it has lost. Measured joints tremble."""


def find_jumps(positions: np.ndarray, valid: np.ndarray, size: float) -> np.ndarray:
    """(T, P) bool: the body stands far from where it was in the frame before. Median over joints, so that a
    single joint is no jump."""
    jumped = np.zeros(valid.shape[:2], bool)
    if len(positions) > 1 and size > 0:
        both = valid[1:] & valid[:-1]
        step = masked_median(np.diff(positions, axis=0), both[..., None], axis=2)  # (T-1, P, C), NaN unseen
        jumped[1:] = np.linalg.norm(step, axis=-1) > JUMP * size
    return jumped


def find_spikes(positions: np.ndarray, valid: np.ndarray, size: float, factor: float = SPIKE) -> np.ndarray:
    """(T, P, J) bool: joints that leave their place on the body for a frame or two, and return.

    The measure is the distance from the median over the frames around (a Hampel filter with a limit relative
    to the body too), in coordinates that move with the body. At least three of the five frames must be seen.
    Where a whole pose is wrong for a frame or two, many joints are spikes (see ``find_breaks``).
    """
    frames = len(positions)
    spikes = np.zeros(valid.shape, bool)
    if frames < 3 or not size > 0:
        return spikes
    step = max(1, BLOCK // (valid[0].size * (2 * REACH + 1)))
    for start in range(0, frames, step):
        stop = min(frames, start + step)
        low, high = max(0, start - REACH), min(frames, stop + REACH)
        spikes[start:stop] = _spikes(positions[low:high], valid[low:high], factor * size)[
            start - low : stop - low
        ]
    return spikes


def _spikes(positions: np.ndarray, valid: np.ndarray, limit: float) -> np.ndarray:
    centers = np.nan_to_num(body_centers(positions, valid))  # where nobody is, nothing is seen
    place = positions - centers[:, :, None]  # (T, P, J, C)
    margin = [(REACH, REACH)] + [(0, 0)] * 2
    window = np.lib.stride_tricks.sliding_window_view(
        np.pad(place, [*margin, (0, 0)]), 2 * REACH + 1, axis=0
    )  # (T, P, J, C, 5)
    seen = np.lib.stride_tricks.sliding_window_view(np.pad(valid, margin), 2 * REACH + 1, axis=0)
    usual = masked_median(window, seen[..., None, :], axis=-1)  # (T, P, J, C)
    away = np.linalg.norm(place - usual, axis=-1)
    spikes = (away > limit) & valid & (seen.sum(-1) > REACH)
    if spikes.any():  # rarely: then what the others do is looked at too
        at = np.nonzero(spikes)
        others = np.linalg.norm(window[at] - usual[at][..., None], axis=-2)  # (N, 5)
        spikes[at] = away[at] > STANDS_OUT * masked_median(others, seen[at], axis=-1)
    return spikes


def find_breaks(spikes: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(T, P) bool: frames in which so many joints are spikes that the pose as a whole is another one: a wrong
    body, or the calibration pose with which some recordings begin."""
    return np.asarray(spikes.sum(-1) > CROWD * np.maximum(valid.sum(-1), 1))


def find_frozen(positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(P, J) int: for how many frames at most a joint kept its exact place while most of the body moved."""
    if len(positions) < 2:
        return np.zeros(valid.shape[1:], int)
    both = valid[1:] & valid[:-1]  # (T-1, P, J)
    moved = (positions[1:] != positions[:-1]).any(-1) & both
    moves = moved.sum(-1) * 2 > both.sum(-1)  # (T-1, P)
    runs = longest_run(both & ~moved & moves[..., None])
    return np.where(runs > 0, runs + 1, 0)


def find_repeats(positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(T,) bool: frames with somebody in them that are exact copies of the frame before."""
    repeated = np.zeros(len(positions), bool)
    same = (positions[1:] == positions[:-1]).all((1, 2, 3)) & (valid[1:] == valid[:-1]).all((1, 2))
    repeated[1:] = same & valid[1:].any((1, 2))
    return repeated


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
    swaps = []
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
                swaps.append((start + t, a, b))
    return np.array(sorted(swaps), int).reshape(-1, 3)


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
