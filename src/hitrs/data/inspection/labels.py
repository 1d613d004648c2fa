"""What labels, splits and notes say: glitches of segments, classes nobody trains, notes that repeat."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from hitrs.data.names import natural_order
from hitrs.data.store import Store

GLITCH = 4
"""Frames; a labeled stretch as short as that (0.13 s at 30 frames a second) is no action but a slip."""


def label_glitches(store: Store) -> dict[str, int]:
    """Recording -> labeled stretches of at most four frames."""
    return _per_recording(store, lambda rows: int((rows[:, 1] - rows[:, 0] <= GLITCH).sum()))


def overlaps(store: Store) -> dict[str, int]:
    """Recording -> labeled stretches that begin before an earlier one has ended."""

    def count(rows: np.ndarray) -> int:
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        return int((rows[1:, 0] < np.maximum.accumulate(rows[:, 1])[:-1]).sum())

    return _per_recording(store, count)


def _per_recording(store: Store, count: Callable[[np.ndarray], int]) -> dict[str, int]:
    found = {}
    for index in np.flatnonzero(store.segment_counts).tolist():
        rows = np.array([(segment.start, segment.stop) for segment in store.segments(index)])
        if number := count(rows):
            found[store.name(index)] = number
    return found


def class_counts(store: Store) -> dict[str, int]:
    """Recordings, or labeled stretches of untrimmed ones, of each class."""
    return _tally(store, range(len(store)))


def untrained_classes(store: Store) -> dict[str, tuple[str, ...]]:
    """Protocol -> classes that its test part shows and its training part does not."""
    found = {}
    for protocol in store.protocols:
        train = _tally(store, store.split(protocol, "train").tolist())
        test = _tally(store, store.split(protocol, "test").tolist())
        found[protocol] = tuple(name for name in store.classes if test[name] and not train[name])
    return found


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
