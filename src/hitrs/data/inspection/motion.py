"""What does not move as bodies do: jumps, spikes of single joints, frozen joints, repeated frames."""

from __future__ import annotations

import numpy as np

from hitrs.data.inspection.measures import BLOCK, body_centers, longest_run, masked_median

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
