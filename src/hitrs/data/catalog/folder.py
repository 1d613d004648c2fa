"""Recordings of your own: a folder of npz and CSV files.

What a file shows is taken from the first of these that says it: ``labels.csv`` in the folder (see
``label_table``), the file itself (npz), the name of the subfolder in which it lies. Files without a label are
imported too: pre-training needs none.

Data is split into train and test **by subject**, because recordings of one person are so alike that a random
split measures recognition of people rather than of actions:

- a column ``split`` in ``labels.csv`` makes the protocol "table";
- otherwise known subjects make the protocol "by-subject", with the test subjects that you name, or else about
  28% of them, drawn by a hash of their names;
- without subjects there is no split, unless a random one by file is asked for: protocol "random".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hitrs.data.catalog.base import Dataset, Facts, Source, by_recording, natural_order
from hitrs.data.catalog.label_table import FILE_NAME, Row, Table, read_table
from hitrs.data.catalog.splits import split_at_random, split_by_subject
from hitrs.data.formats import read_recording
from hitrs.data.formats.npz import NpzFacts, read_npz_facts
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton.layout import Layout

NAME = "folder"
SUFFIXES = (".npz", ".csv")


@dataclass(frozen=True)
class Entry:
    """One file of the folder and what is known about it before it is read."""

    path: Path
    name: str
    """Path within the folder without suffix, which is also the recording's name."""
    label: str | None
    segment_labels: tuple[str, ...]
    subject: str | None
    camera: str | None
    fps: float | None
    split: str | None


def find(
    source: Path,
    *,
    layout: Layout | None = None,
    test_subjects: Sequence[str] | None = None,
    split: str | None = None,
) -> Dataset | None:
    """The npz and CSV files below ``source`` as a data set, or None where there are none.

    Args:
        layout: of files that do not say it themselves; all files of a folder have the same layout.
        test_subjects: the subjects that test.
        split: "random" for a random split by file.

    Raises:
        DataError: for a table that is malformed or names files that are not there, two files of one name, or
            a split that cannot be made.
    """
    if split not in (None, "random"):
        raise DataError(
            f"there is no split '{split}'; ask for 'random', or leave it out to split by subject."
        )
    files = _files(source)
    if not files:
        return None
    table = read_table(source / FILE_NAME) if (source / FILE_NAME).is_file() else None
    entries = _entries(source, files, table)
    parts, notes = _split(entries, table is not None and table.has_split, test_subjects, split)
    unlabeled = sum(entry.label is None and not entry.segment_labels for entry in entries)
    if unlabeled:
        notes.append(f"{unlabeled} of {len(entries)} files have no label; they are imported without one")
    classes = {
        label for entry in entries for label in (entry.label, *entry.segment_labels) if label is not None
    }
    found = _layout(entries, layout)

    def protocol(name: str) -> Callable[[Facts], str | None]:
        return lambda facts: parts[name].get(facts.name)

    return Dataset(
        name=NAME,
        layout=found,
        classes=tuple(sorted(classes, key=natural_order)),
        sources=[Source(entry.path, partial(_read, source, entry, found)) for entry in entries],
        split=by_recording({name: protocol(name) for name in parts}),
        meta={"title": source.resolve().name, "units": "meters" if found.dims == 3 else "pixels"},
        notes=notes,
    )


def _files(source: Path) -> dict[str, Path]:
    """Name -> file, in natural order."""
    files: dict[str, Path] = {}
    for path in sorted(source.rglob("*"), key=lambda path: natural_order(path.as_posix())):
        inside = path.relative_to(source)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.suffix.lower() not in SUFFIXES or hidden or inside == Path(FILE_NAME) or not path.is_file():
            continue
        name = inside.with_suffix("").as_posix()
        if name in files:
            raise DataError(
                f"{files[name]} and {path} would both be the recording '{name}'; remove one of them."
            )
        files[name] = path
    return files


