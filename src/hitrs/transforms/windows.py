"""Windows: which frames make up the clips of a recording.

A body of T frames is thought of as padded with ``pad`` frames on each side (half a window in the paper), F =
T + 2 pad frames in all. Window n starts at padded frame ``n * stride`` and takes every ``dilation``-th frame
from there; an index past the end repeats the last padded frame. The last window is the first one that both
reaches the last real frame with its final index and whose successor would run over the end (Hi-TRS, released
pre-training code).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


@lru_cache(maxsize=4096)
def window_table(
    frames: int, window: int = 7, stride: int = 7, dilation: int = 2, pad: int = 6
) -> np.ndarray:
    """Padded frame indices of every window of a body of ``frames`` frames, (N, W) int64, read-only.

    With stride 1 there are exactly ``frames`` windows, with stride 7 and W = 7 there are ceil(frames / 7).
    """
    if frames < 1:
        raise ValueError(f"a body needs at least one frame, got {frames}")
    span = (window - 1) * dilation
    last = frames + 2 * pad - 1
    # both stopping conditions in closed form: b + span >= last - pad, and b + stride + span > last
    start = max(0, last - pad - span, last - span - stride + 1)
    count = -(-start // stride) + 1
    starts = np.arange(count, dtype=np.int64) * stride
    table = np.minimum(starts[:, None] + np.arange(window, dtype=np.int64) * dilation, last)
    table.setflags(write=False)
    return table


def batch_windows(
    lengths: Tensor, window: int, stride: int, dilation: int, pad: int
) -> tuple[Tensor, Tensor]:
    """Windows of a batch, packed: no row for a window that a shorter sequence does not have.

    Args:
        lengths: frames of each sequence, (S,) int64.
    Returns:
        frames: padded frame indices, (K, W) int64 with K the windows of all sequences together, in order.
        counts: windows of each sequence, (S,) int64; they sum to K.
    """
    tables = [window_table(int(n), window, stride, dilation, pad) for n in lengths.tolist()]
    counts = torch.tensor([len(t) for t in tables], dtype=torch.int64)
    joined = np.concatenate([np.empty((0, window), np.int64), *tables])  # also of no sequence at all
    return torch.from_numpy(joined).to(lengths.device), counts.to(lengths.device)
