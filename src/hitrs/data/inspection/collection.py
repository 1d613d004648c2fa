"""What only shows over all recordings of a store: labels, splits, notes, and duplicates."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection

import numpy as np

from hitrs.data.recording import natural_order
from hitrs.data.store import Store

GLITCH = 4
"""Frames; a labeled segment as short as that (0.13 s at 30 frames a second) is no action but a slip."""


def label_glitches(store: Store) -> dict[str, int]:
    """Recording -> labeled segments of at most four frames."""
    return _per_recording(store, lambda rows: int((rows[:, 1] - rows[:, 0] <= GLITCH).sum()))


def overlaps(store: Store) -> dict[str, int]:
    """Recording -> labeled segments that begin before an earlier one has ended."""

    def count(rows: np.ndarray) -> int:
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        return int((rows[1:, 0] < np.maximum.accumulate(rows[:, 1])[:-1]).sum())

    return _per_recording(store, count)


def _per_recording(store: Store, count: Callable[[np.ndarray], int]) -> dict[str, int]:
    numbers = {}
    for index in np.flatnonzero(store.segment_counts).tolist():
        rows = np.array([(segment.start, segment.stop) for segment in store.segments(index)])
        if number := count(rows):
            numbers[store.name(index)] = number
    return numbers


def class_counts(store: Store) -> dict[str, int]:
    """Recordings, or labeled segments of untrimmed ones, of each class."""
    return _tally(store, np.arange(len(store)))


def untrained_classes(store: Store) -> dict[str, tuple[str, ...]]:
    """Protocol -> classes that its test part shows and its training part does not."""
    untrained = {}
    for protocol in store.protocols:
        train, test = (_tally(store, store.split(protocol, part)) for part in ("train", "test"))
        untrained[protocol] = tuple(name for name in store.classes if test[name] and not train[name])
    return untrained


def _tally(store: Store, indices: np.ndarray) -> dict[str, int]:
    labels = np.asarray(store.labels)[indices]
    counts = np.bincount(labels[labels >= 0], minlength=len(store.classes))
    number = {name: place for place, name in enumerate(store.classes)}
    for index in indices[store.segment_counts[indices] > 0].tolist():
        for segment in store.segments(index):
            counts[number[segment.label]] += 1
    return dict(zip(store.classes, counts.tolist(), strict=True))


def shared_subjects(store: Store, protocol: str) -> tuple[str, ...]:
    """Subjects that stand in both parts (in a cross-view protocol that is meant)."""
    train, test = (
        set(np.unique(store.subjects[store.split(protocol, part)]).tolist()) - {-1}
        for part in ("train", "test")
    )
    return tuple(sorted((store.subject_names[s] for s in train & test), key=natural_order))


def summarize_notes(store: Store) -> dict[str, int]:
    """What readers and cleaning noted -> in how many recordings; different numbers make no difference."""
    groups: dict[str, set[int]] = defaultdict(set)
    for index in store.with_notes.tolist():
        for note in store.notes(index):
            groups[re.sub(r"\d+(\.\d+)?", "N", note)].add(index)
    # A note that says the same of all recordings is shown with its numbers.
    shown = {}
    for pattern, indices in groups.items():
        originals = {
            note
            for index in indices
            for note in store.notes(index)
            if re.sub(r"\d+(\.\d+)?", "N", note) == pattern
        }
        shown[originals.pop() if len(originals) == 1 else pattern] = len(indices)
    return dict(sorted(shown.items(), key=lambda item: -item[1]))


CLOSE = 1e-3
"""Two recordings are the same if, each around the mean of its joints, no coordinate differs by more than this
part of the body's spread (its mean distance from that point): about a millimeter for an adult in meters."""


def exact_duplicates(store: Store, left_out: Collection[int]) -> list[list[int]]:
    """Groups of recordings of the same content; ``left_out`` are those without any (nobody is seen)."""
    order = np.argsort(store.digests, kind="stable")
    digests = store.digests[order]
    starts = np.concatenate([[0], np.flatnonzero(digests[1:] != digests[:-1]) + 1, [len(order)]])
    several = np.flatnonzero(np.diff(starts) > 1)
    groups = [order[starts[n] : starts[n + 1]].tolist() for n in several.tolist()]
    return sorted(group for group in groups if not any(index in left_out for index in group))


def trace_of(positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(C,) mean distances of the seen joints from their mean by axis: nearly the same for near duplicates."""
    seen = positions[valid]
    if not len(seen):
        return np.full(positions.shape[-1], np.nan)
    return np.asarray(np.abs(seen - seen.mean(0, dtype=np.float64)).mean(0))


def near_duplicates(store: Store, which: np.ndarray, traces: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of recordings that are the same but for a shift and rounding, and are not exact duplicates.

    Only recordings ``which`` are compared, and read if they are of the same shape and their traces (N, C)
    agree.
    """
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place in np.flatnonzero(~np.isnan(traces).any(1) & (traces > 0).any(1)).tolist():
        groups[int(store.frames[which[place]]), int(store.persons[which[place]])].append(place)
    pairs = []
    for places in groups.values():
        ordered = sorted(places, key=lambda place: float(traces[place, 0]))
        first = traces[ordered, 0]
        spread = traces[ordered].mean(1)
        ends = np.searchsorted(first, first + CLOSE * spread, side="right")
        for rank, end in enumerate(ends.tolist()):
            one = ordered[rank]
            # A crowd of near traces (bodies that hold still alike) is not compared pair by pair.
            for other in ordered[rank + 1 : min(end, rank + 20)]:
                close = np.abs(traces[one] - traces[other]).max() <= CLOSE * spread[rank]
                a, b = sorted((int(which[one]), int(which[other])))
                if close and store.digests[a] != store.digests[b] and _same(store, a, b):
                    pairs.append((a, b))
    return sorted(pairs)


def _same(store: Store, one: int, other: int) -> bool:
    valid = store.valid(one)
    if not np.array_equal(valid, store.valid(other)):
        return False
    a, b = store.positions(one)[valid], store.positions(other)[valid]
    a, b = a - a.mean(0, dtype=np.float64), b - b.mean(0, dtype=np.float64)
    return bool(np.abs(a - b).max() <= CLOSE * max(float(np.abs(a).mean()), 1e-12))
