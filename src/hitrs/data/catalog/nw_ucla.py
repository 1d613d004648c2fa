"""NW-UCLA (Northwestern-UCLA Multiview Action 3D): 1,484 sequences, 10 classes, 10 subjects, 3 cameras,
Kinect v1.

The protocol is cross-view: cameras 1 and 2 train (1,020), camera 3 tests (464).

In the distributed skeletons all 95 camera-3 files of actions 2 and 3 hold exactly the skeletons of the
camera-2 files. So 95 test sequences are duplicates of training ones (``Store.duplicates("cross-view")`` finds
them), and results are reported on all 464 test sequences and on the 369 that remain without them.
"""

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
from hitrs.data.formats.nw_ucla import read_nw_ucla
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

NAME = "nw-ucla"
CLASSES = {
    1: "pick up with one hand", 2: "pick up with two hands", 3: "drop trash", 4: "walk around", 5: "sit down",
    6: "stand up", 8: "donning", 9: "doffing", 11: "throw", 12: "carry",
}  # fmt: skip
"""Action number in the file name -> class name; the numbers 7 and 10 do not exist."""
SEQUENCES = 1484
_FILE = re.compile(r"a(\d+)_s(\d+)_e(\d+)_v(\d+)\.json")


def cross_view(recording: Facts) -> str:
    """Cameras 1 and 2 train, camera 3 tests."""
    return "test" if recording.camera == "3" else "train"


def find(source: Path) -> Dataset | None:
    """The data set in ``source`` (the folder of the files, or the one that holds ``all_sqe``), or None."""
    files = matching_files(source, "all_sqe", _FILE)
    if not files:
        return None
    return Dataset(
        name=NAME,
        layout=get_layout("kinect20"),
        classes=tuple(CLASSES.values()),
        sources=[SourceFile(path, partial(_read, source, path, *numbers)) for path, numbers in files],
        split=by_recording({"cross-view": cross_view}),
        meta={"title": "NW-UCLA Multiview Action 3D"},
        notes=incomplete(len(files), SEQUENCES),
    )


def _read(source: Path, path: Path, action: int, subject: int, _: int, camera: int) -> tuple[Recording]:
    if action not in CLASSES:
        raise DataError(f"{path}: NW-UCLA has no action {action}; it has {', '.join(map(str, CLASSES))}.")
    recording = replace(
        read_nw_ucla(path),
        label=CLASSES[action],
        subject=str(subject),
        camera=str(camera),
        source=path.relative_to(source).as_posix(),
    )
    return (recording,)


ENTRY = Entry(
    name=NAME,
    title="NW-UCLA Multiview Action 3D",
    about=f"{SEQUENCES:,} trimmed sequences, {len(CLASSES)} classes, 10 subjects, 3 cameras; "
    "Kinect v1, 20 joints, meters",
    terms="unknown: the skeleton files state none",
    where="the JSON files `all_sqe` that skeleton repositories pass around; "
    "no official link is known to be alive",
    files="a01_s01_e00_v01.json, ... in the folder, or in all_sqe/ below it",
    protocols={
        "cross-view": "cameras 1 and 2 train (1,020), camera 3 tests (464, "
        "of which 95 also stand in training)"
    },
    find=find,
)
