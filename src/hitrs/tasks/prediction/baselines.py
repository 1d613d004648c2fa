"""Predictions that need no training: the last pose stands still, or every joint goes on as it last moved."""

from __future__ import annotations

import numpy as np


def filled(positions: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, ..., J, C) where an unseen joint stands where it was last seen, or is first seen later.

    Returns:
        the positions, and (..., J) bool: joints that were seen at all.
    """
    frames = np.arange(len(valid)).reshape(-1, *[1] * (valid.ndim - 1))
    last = np.maximum.accumulate(np.where(valid, frames, -1), axis=0)
    first = np.where(valid.any(0), valid.argmax(0), 0)
    index = np.where(last >= 0, last, first)  # (T, ..., J)
    return np.take_along_axis(positions, index[..., None], axis=0), np.asarray(valid.any(0))


def zero_velocity(positions: np.ndarray, valid: np.ndarray, predicted: int) -> tuple[np.ndarray, np.ndarray]:
    """The last observed pose, ``predicted`` times.

    Args:
        positions: observed, (T, ..., J, C); valid: (T, ..., J).
    Returns:
        positions (H, ..., J, C) and valid (H, ..., J): joints that were seen at all.
    """
    held, seen = filled(positions, valid)
    return np.repeat(held[-1:], predicted, axis=0), np.repeat(seen[None], predicted, axis=0)


def constant_velocity(
    positions: np.ndarray, valid: np.ndarray, predicted: int
) -> tuple[np.ndarray, np.ndarray]:
    """Every joint goes on by the step between the last two frames; as :func:`zero_velocity`."""
    held, seen = filled(positions, valid)
    step = held[-1] - held[-2] if len(held) > 1 else np.zeros_like(held[-1])
    times = np.arange(1, predicted + 1, dtype=held.dtype).reshape(-1, *[1] * step.ndim)
    return held[-1] + times * step, np.repeat(seen[None], predicted, axis=0)


BASELINES = {"zero velocity": zero_velocity, "constant velocity": constant_velocity}
