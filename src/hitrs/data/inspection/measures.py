"""What all findings measure with: medians over what was seen, the size of a body, distances of bodies."""

from __future__ import annotations

import numpy as np

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
