"""Penn Action: 2,326 videos of 15 actions, 13 joints in pixels with visibility, and a published split."""

from __future__ import annotations

import re
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
    matching_files,
)
from hitrs.data.formats.format import Head
from hitrs.data.formats.penn_action import FORMAT, read_penn_action
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

NAME = "penn-action"
CLASSES = (
    "baseball_pitch", "baseball_swing", "bench_press", "bowl", "clean_and_jerk", "golf_swing", "jump_rope",
    "jumping_jacks", "pullup", "pushup", "situp", "squat", "strum_guitar", "tennis_forehand", "tennis_serve",
)  # fmt: skip
VIDEOS = 2326
_FILE = re.compile(r"(\d{4})\.mat")


def train_test(recording: Facts) -> str | None:
    """The flag in the files."""
    return recording.part


def find(source: Path) -> Dataset | None:
    """The data set in ``source`` (the folder of the files, or the one that holds ``labels``), or None."""
    files = matching_files(source, "labels", _FILE)
    if not files or not FORMAT.matches(Head.of(files[0][0])):
        return None
    return Dataset(
        name=NAME,
        layout=get_layout("penn13"),
        classes=CLASSES,
        sources=[SourceFile(path, partial(_read, source, path)) for path, _ in files],
        split=by_recording({"train-test": train_test}),
        meta={"title": "Penn Action"},
        notes=incomplete(len(files), VIDEOS),
    )


def _read(source: Path, path: Path) -> tuple[Recording]:
    recording = read_penn_action(path)
    if recording.label not in CLASSES:
        raise DataError(f"{path}: Penn Action has no action '{recording.label}'.")
    return (replace(recording, source=path.relative_to(source).as_posix()),)


ENTRY = Entry(
    name=NAME,
    title="Penn Action",
    about=f"{VIDEOS:,} videos of one person, {len(CLASSES)} classes; 13 joints in pixels, with visibility",
    terms="unknown: the files state none",
    where="the University of Pennsylvania (search for Penn Action dataset); the labels alone are enough",
    files="0001.mat, ... in the folder or in labels/ below it",
    protocols={"train-test": "the flag in the files: 1,258 train, 1,068 test"},
    find=find,
)
