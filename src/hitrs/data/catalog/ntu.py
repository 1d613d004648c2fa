"""NTU RGB+D 60 and 120: sequences of one or two persons from three Kinects v2, named SsssCcccPpppRrrrAaaa.

S is the setup, C the camera, P the subject, R the repetition and A the action. NTU-120 is NTU-60 (setups 1 to
17, actions 1 to 60) and as much again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from hitrs.data.catalog.dataset import Dataset, Entry, Facts, SourceFile, by_recording, incomplete
from hitrs.data.catalog.lists import read_list
from hitrs.data.formats.ntu import read_ntu
from hitrs.data.recording import Recording
from hitrs.skeleton import get_layout

SEQUENCES = {60: 56880, 120: 114480}
SUBJECTS_60 = frozenset((1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38))
"""Who trains in NTU-60's cross-subject protocol."""
SUBJECTS_120 = SUBJECTS_60 | {
    45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87), 89, *range(91, 96), 97, 98, 100, 103,
}  # fmt: skip
_FILE = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})\.skeleton")


def cross_subject_60(recording: Facts) -> str:
    """Twenty of the forty subjects train."""
    return "train" if int(str(recording.subject)) in SUBJECTS_60 else "test"


def cross_subject_120(recording: Facts) -> str:
    """53 of the 106 subjects train."""
    return "train" if int(str(recording.subject)) in SUBJECTS_120 else "test"


def cross_view(recording: Facts) -> str:
    """Cameras 2 and 3 train, camera 1 tests."""
    return "train" if recording.camera in ("2", "3") else "test"


def cross_setup(recording: Facts) -> str:
    """Even setups train, odd ones test."""
    return "train" if int(recording.name[1:4]) % 2 == 0 else "test"


def _find(source: Path, version: int) -> Dataset | None:
    """The sequences anywhere below ``source``, or None if they are not of this version of the data set."""
    files: dict[str, tuple[Path, tuple[int, ...]]] = {}
    for path in sorted(source.rglob("*.skeleton")):
        if match := _FILE.fullmatch(path.name):
            files.setdefault(path.stem, (path, tuple(int(group) for group in match.groups())))
    larger = any(setup > 17 or action > 60 for _, (setup, _, _, _, action) in files.values())
    if not files or larger != (version == 120):
        return None
    missing = set(read_list("ntu60_missing_skeletons")) | set(read_list("ntu120_missing_skeletons"))
    listed = sum(name in missing for name in files)
    classes = read_list("ntu120_classes")[:version]
    protocols: dict[str, Callable[[Facts], str]] = (
        {"cross-subject": cross_subject_60, "cross-view": cross_view}
        if version == 60
        else {"cross-subject": cross_subject_120, "cross-setup": cross_setup}
    )
    notes = incomplete(len(files), SEQUENCES[version])
    if listed:
        notes.append(f"{listed} sequences on the authors' list of samples without skeletons are left out")
    return Dataset(
        name=f"ntu{version}",
        layout=get_layout("ntu25"),
        classes=classes,
        sources=[
            SourceFile(path, partial(_read, source, path, subject, camera, classes[action - 1]))
            for name, (path, (_, camera, subject, _, action)) in sorted(files.items())
            if name not in missing and 1 <= action <= version
        ],
        split=by_recording(protocols),
        meta={"title": f"NTU RGB+D {version}"},
        notes=notes,
    )


def _read(source: Path, path: Path, subject: int, camera: int, label: str) -> tuple[Recording]:
    recording = replace(
        read_ntu(path),
        label=label,
        subject=str(subject),
        camera=str(camera),
        source=path.relative_to(source).as_posix(),
    )
    return (recording,)


def _entry(version: int, about: str, protocols: dict[str, str]) -> Entry:
    return Entry(
        name=f"ntu{version}",
        title=f"NTU RGB+D {version}",
        about=f"{SEQUENCES[version]:,} trimmed sequences, {version} classes, {about}; Kinect v2, 25 "
        f"joints, meters",
        terms="on request, for academic research only; read the agreement of its owners",
        where="the ROSE Lab of Nanyang Technological University, Singapore; the skeletons alone are enough",
        files="S001C001P001R001A001.skeleton, ... anywhere below the folder",
        protocols=protocols,
        find=partial(_find, version=version),
    )


ENTRIES = (
    _entry(
        60,
        "40 subjects, 3 cameras",
        {
            "cross-subject": "20 subjects train, 20 test",
            "cross-view": "cameras 2 and 3 train, camera 1 tests",
        },
    ),
    _entry(
        120,
        "106 subjects, 32 setups of 3 cameras",
        {
            "cross-subject": "53 subjects train, 53 test",
            "cross-setup": "even setups train, odd setups test",
        },
    ),
)
