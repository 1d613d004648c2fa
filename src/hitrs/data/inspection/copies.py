"""Recordings that stand in a store twice: exactly, or but for a shift and rounding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import numpy as np

from hitrs.data.store import Store

CLOSE = 1e-3
"""Two recordings are the same if, each around the mean of its joints, no coordinate differs by more than this
part of the body's spread (its mean distance from that point): about a millimeter for an adult in meters."""


def exact_copies(store: Store, left_out: Collection[int]) -> list[list[int]]:
    """Groups of recordings of the same content; ``left_out`` are those without any (nobody is seen)."""
    groups = defaultdict(list)
    for index, digest in enumerate(store.digests.tolist()):
        groups[digest].append(index)
    return [group for group in groups.values() if len(group) > 1 and group[0] not in left_out]


def trace_of(positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(C,) mean distances of the seen joints from their mean by axis: nearly the same for near copies."""
    seen = positions[valid]
    if not len(seen):
        return np.full(positions.shape[-1], np.nan)
    return np.asarray(np.abs(seen - seen.mean(0, dtype=np.float64)).mean(0))


def near_copies(store: Store, traces: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of recordings that are the same but for a shift and rounding, and are not exact copies.

    Only recordings of the same shape whose traces (N, C) agree are read and compared.
    """
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index in np.flatnonzero(~np.isnan(traces).any(1) & (traces > 0).any(1)).tolist():
        groups[int(store.frames[index]), int(store.persons[index])].append(index)
    pairs = []
    for indices in groups.values():
        ordered = sorted(indices, key=lambda index: float(traces[index, 0]))
        first = traces[ordered, 0]
        spread = traces[ordered].mean(1)
        ends = np.searchsorted(first, first + CLOSE * spread, side="right")
        for place, end in enumerate(ends.tolist()):
            one = ordered[place]
            # A crowd of near traces (bodies that hold still alike) is not compared pair by pair.
            for other in ordered[place + 1 : min(end, place + 20)]:
                close = np.abs(traces[one] - traces[other]).max() <= CLOSE * spread[place]
                if close and store.digests[one] != store.digests[other] and _same(store, one, other):
                    pairs.append((min(one, other), max(one, other)))
    return sorted(pairs)


def _same(store: Store, one: int, other: int) -> bool:
    valid = store.valid(one)
    if not np.array_equal(valid, store.valid(other)):
        return False
    a, b = store.positions(one)[valid], store.positions(other)[valid]
    a, b = a - a.mean(0, dtype=np.float64), b - b.mean(0, dtype=np.float64)
    return bool(np.abs(a - b).max() <= CLOSE * max(float(np.abs(a).mean()), 1e-12))
