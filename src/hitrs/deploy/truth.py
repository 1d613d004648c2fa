"""Labels to compare what was found with: a store, a ``segments.csv``, or PKU-MMD text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from hitrs.data.catalog.segment_table import read_segments, to_segments
from hitrs.data.recording import Recording, Segment
from hitrs.data.store import Store
from hitrs.errors import DataError, located
from hitrs.tasks.detection.boundaries import numbered
from hitrs.tasks.detection.pku_text import read_proposals

Truth: TypeAlias = Callable[[Recording], Recording]
"""Puts the labeled segments into a recording."""


def read_truth(path: Path, classes: Sequence[str]) -> Truth:
    """What labels there are for recordings, found by their names; PKU-MMD text is for any one recording.

    The segments are checked against the classes and the length of the recording.

    Raises:
        DataError: if the file cannot be read; the result for a recording that has no labels in it, or for
            labels that are reversed, outside of the recording, or of an unknown class.
    """
    if path.is_dir():
        segments = _of_store(path)
    elif path.suffix.lower() == ".csv":
        segments = _of_table(path)
    else:
        segments = _of_text(path, classes)

    def labeled(recording: Recording) -> Recording:
        found = segments(recording)
        if found is None:
            raise DataError(f"{path} says nothing about the recording '{recording.name}'.")
        with located(path):
            numbered(found, recording.n_frames, classes)
        return dataclasses.replace(recording, segments=found)

    return labeled


def _of_store(path: Path) -> Callable[[Recording], tuple[Segment, ...] | None]:
    store = Store.open(path)
    index = {store.name(i): i for i in range(len(store))}
    return lambda recording: store.segments(index[recording.name]) if recording.name in index else None


def _of_table(path: Path) -> Callable[[Recording], tuple[Segment, ...] | None]:
    stretches = read_segments(path)

    def segments(recording: Recording) -> tuple[Segment, ...] | None:
        names = {recording.name, Path(recording.source).as_posix()}
        own = [each for each in stretches if {each.file, Path(each.file).with_suffix("").as_posix()} & names]
        return to_segments(own, recording.n_frames, recording.fps, path) if own else None

    return segments


def _of_text(path: Path, classes: Sequence[str]) -> Callable[[Recording], tuple[Segment, ...] | None]:
    proposals = read_proposals(path, len(classes))
    segments = tuple(Segment(each.start, each.stop, classes[each.label]) for each in proposals)
    return lambda _: segments
