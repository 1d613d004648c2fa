"""UI-PRMD, the part that Vicon recorded: 990 repetitions of ten exercises by ten subjects, 39 markers.

``mMM_sSS_eEE.npz`` is repetition EE of movement MM by subject SS. There is no published protocol of
recognition: odd subjects train, even subjects test. Whether a repetition was done correctly is stated neither
by the files nor by their names, so nothing is said about it.
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
from hitrs.data.formats.format import Head
from hitrs.data.formats.ui_prmd import FORMAT, read_ui_prmd
from hitrs.skeleton import get_layout

NAME = "ui-prmd"
CLASSES = (
    "deep squat", "hurdle step", "inline lunge", "side lunge", "sit to stand", "active straight leg raise",
    "shoulder abduction", "shoulder extension", "shoulder internal-external rotation", "shoulder scaption",
)  # fmt: skip
"""Names of movements 1 to 10."""
SEQUENCES = 990
"""Ten of each movement and subject, but none of movement 3 by subject 3."""
_FILE = re.compile(r"m(\d+)_s(\d+)_e(\d+)\.npz")


def find(source: Path) -> Dataset | None:
    """The data set in ``source`` (the folder of the files, or the one above ``ui_prmd_vicon``), or None."""
    files = matching_files(source, "ui_prmd_vicon", _FILE)
    # Such a name may well be somebody's own; the first file that is readable tells.
    if not any(FORMAT.matches(Head.of(path)) for path, _ in files):
        return None
    return Dataset(
        name=NAME,
        layout=get_layout("plugin_gait39"),
        classes=CLASSES,
        sources=numbered_files(source, files, read_ui_prmd, CLASSES, "UI-PRMD"),
        split=by_recording({"odd-even": odd_even}),
        meta={"title": "UI-PRMD (Vicon)"},
        notes=incomplete(len(files), SEQUENCES),
    )


ENTRY = Entry(
    name=NAME,
    title="UI-PRMD (Vicon)",
    about=f"{SEQUENCES} trimmed repetitions, {len(CLASSES)} exercises, 10 subjects; Vicon, 39 markers, "
    "meters, 50 frames per second, z up",
    terms="public domain (PDDL 1.0)",
    where="search for UI-PRMD; what is read is a compact form of the markers, see below",
    files="m01_s01_e01.npz (movement, subject, repetition), ... in the folder or in ui_prmd_vicon/ below it; "
    "in each an array `markers` int16 (frames, 39, 3), tenths of a millimeter, every second frame, in the "
    "order of `hitrs layouts plugin_gait39`, (0, 0, 0) = lost",
    protocols={"odd-even": "odd subjects train (490), even subjects test (500)"},
    find=find,
)
