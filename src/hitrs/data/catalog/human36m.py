"""Human3.6M motion prediction: 15 actions of 7 subjects, two takes each, as exponential maps.

Subjects 1, 6, 7, 8 and 9 train, 5 tests; 11 validates, which protocol "validation" makes the test.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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
)  # fmt: skip
from hitrs.data.formats.expmap import FORMAT, read_expmap
from hitrs.data.formats.format import Head
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

NAME = "human36m"
CLASSES = (
    "directions", "discussion", "eating", "greeting", "phoning", "posing", "purchases", "sitting",
    "sittingdown", "smoking", "takingphoto", "waiting", "walking", "walkingdog", "walkingtogether",
)  # fmt: skip
"""Actions as the files are named."""
TRAIN, VALIDATION, TEST = ("1", "6", "7", "8", "9"), "11", "5"
SEQUENCES = (len(TRAIN) + 2) * len(CLASSES) * 2
_FILE = re.compile(rf"({'|'.join(CLASSES)})_([12])\.txt")
_SUBJECT = re.compile(r"S(\d{1,2})")


def held_out(test: str) -> Callable[[Facts], str | None]:
    """The training subjects train, subject ``test`` tests, the other one is in no part."""

    def part(recording: Facts) -> str | None:
        return "train" if recording.subject in TRAIN else "test" if recording.subject == test else None

    return part


def find(source: Path) -> Dataset | None:
    """The data set in ``source``, the folder that holds S1/, S5/, ... (or dataset/ with them), or None."""
    files = _files(source) or _files(source / "dataset")
    if not files or not FORMAT.matches(Head.of(files[0][0])):
        return None
    return Dataset(
        name=NAME,
        layout=get_layout("h36m32"),
        classes=CLASSES,
        sources=[
            SourceFile(path, partial(_read, source, path, subject, action)) for path, subject, action in files
        ],
        split=by_recording({"subject-5": held_out(TEST), "validation": held_out(VALIDATION)}),
        meta={"title": "Human3.6M motion prediction"},
        notes=incomplete(len(files), SEQUENCES),
    )


def _files(folder: Path) -> list[tuple[Path, str, str]]:
    """(file, subject, action) of files S1/walking_1.txt."""
    if not folder.is_dir():
        return []
    files = []
    for below in sorted(folder.iterdir(), key=lambda path: natural_order(path.name)):
        subject = _SUBJECT.fullmatch(below.name)
        if subject is None or not below.is_dir():
            continue
        for file in sorted(below.iterdir()):
            match = _FILE.fullmatch(file.name)
            if match:
                files.append((file, str(int(subject[1])), match[1]))
    return files


def _read(source: Path, path: Path, subject: str, action: str) -> tuple[Recording]:
    recording = read_expmap(path)
    if recording.layout.name != "h36m32":
        raise DataError(f"{path} has the columns of CMU, expected the 99 of Human3.6M.")
    recording = replace(
        recording,
        name=f"S{subject}_{path.stem}",
        label=action,
        subject=subject,
        source=path.relative_to(source).as_posix(),
    )
    return (recording,)


ENTRY = Entry(
    name=NAME,
    title="Human3.6M motion prediction",
    about=f"{SEQUENCES} recordings, {len(CLASSES)} actions, 7 subjects, two takes each; motion capture as "
    "exponential maps, 32 joints, 50 frames per second",
    terms="not stated in the files; Human3.6M itself is given out by its owners on registration, under their "
    "license",
    where="repositories of motion prediction; Human3.6M itself from its owners (search for Human3.6M)",
    files="S1/walking_1.txt, ... (S1, S5, S6, S7, S8, S9, S11) in the folder, or in dataset/ below it; 99 "
    "comma-separated columns",
    protocols={
        "subject-5": "subjects 1, 6, 7, 8, 9 train, 5 tests; 11 is in no part",
        "validation": "subjects 1, 6, 7, 8, 9 train, 11 is the test: for choosing settings",
    },
    find=find,
)
