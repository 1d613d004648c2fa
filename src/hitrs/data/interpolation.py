"""Positions between frames, of numpy arrays and torch tensors alike (without importing torch)."""

from __future__ import annotations

from typing import Any

import numpy as np


def interpolate(positions: Any, valid: Any, times: Any, last: Any = None) -> tuple[Any, Any]:
    """Positions and validity at times between frames, on straight lines from one frame to the next.

    A joint is valid where it was seen in both neighboring frames, or in the lower one where the time falls on
    it. Times before the first frame or after the last one take that frame. Joints that are not valid have
    some finite position: whoever needs them at 0 sets them to 0.

    Args:
        positions: (T, P, J, C), or a batch (B, T, P, J, C).
        valid: (T, P, J) or (B, T, P, J) bool.
        times: (N,) or (B, N) in frames, ascending or not; tensors where positions are one.
        last: last frame of each sequence of a padded batch, (B, 1); T - 1 where it is left out.
    Returns:
        positions (N, P, J, C) or (B, N, P, J, C) and valid (N, P, J) or (B, N, P, J).

    Example:
        >>> positions = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1)
        >>> halves, seen = interpolate(positions, np.ones((3, 1, 1), bool), np.array([0.5, 2.0]))
        >>> halves.ravel().tolist(), seen.ravel().tolist()
        ([0.5, 2.0], [True, True])
    """
    arrays = isinstance(positions, np.ndarray)
    last = positions.shape[-4] - 1 if last is None else last
    low = np.floor(times).astype(np.int64) if arrays else times.floor().long()
    low = low.clip(min=0).clip(max=last)
    high = (low + 1).clip(max=last)
    weight = (times - low)[..., None, None, None]
    if times.ndim == 2:  # each sequence of a batch has its own times
        rows = (times == times).cumsum(0)[:, :1] - 1  # 0, 1, ... below each other, of either kind
        low, high = (rows, low), (rows, high)
    lower, upper = positions[low], positions[high]
    if arrays:
        between = lower + weight.astype(positions.dtype) * (upper - lower)
    else:
        between = lower.lerp(upper, weight.to(positions.dtype))
    return between, valid[low] & (valid[high] | (weight[..., 0] == 0))
