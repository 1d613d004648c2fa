"""PKU-MMD I and II: untrimmed sequences of one or two persons from three Kinects v2, with labeled actions.

Skeleton and label files have the same name and lie in folders of their own: 0002-L.txt in I, A01N02-L.txt in
II, for the views left, middle and right. Names of the 51 classes are not in the files; the classes carry
their numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from hitrs.data.catalog.dataset import (
    Dataset,
    Entry,
    Facts,
    SourceFile,
    by_recording,
    incomplete,
    natural_order,
)
from hitrs.data.catalog.lists import read_list
from hitrs.data.formats.format import Head
from hitrs.data.formats.pku_mmd import FORMAT, read_labels, read_pku_mmd
from hitrs.data.recording import Recording, Segment
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

CLASSES = tuple(str(number) for number in range(1, 52))
SEQUENCES = {1: 1076, 2: 1009}
TOLERANCE = 30
"""Frames by which a label may run over the end of its recording: it is cut there, and a note says so."""
_FILES = {1: re.compile(r"\d{4}-([LMR])\.txt"), 2: re.compile(r"A\d{2}N\d{2}-([LMR])\.txt")}


def cross_subject(recording: Facts) -> str | None:
    """The lists of PKU-MMD I; a sequence that stands on neither is left out."""
    name = recording.name
    if name in read_list("pku_mmd1_cross_subject_train"):
        return "train"
    return "test" if name in read_list("pku_mmd1_cross_subject_test") else None


def cross_view(recording: Facts) -> str:
    """The middle and right view train, the left one tests."""
    return "test" if recording.camera == "L" else "train"


def _find(source: Path, version: int) -> Dataset | None:
    """The skeletons below ``source`` and their labels, or None if there are none of this version."""
    folders: dict[Path, list[Path]] = {}
    for path in sorted(source.rglob("*.txt"), key=lambda path: natural_order(path.as_posix())):
        if _FILES[version].fullmatch(path.name):
            folders.setdefault(path.parent, []).append(path)
    skeletons: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for files in folders.values():
        kind = skeletons if FORMAT.matches(Head.of(files[0])) else labels
        for path in files:
            kind.setdefault(path.stem, path)
    if not skeletons:
        return None
    notes = incomplete(len(skeletons), SEQUENCES[version])
    unlabeled = sum(name not in labels for name in skeletons)
    if unlabeled:
        notes.append(f"{unlabeled} sequences have no label file; they are imported without labels")
    protocols: dict[str, Callable[[Facts], str | None]] = {"cross-view": cross_view}
    if version == 1:
        protocols = {"cross-subject": cross_subject, **protocols}
    return Dataset(
        name=f"pku-mmd{version}",
        layout=get_layout("ntu25"),
        classes=CLASSES,
        sources=[
            SourceFile(path, partial(_read, source, path, labels.get(name)))
            for name, path in skeletons.items()
        ],
        split=by_recording(protocols),
        meta={"title": f"PKU-MMD {'I' * version}"},
        notes=notes,
    )


def _read(source: Path, path: Path, labels: Path | None) -> Iterable[Recording]:
    recording = read_pku_mmd(path)
    notes: list[str] = []
    segments = [] if labels is None else _segments(labels, recording.n_frames, notes)
    return (
        replace(
            recording,
            segments=tuple(segments),
            camera=path.stem[-1],
            source=path.relative_to(source).as_posix(),
            notes=(*recording.notes, *notes),
        ),
    )


def _segments(labels: Path, n_frames: int, notes: list[str]) -> list[Segment]:
    segments = []
    for each in sorted(read_labels(labels), key=lambda each: (each.start, each.stop)):
        if each.label not in CLASSES:
            raise DataError(f"{labels}: there is no class {each.label}; classes are 1 to {len(CLASSES)}.")
        if each.start >= n_frames or each.stop > n_frames + TOLERANCE:
            raise DataError(
                f"{labels}: class {each.label} stands in frames {each.start + 1} to {each.stop}, but the "
                f"skeletons "
                f"have {n_frames} frames; is this the label file of another sequence?"
            )
        if each.stop > n_frames:
            notes.append(
                f"the label of class {each.label} was cut by {each.stop - n_frames} frames at the end"
            )
        segments.append(Segment(each.start, min(each.stop, n_frames), each.label))
    return segments


def _entry(version: int, about: str, files: str, protocols: dict[str, str]) -> Entry:
    return Entry(
        name=f"pku-mmd{version}",
        title=f"PKU-MMD {'I' * version}",
        about=f"{SEQUENCES[version]:,} untrimmed sequences, {about}; Kinect v2, 25 joints, meters",
        terms="unknown: no license is stated with the files; ask its owners",
        where="the STRUCT group of Peking University (search for PKU-MMD); skeletons and labels are enough",
        files=files,
        protocols=protocols,
        find=partial(_find, version=version),
    )


_VIEW = "views M and R train, L tests (to be checked against the paper before figures are compared)"
ENTRIES = (
    _entry(
        1,
        "51 classes, 66 subjects, 3 cameras",
        "0002-L.txt, ... in a folder of skeletons and in one of labels, anywhere below the folder",
        {"cross-subject": "the published lists of sequences", "cross-view": _VIEW},
    ),
    _entry(
        2,
        "3 cameras",
        "A01N01-L.txt, ... in a folder of skeletons and in one of labels, anywhere below the folder",
        {"cross-view": _VIEW},
    ),
)