def _entries(source: Path, files: dict[str, Path], table: Table | None) -> list[Entry]:
    """What the table, the files and the subfolders tell about each file."""
    rows = {} if table is None else _match(source, files, table)
    entries = []
    for name, path in files.items():
        row, facts = rows.get(name, Row(0, name)), _facts(path)
        subfolder = name.split("/")[0] if table is None and "/" in name else None
        entries.append(
            Entry(
                path=path,
                name=name,
                label=row.label or facts.label or subfolder,
                segment_labels=facts.segment_labels,
                subject=row.subject or facts.subject,
                camera=row.camera or facts.camera,
                fps=row.fps,
                split=row.split,
            )
        )
    return entries


def _match(source: Path, files: dict[str, Path], table: Table) -> dict[str, Row]:
    """Recording name -> its row of the table."""
    names = {path.relative_to(source).as_posix(): name for name, path in files.items()} | {
        name: name for name in files
    }
    rows: dict[str, Row] = {}
    missing = []
    for row in table.rows:
        name = names.get(row.file.replace("\\", "/").removeprefix("./"))
        if name is None:
            missing.append(row)
        elif name in rows:
            raise DataError(f"{source / FILE_NAME}, line {row.line} names the file '{name}' again.")
        else:
            rows[name] = row
    if missing:
        some = ", ".join(f"'{row.file}' (line {row.line})" for row in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise DataError(f"{source / FILE_NAME} names files that are not in the folder: {some}{more}.")
    return rows


def _facts(path: Path) -> NpzFacts:
    if path.suffix.lower() != ".npz":
        return NpzFacts()
    try:
        return read_npz_facts(path)
    except DataError:
        return (
            NpzFacts()
        )  # the file is damaged: reading it will say so, or leave it out if that was asked for


def _layout(entries: list[Entry], given: Layout | None) -> Layout:
    """The given layout, or that of the first file that can be read."""
    if given is not None:
        return given
    problem = None
    for entry in entries:
        try:
            return read_recording(entry.path).layout
        except DataError as error:
            problem = problem or error  # the message of the first file, if none can be read
    assert problem is not None  # there is at least one entry
    raise problem


def _split(
    entries: list[Entry], in_table: bool, test_subjects: Sequence[str] | None, split: str | None
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Protocol -> recording name -> part, and what is to be said about it."""
    subjects = {entry.name: entry.subject for entry in entries}
    labels = {entry.name: entry.label for entry in entries}
    known = {subject for subject in subjects.values() if subject is not None}
    if (test_subjects is not None) + (split is not None) + in_table > 1:
        raise DataError(
            "the split is asked for in two ways: use only one of a column 'split' in labels.csv, test "
            "subjects, or a random split."
        )
    if in_table:
        return {"table": {entry.name: entry.split for entry in entries if entry.split}}, []
    if split == "random":
        return {"random": split_at_random(labels)}, [
            "random split by file: the same subjects may train and test"
        ]
    if test_subjects is None and len(known) < 2:
        what = f"the only known subject is '{known.pop()}'" if known else "no subjects are known"
        return {}, [
            f"{what}, so there is no split into train and test. Name the subjects in {FILE_NAME}, add a "
            "column 'split' there, or ask for a random split by file (--split random)"
        ]
    parts, held_out = split_by_subject(subjects, test_subjects)
    notes = [f"split by subject: {', '.join(held_out)} of {len(known)} subjects test"]
    left_out = sum(subject is None for subject in subjects.values())
    if left_out:
        notes.append(f"{left_out} files without a subject are in neither part of the split")
    trained = Counter(labels[name] for name, part in parts.items() if part == "train")
    untrained = sorted(
        {label for label in labels.values() if label and not trained[label]}, key=natural_order
    )
    if untrained:
        notes.append(f"no training recording shows {', '.join(untrained)}; choose other test subjects")
    return {"by-subject": parts}, notes


def _read(source: Path, entry: Entry, layout: Layout) -> tuple[Recording]:
    recording = read_recording(entry.path, layout)
    recording = replace(
        recording,
        name=entry.name,
        label=entry.label,
        subject=entry.subject,
        camera=entry.camera,
        fps=entry.fps or recording.fps,
        source=entry.path.relative_to(source).as_posix(),
    )
    return (recording,)
