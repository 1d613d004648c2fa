"""What the scorers share: overlap in time, and average precision of a ranking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

THETAS = tuple(round(0.05 * step, 2) for step in range(2, 20))
"""Least overlaps that are reported: 0.1, 0.15, ..., 0.95."""


def iou(first: Sequence[tuple[int, int]] | np.ndarray, second: Sequence[tuple[int, int]]) -> np.ndarray:
    """Intersection over union (N, M) of intervals (N, 2) and (M, 2); 1 for two equal points."""
    a = np.asarray(first, dtype=np.float64).reshape(-1, 1, 2)
    b = np.asarray(second, dtype=np.float64).reshape(1, -1, 2)
    shared = np.maximum(np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0]), 0.0)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - shared
    same = (a == b).all(-1).astype(np.float64)
    return np.divide(shared, union, out=same, where=union > 0)


def interpolated_ap(hits: np.ndarray, total: int) -> float:
    """Average precision by all-point interpolation.

    At each recall the precision is the best one at that recall or a higher one (PASCAL VOC since 2010).

    Args:
        hits: (N,) bool, by falling confidence: whether the proposal finds a truth that was not found yet.
        total: number of truths, at least 1.
    """
    hits = np.asarray(hits, dtype=np.float64)
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((best * hits).sum() / total)
