"""CMU motion prediction: motion capture of eight actions as exponential maps, in folders train/ and test/.

``walking_extra`` holds more walks that belong to neither part of the literature's protocol: they are free for
pre-training (train) and for a second test (test), which protocol "train-test-extra" adds.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from hitrs.data.catalog.dataset import Dataset, Entry, Facts, SourceFile, by_recording, natural_order
from hitrs.data.formats.expmap import FORMAT, read_expmap
from hitrs.data.formats.format import Head
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

NAME = "cmu-motion"
PARTS = ("train", "test")
EXTRA = "_extra"
"""End of the name of an action's folder that stands outside the literature's protocol."""
_COLUMNS = 117
_FILE = re.compile(r"[a-z_]+_\d+\.txt")


def train_test(recording: Facts) -> str | None:
    """The folder train/ or test/, but for the extra walks."""
    return recording.part


def train_test_extra(recording: Facts) -> str | None:
    """The folder train/ or test/, with the extra walks."""
    return recording.source.split("/")[0]


def find(source: Path) -> Dataset | None:
    """The data set in ``source``, the folder that holds train/ and test/, or None."""
    files = [file for part in PARTS for file in _files(source / part)]
    if not files:
        return None
    head = Head.of(files[0])
    if not FORMAT.matches(head) or head.text.lstrip().partition("\n")[0].count(",") + 1 != _COLUMNS:
        return None
    extra = sum(file.parent.name.endswith(EXTRA) for file in files)
    return Dataset(
        name=NAME,
        layout=get_layout("cmu38"),
        classes=None,
        sources=[SourceFile(path, partial(_read, source, path)) for path in files],
        split=by_recording({"train-test": train_test, "train-test-extra": train_test_extra}),
        meta={"title": "CMU motion prediction"},
        notes=[f"{extra} extra walks are in no part of protocol 'train-test'"] if extra else [],
    )


def _files(folder: Path) -> list[Path]:
    """Files train/ACTION/ACTION_1.txt; those of ACTION_extra are named like those of ACTION."""
    if not folder.is_dir():
        return []
    files = [
        file
        for action in sorted(folder.iterdir())
        if action.is_dir()
        for file in action.iterdir()
        if _FILE.fullmatch(file.name) and file.stem.rpartition("_")[0] == action.name.removesuffix(EXTRA)
    ]
    return sorted(files, key=lambda file: natural_order(file.as_posix()))


def _read(source: Path, path: Path) -> tuple[Recording]:
    part, action, _ = path.relative_to(source).parts
    recording = read_expmap(path)
    if recording.layout.name != "cmu38":
        raise DataError(f"{path} has the columns of Human3.6M, expected the 117 of CMU.")
    extra = action.endswith(EXTRA)
    recording = replace(
        recording,
        name=f"{part}_{'extra_' if extra else ''}{path.stem}",  # train/ and test/ use the same names
        label=action.removesuffix(EXTRA).replace("_", " "),
        part=None if extra else part,
        source=path.relative_to(source).as_posix(),
    )
    return (recording,)


ENTRY = Entry(
    name=NAME,
    title="CMU motion prediction",
    about="motion capture of CMU as exponential maps: 38 joints, 120 frames per second; 8 actions in the "
    "literature's selection",
    terms="the files that motion-prediction repositories pass around come under the MIT License (Copyright "
    "2018 Li Chen); the terms of the CMU motion capture they were made from are not stated there",
    where="repositories of motion prediction; no official link is known",
    files="train/ACTION/ACTION_1.txt, ... and test/ACTION/ACTION_1.txt, 117 comma-separated columns; "
    "ACTION_extra/ for more of an action that no protocol of the literature uses",
    protocols={
        "train-test": "folder train/ trains, folder test/ tests; without the folders *_extra",
        "train-test-extra": "the same with the folders *_extra",
    },
    find=find,
)
