"""PRECOG (2016): 72 untrimmed martial-arts sequences of 12 subjects with frame labels, Kinect v1.

``SeqQ_S.csv`` is script Q performed by subject S. There is no published protocol. Every subject performs the
same scripts, so a model with long context can learn the script: beside splits by subject stand splits by
script. The sensor saw nobody in Seq2_10 and Seq4_10, which test nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from hitrs.data.catalog.dataset import (
    Dataset,
    Download,
    Entry,
    Facts,
    SourceFile,
    Splits,
    incomplete,
    matching_files,
    natural_order,
)
from hitrs.data.formats.precog import ACTIONS, read_precog
from hitrs.data.recording import Recording
from hitrs.skeleton import get_layout

_COMMIT = "1ff2c9de2559664b2845d992ed60024a173e2eae"  # of the owners' repository
NAME = "precog"
SEQUENCES = 72
EMPTY = ("Seq2_10", "Seq4_10")
"""Sequences of nothing but zeros."""
_FILE = re.compile(r"Seq(\d+)_(\d+)\.csv")


def odd_even(recording: Facts) -> str | None:
    """Odd subjects train (36), even ones test (36 but for the two empty sequences)."""
    if recording.name in EMPTY:
        return None
    return "train" if int(str(recording.subject)) % 2 else "test"


def split(facts: Sequence[Facts]) -> tuple[Splits, list[str]]:
    """Odd against even subjects; each subject against the others; each script against the others."""
    splits: dict[str, list[str | None]] = {"odd-even": [odd_even(each) for each in facts]}
    subjects = [str(each.subject) for each in facts]
    scripts = [script(each.name) for each in facts]
    for what, values in (("subject", subjects), ("script", scripts)):
        for held_out in sorted(set(values), key=natural_order):
            splits[f"leave-{what}-{held_out}-out"] = [
                None if each.name in EMPTY else "test" if value == held_out else "train"
                for each, value in zip(facts, values, strict=True)
            ]
    empty = sum(each.name in EMPTY for each in facts)
    notes = [f"{empty} sequences hold nothing but zeros and are in no part of a protocol"] if empty else []
    return splits, notes


def script(name: str) -> str:
    """Number of the script that a sequence follows."""
    return name.removeprefix("Seq").split("_")[0]


def find(source: Path) -> Dataset | None:
    """The data set in ``source``, its folder CSV/, or the repository unpacked below it; or None."""
    unpacked = sorted(path for path in source.glob("precog*") if path.is_dir())
    folders = [source, *unpacked, *(path / "Dataset" for path in unpacked)]
    for folder in folders:
        if files := matching_files(folder, "CSV", _FILE):
            break
    else:
        return None
    files.sort(key=lambda item: natural_order(item[0].name))
    return Dataset(
        name=NAME,
        layout=get_layout("kinect20"),
        classes=ACTIONS,
        sources=[SourceFile(path, partial(_read, source, path, subject)) for path, (_, subject) in files],
        split=split,
        meta={"title": "PRECOG 2016"},
        notes=incomplete(len(files), SEQUENCES),
    )


def _read(source: Path, path: Path, subject: int) -> tuple[Recording]:
    return (replace(read_precog(path), subject=str(subject), source=path.relative_to(source).as_posix()),)


ENTRY = Entry(
    name=NAME,
    title="PRECOG 2016",
    about=f"{SEQUENCES} untrimmed sequences, {len(ACTIONS)} actions, 12 subjects, 6 scripts; "
    "Kinect v1, 20 joints, meters",
    terms="MIT",
    where="the public repository DavidJardim/precog_dataset_16: `hitrs data fetch precog FOLDER`",
    files="Seq1_1.csv, ... in the folder or in CSV/ below it",
    protocols={
        "odd-even": "odd subjects train (36), even subjects test (34, without two empty sequences)",
        "leave-subject-S-out": "one subject tests, the others train",
        "leave-script-Q-out": "one script tests, the others train",
    },
    find=find,
    download=Download(
        url=f"https://github.com/DavidJardim/precog_dataset_16/archive/{_COMMIT}.zip",
        sha256=None,
        license="MIT",
        content="6ea2d67f697f15fe8d6fde8cceb55d4cf0d2318f52a27b3e82478d9954ca37ef",
    ),
)
