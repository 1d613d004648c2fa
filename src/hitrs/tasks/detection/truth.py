"""Labels: of segments and of frames, from a dataset, a store, a ``segments.csv`` or PKU-MMD text.

Where labeled segments overlap, a frame can carry only one label: the segment that starts later wins, and of
two that start together the shorter one. An action that begins during another is thus seen, and the other goes
on behind it. Scores of segments (mAP and the like) see both whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

import numpy as np

from hitrs.data.catalog.label_files import read_segments, to_segments
from hitrs.data.recording import Recording, Segment, fit_segments
from hitrs.data.store import Store
from hitrs.data.store_files import is_store
from hitrs.errors import DataError, located
from hitrs.tasks.detection.files import read_pku
from hitrs.tasks.detection.segments import Proposal
from hitrs.transforms.dataset import SkeletonDataset


def to_proposals(segments: Sequence[Segment], frames: int, classes: Sequence[str]) -> list[Proposal]:
    """Checked segments with the index of their class, by start, then stop.

    Raises:
        DataError: for a segment that is reversed, empty or not within the recording, or a name that is no
            class. The caller knows the file: ``with located(file): ...``.
    """
    index = {name: number for number, name in enumerate(classes)}
    proposals = []
    for segment in segments:
        where = f"segment '{segment.label}', frames {segment.start} to {segment.stop}"
        if segment.label not in index:
            near = get_close_matches(segment.label, classes, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(classes)}"
            raise DataError(f"{where}: there is no such class; {hint}")
        if segment.stop <= segment.start:
            raise DataError(f"{where}: the first frame must come before the last")
        if segment.start < 0 or segment.stop > frames:
            raise DataError(
                f"{where}: the recording ends at frame {frames}; is this the label file of another "
                "recording, or of another frame rate?"
            )
        proposals.append(Proposal(segment.start, segment.stop, index[segment.label]))
    return sorted(proposals, key=lambda p: (p.start, p.stop))


def frame_labels(segments: Sequence[Segment], frames: int, classes: Sequence[str]) -> np.ndarray:
    """(T,) int64: the class of each frame, ``len(classes)`` for background.

    Raises:
        DataError: as ``to_proposals``.
    """
    labels = np.full(frames, len(classes), dtype=np.int64)
    for segment in sorted(to_proposals(segments, frames, classes), key=lambda p: (p.start, -p.stop)):
        labels[segment.start : segment.stop] = segment.label
    return labels


def true_segments(dataset: SkeletonDataset, classes: Sequence[str]) -> list[list[Proposal]]:
    """The labeled segments of every recording, as indices of ``classes``."""
    store = dataset.store
    return [to_proposals(store.segments(int(i)), int(store.frames[i]), classes) for i in dataset.indices]


def true_labels(dataset: SkeletonDataset, classes: Sequence[str]) -> list[np.ndarray]:
    """The label (T,) of every frame of every recording, as an index of ``classes``, background last."""
    store = dataset.store
    return [frame_labels(store.segments(int(i)), int(store.frames[i]), classes) for i in dataset.indices]


Labeler: TypeAlias = Callable[[Recording], Recording]
"""Puts the labeled segments into a recording."""


def read_truth(path: Path, classes: Sequence[str]) -> Labeler:
    """The labels of a store, a ``segments.csv`` or PKU-MMD text, for recordings of these names.

    PKU-MMD text names no recording and is for any single one. The segments are checked against the classes
    and the length of the recording.

    Raises:
        DataError: if the file cannot be read; the result for a recording that has no labels in it, or for
            labels that are reversed, outside of the recording, or of an unknown class.
    """
    if path.is_dir() or is_store(path):
        segments_of = _of_store(path)
    elif path.suffix.lower() == ".csv":
        segments_of = _of_table(path)
    else:
        segments_of = _of_text(path, classes)

    def labeled(recording: Recording) -> Recording:
        listed = segments_of(recording)
        if listed is None:
            raise DataError(f"{path} has no labels for the recording '{recording.name}'.")
        segments, notes = fit_segments(listed, recording.n_frames)
        with located(path):
            to_proposals(segments, recording.n_frames, classes)
        return dataclasses.replace(recording, segments=segments, notes=(*recording.notes, *notes))

    return labeled


def _of_store(path: Path) -> Callable[[Recording], tuple[Segment, ...] | None]:
    store = Store.open(path)
    index = {store.name(i): i for i in range(len(store))}
    return lambda recording: store.segments(index[recording.name]) if recording.name in index else None


def _of_table(path: Path) -> Callable[[Recording], tuple[Segment, ...] | None]:
    rows = read_segments(path)

    def segments(recording: Recording) -> tuple[Segment, ...] | None:
        names = {recording.name, Path(recording.source).as_posix()}
        own = [row for row in rows if {row.file, Path(row.file).with_suffix("").as_posix()} & names]
        return to_segments(own, recording.n_frames, recording.fps, path) if own else None

    return segments


def _of_text(path: Path, classes: Sequence[str]) -> Callable[[Recording], tuple[Segment, ...] | None]:
    proposals = read_pku(path, len(classes))
    segments = tuple(Segment(p.start, p.stop, classes[p.label]) for p in proposals)
    return lambda _: segments
