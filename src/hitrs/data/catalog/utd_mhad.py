"""UTD-MHAD: 861 sequences, 27 classes, 8 subjects, one Kinect v1 camera.

The protocol is cross-subject: odd subjects train (431), even subjects test (430).
"""

from __future__ import annotations

import re
from pathlib import Path

from hitrs.data.catalog.dataset import (
    Dataset,
    Entry,
    by_recording,
    incomplete,
    matching_files,
    numbered_files,
    odd_even,
)
from hitrs.data.formats.utd_mhad import read_utd_mhad
from hitrs.skeleton import get_layout

NAME = "utd-mhad"
CLASSES = (
    "swipe left", "swipe right", "wave", "clap", "throw", "cross arms", "basketball shoot", "draw x",
    "draw circle clockwise", "draw circle counter-clockwise", "draw triangle", "bowling", "boxing",
    "baseball swing", "tennis swing", "arm curl", "tennis serve", "push", "knock", "catch", "pick up and "
    "throw",
    "jog", "walk", "sit to stand", "stand to sit", "lunge", "squat",
)  # fmt: skip
"""Names of actions 1 to 27, shortened from the data set's own list."""
SEQUENCES = 861
_FILE = re.compile(r"a(\d+)_s(\d+)_t(\d+)_skeleton\.mat")


def find(source: Path) -> Dataset | None:
    """The data set in ``source`` (the folder of the files, or the one that holds ``Skeleton``), or None."""
    files = matching_files(source, "Skeleton", _FILE)
    if not files:
        return None
    return Dataset(
        name=NAME,
        layout=get_layout("utd20"),
        classes=CLASSES,
        sources=numbered_files(source, files, read_utd_mhad, CLASSES, "UTD-MHAD"),
        split=by_recording({"odd-even": odd_even}),
        meta={"title": "UTD-MHAD"},
        notes=incomplete(len(files), SEQUENCES),
    )


ENTRY = Entry(
    name=NAME,
    title="UTD-MHAD",
    about=f"{SEQUENCES} trimmed sequences, {len(CLASSES)} classes, 8 subjects, one camera; "
    "Kinect v1, 20 joints, meters",
    terms="unknown: the files state none",
    where="the University of Texas at Dallas (search for UTD-MHAD); the part with skeletons is enough",
    files="a1_s1_t1_skeleton.mat, ... in the folder, or in Skeleton/ below it",
    protocols={"odd-even": "odd subjects train (431), even subjects test (430)"},
    find=find,
)
