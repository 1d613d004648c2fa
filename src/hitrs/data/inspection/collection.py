"""What only shows over all recordings of a store: labels, splits, notes, and duplicates."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable

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
    return _tally(store, range(len(store)))


def untrained_classes(store: Store) -> dict[str, tuple[str, ...]]:
    """Protocol -> classes that its test part shows and its training part does not."""
    untrained = {}
    for protocol in store.protocols:
        train = _tally(store, store.split(protocol, "train").tolist())
        test = _tally(store, store.split(protocol, "test").tolist())
        untrained[protocol] = tuple(name for name in store.classes if test[name] and not train[name])
    return untrained


def _tally(store: Store, indices: Iterable[int]) -> dict[str, int]:
    counts = Counter[str]()
    segmented = store.segment_counts
    for index in indices:
        if store.labels[index] >= 0:
            counts[store.classes[store.labels[index]]] += 1
        if segmented[index]:
            counts.update(segment.label for segment in store.segments(index))
    return {name: counts[name] for name in store.classes}


def shared_subjects(store: Store, protocol: str) -> tuple[str, ...]:
    """Subjects that stand in both parts (in a cross-view protocol that is meant)."""
    train, test = (
        set(store.subjects[store.split(protocol, part)].tolist()) - {-1} for part in ("train", "test")
    )
    return tuple(sorted((store.subject_names[s] for s in train & test), key=natural_order))


def summarize_notes(store: Store) -> dict[str, int]:
    """What readers and cleaning noted -> in how many recordings; different numbers make no difference."""
    groups: dict[str, set[int]] = defaultdict(set)
    for index in range(len(store)):
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
    groups = defaultdict(list)
    for index, digest in enumerate(store.digests.tolist()):
        groups[digest].append(index)
    return [group for group in groups.values() if len(group) > 1 and group[0] not in left_out]


def trace_of(positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(C,) mean distances of the seen joints from their mean by axis: nearly the same for near duplicates."""
    seen = positions[valid]
    if not len(seen):
        return np.full(positions.shape[-1], np.nan)
    return np.asarray(np.abs(seen - seen.mean(0, dtype=np.float64)).mean(0))


def near_duplicates(store: Store, traces: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of recordings that are the same but for a shift and rounding, and are not exact duplicates.

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
