"""Recordings of your own: a folder of files of any known format, in subfolders if you like.

What a file shows is taken from the first of these that says it: ``labels.csv`` in the folder (see
``tables``), the file itself, the name of the subfolder in which it lies (where there is no table).
``segments.csv`` names actions inside untrimmed recordings. Files without a label are imported too:
pre-training needs none.

Data is split into train and test **by subject**, because recordings of one person are so alike that a random
split measures recognition of people rather than of actions:

- a column ``split`` in ``labels.csv`` makes the protocol "table";
- otherwise known subjects make the protocol "by-subject", with the test subjects that you name, or else about
  28% of them, drawn by a hash of their names;
- without subjects there is no split, unless a random one by file is asked for: protocol "random".
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.catalog.dataset import (
    Dataset,
    Entry,
    Facts,
    ImportOptions,
    SourceFile,
    Splits,
    natural_order,
)
from hitrs.data.catalog.label_files import (
    LABELS,
    SEGMENTS,
    LabelRow,
    LabelTable,
    SegmentRow,
    read_label_table,
    read_segments,
    to_segments,
)
from hitrs.data.formats.bvh import is_end
from hitrs.data.formats.format import Format, Head
from hitrs.data.formats.registry import (
    all_formats,
    columns_format,
    find_format,
    get_format,
    known_suffixes,
    read_recordings,
    reader_defects,
)
from hitrs.data.recording import Recording, fit_segments
from hitrs.errors import DataError, counted, did_you_mean
from hitrs.files import LEFT_OUT, walk_files
from hitrs.skeleton.layout import Layout, get_layout

NAME = "folder"
_TABLES = (LABELS, SEGMENTS)
_NAMED = 20
"""Files of a kind that is not read, of which so many are named."""
_BESIDE = (".asf", ".yaml", ".yml")
"""Files that are read beside others: skeletons, layouts and projects."""


@dataclass(frozen=True)
class FileMetadata:
    """What is known about a file before it is read."""

    name: str
    """Path within the folder without suffix, which is also the recording's name."""
    row: LabelRow | None
    subfolder: str | None
    segments: tuple[SegmentRow, ...] = ()


def find(source: Path, options: ImportOptions | None = None) -> Dataset | None:
    """The files of known formats below ``source`` as a data set, or None where there are none.

    Of the options, layout, format, columns, test subjects and split count. All files of a folder have the
    same layout.

    Raises:
        DataError: for a table that is malformed or names no file that is there, two files of one name, or
            a split that is asked for in two ways.
    """
    options = options or ImportOptions()
    format, columns = options.format, options.columns
    test_subjects, split = options.test_subjects, options.split
    layout = None if options.layout is None else get_layout(options.layout)
    if split not in (None, "random"):
        raise DataError(
            f"there is no split '{split}'; ask for 'random', or leave it out to split by subject."
        )
    if columns is not None:
        suffixes = frozenset(columns_format(columns, format).suffixes)
    else:
        suffixes = frozenset(get_format(format).suffixes) if format else known_suffixes()
    files, notes = _files(source, suffixes, choose=format is None and columns is None)
    if not files:
        return None
    table = read_label_table(source / LABELS) if (source / LABELS).is_file() else None
    has_split = table is not None and table.has_split
    if (test_subjects is not None) + (split is not None) + has_split > 1:
        raise DataError(
            "the split is asked for in two ways: use only one of a column 'split' in labels.csv, test "
            "subjects, or a random split."
        )
    known = _file_metadata(source, files, table, notes)
    notes += _units({segment.seconds for each in known.values() for segment in each.segments})
    common = layout or _layout(list(files.values()), format, columns)
    by_source = {files[name].relative_to(source).as_posix(): each.row for name, each in known.items()}
    parts = {where: row.split for where, row in by_source.items() if row is not None} if has_split else None
    return Dataset(
        name=NAME,
        layout=common,
        classes=None,
        sources=[
            SourceFile(path, partial(_read, source, path, known[name], layout, common, format, columns))
            for name, path in files.items()
        ],
        split=partial(_split, parts=parts, test_subjects=test_subjects, at_random=split == "random"),
        meta={"title": source.resolve().name},
        notes=notes,
    )


def _units(seconds: set[bool]) -> list[str]:
    """How the bounds of segments are understood, where there are any."""
    if not seconds:
        return []
    if seconds == {True}:
        return [f"{SEGMENTS} counts seconds from the first frame of a recording, by its frame rate"]
    return [
        f"{SEGMENTS} counts frames from 0, the first of a recording, whatever number the file gives that one"
    ]


def _files(source: Path, suffixes: frozenset[str], *, choose: bool) -> tuple[dict[str, Path], list[str]]:
    """Name -> file, in natural order, and what is to be said about what is left out.

    Of the files of one recording (one a frame) it is the first; of two files of one name that hold the same
    (DeepLabCut writes a .csv beside each .h5) the first.

    Args:
        choose: leave out videos beside other recordings, as nobody has named the format.
    """
    by_frame = [(each.frames, each) for each in all_formats() if each.frames is not None]
    paths, notes = walk_files(source)
    if choose:
        paths = _without_estimated(source, paths, notes)
    files: dict[str, Path] = {}
    series: set[tuple[Path, str]] = set()
    others: dict[str, list[str]] = {}
    for path in sorted(paths, key=lambda path: natural_order(path.as_posix())):
        inside = path.relative_to(source)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or inside.as_posix() in _TABLES:
            continue
        if path.suffix.lower() not in suffixes:
            if path.suffix.lower() not in _BESIDE:
                others.setdefault(path.suffix.lower(), []).append(inside.as_posix())
            continue
        name = inside.with_suffix("").as_posix()
        fits = [(match, each) for frames, each in by_frame if (match := frames.fullmatch(path.name))]
        if any((path.parent, match["name"]) in series for match, _ in fits):
            continue
        match = next((match for match, each in fits if _is_frame(path, each)), None)
        if match is not None:
            series.add((path.parent, match["name"]))
            name = (inside.parent / match["name"]).as_posix()
        if name in files:
            kinds = [_kind(each) for each in (files[name], path)]
            hold = [kind is None or kind.positions for kind in kinds]
            if not hold[1]:  # its reader tells why it cannot be used
                name = inside.as_posix()
            elif not hold[0]:
                other = files.pop(name)
                files[other.relative_to(source).as_posix()] = other
            elif kinds[0] is not None and kinds[0] == kinds[1]:
                notes.append(
                    f"{inside.as_posix()} is {LEFT_OUT}: {files[name].name} beside it holds the same"
                )
                continue
            else:
                raise DataError(
                    f"{files[name]} and {path} would both be the recording '{name}'; remove one of them, "
                    "or name the format to read (--format)."
                )
        files[name] = path
    for suffix, names in sorted(others.items(), key=lambda item: -len(item[1])):
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        notes.append(
            f"{LEFT_OUT} because nothing here reads {suffix or 'files without a suffix'}: "
            f"{', '.join(names[:_NAMED])}{more}"
        )
    return files, notes


def kinds(source: Path) -> str:
    """What lies in a folder of which nothing can be read, in words for the end of a clause."""
    paths, notes = walk_files(source)
    found = Counter(path.suffix.lower() or "without a suffix" for path in paths)
    if not found:
        return f", but nothing at all{''.join(f' ({note})' for note in notes)}"
    some = [f"{count} {kind}" for kind, count in found.most_common(8)]
    more = " and other kinds" if len(found) > 8 else ""
    return (
        f"; there {'is' if len(paths) == 1 else 'are'} {counted(len(paths), 'file')}: {', '.join(some)}{more}"
    )


def _without_estimated(source: Path, paths: list[Path], notes: list[str]) -> list[Path]:
    """The files without videos, unless they are all there is: beside recordings they are what those were made
    of, and would take minutes each."""
    suffixes = {suffix for each in all_formats() if each.estimated for suffix in each.suffixes}
    others = [path for path in paths if path.suffix.lower() not in suffixes]
    tables = {source / table for table in _TABLES}
    if len(others) == len(paths) or all(_kind(path) is None for path in others if path not in tables):
        return paths
    notes.append(
        f"{counted(len(paths) - len(others), 'video')} left out, beside files that hold positions; `--format "
        "video` reads videos alone"
    )
    return others


def _kind(path: Path) -> Format | None:
    """The format of a file; None where it has none or cannot be read."""
    try:
        return find_format(path)
    except DataError:
        return None


def _is_frame(path: Path, format: Format) -> bool:
    if format.is_frame is None:
        return True
    try:
        with reader_defects(path):
            return format.is_frame(Head.of(path))
    except DataError:  # reported when the file is read, without stopping the others
        return False


def _file_metadata(
    source: Path, files: Mapping[str, Path], table: LabelTable | None, notes: list[str]
) -> dict[str, FileMetadata]:
    """What the tables and the subfolders say about each file; to the notes comes what they say of others."""
    names = {path.relative_to(source).as_posix(): name for name, path in files.items()}
    names |= {name: name for name in files}
    rows: dict[str, LabelRow] = {}
    for row in table.rows if table is not None else ():
        name = _name(names, row.file)
        if name in rows:
            raise DataError(f"{source / LABELS}, line {row.line} names the file '{name}' again.")
        if name is not None:
            rows[name] = row
    notes += _absent(source / LABELS, names, table.rows if table is not None else ())
    segments: dict[str, list[SegmentRow]] = {}
    if (source / SEGMENTS).is_file():
        listed = read_segments(source / SEGMENTS)
        notes += _absent(source / SEGMENTS, names, listed)
        for segment in listed:
            segments.setdefault(str(_name(names, segment.file)), []).append(segment)
    return {
        name: FileMetadata(
            name,
            rows.get(name),
            name.split("/")[0] if table is None and not segments and "/" in name else None,
            tuple(segments.get(name, ())),
        )
        for name in files
    }


def _name(names: Mapping[str, str], file: str) -> str | None:
    return names.get(file.replace("\\", "/").removeprefix("./"))


def _absent(table: Path, names: Mapping[str, str], rows: Sequence[LabelRow | SegmentRow]) -> list[str]:
    """What to tell of rows of a table whose files are not there; DataError if no file of it is."""
    missing = [row for row in rows if _name(names, row.file) is None]
    if not missing:
        return []
    some = ", ".join(f"'{row.file}' (line {row.line})" for row in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    if len(missing) == len(rows):
        raise DataError(f"{table} names files that are not in the folder: {some}{more}.")
    near = did_you_mean(missing[0].file, names)
    return [f"{table.name} names files that are not in the folder, and are left out: {some}{more}{near}"]


def _layout(files: Sequence[Path], format: str | None, columns: str | None) -> Layout:
    """The layout of the first file that can be read."""
    problem = None
    for path in files:
        try:
            known = find_format(path, format) if columns is None else None
            if known is not None and known.layout is not None:
                return known.layout()
            first = next(iter(read_recordings(path, format=format, columns=columns)), None)
        except DataError as error:
            problem = problem or error  # the message of the first file, if none can be read
            continue
        if first is not None:
            return first.layout
    raise problem or DataError(f"no file holds a recording; the first is {files[0]}.")


def _read(
    source: Path,
    path: Path,
    known: FileMetadata,
    layout: Layout | None,
    common: Layout,
    format: str | None,
    columns: str | None,
) -> Iterator[Recording]:
    """The recordings of a file, with what the tables say; where a file has several, its name comes first."""
    row = known.row or LabelRow(0, known.name)
    recordings = (_with_ends(each, common) for each in read_recordings(path, layout, format, columns))
    first = next(recordings, None)
    if first is None:
        raise DataError(f"{path} holds no recording.")
    second = next(recordings, None)
    several = second is not None
    if several and known.segments:
        raise DataError(f"{path} holds several recordings; {SEGMENTS} cannot say which it means.")
    for recording in (first, *(() if second is None else (second,)), *recordings):
        fps = row.fps or recording.fps
        listed = to_segments(known.segments, recording.n_frames, fps, source / SEGMENTS)
        segments, notes = fit_segments(listed, recording.n_frames)
        label = recording.label or (None if recording.segments else known.subfolder)
        texts: dict[str, Any] = {"label": label, **row.texts}
        yield replace(
            recording,
            name=f"{known.name}/{recording.name}" if several else known.name,
            **texts,
            fps=fps,
            segments=segments or recording.segments,
            source=path.relative_to(source).as_posix(),
            notes=(*recording.notes, *notes),
        )


def _with_ends(recording: Recording, common: Layout) -> Recording:
    """The recording with the joints of the common layout, if they differ only in where bones end.

    BVH files of one rig are exported with and without "End Site" offsets; those ends are all they differ in.
    """
    if recording.layout == common or recording.layout.dims != common.dims:
        return recording
    parents = [
        {joint: each.joints[parent] for joint, parent in zip(each.joints, each.parents, strict=True)}
        for each in (recording.layout, common)
    ]
    extra, lacking = parents[0].keys() - parents[1].keys(), parents[1].keys() - parents[0].keys()
    shared = parents[0].keys() & parents[1].keys()
    if any(not is_end(joint) for joint in extra | lacking) or any(
        parents[0][joint] != parents[1][joint] for joint in shared
    ):
        return recording
    place = [recording.layout.joints.index(joint) if joint in shared else -1 for joint in common.joints]
    missing = np.array(place) < 0
    positions = np.where(missing[:, None], 0, recording.positions[..., place, :])
    valid = recording.valid[..., place] & ~missing
    notes = recording.notes
    if extra:
        notes += (f"{len(extra)} ends of bones that the first file lacks are left out",)
    if lacking:
        notes += (f"{len(lacking)} ends of bones that the first file has count as not seen",)
    return replace(recording, positions=positions, valid=valid, layout=common, notes=notes)


def _split(
    facts: Sequence[Facts],
    *,
    parts: Mapping[str, str | None] | None,
    test_subjects: Sequence[str] | None,
    at_random: bool,
) -> tuple[Splits, list[str]]:
    """The protocol of all recordings and what is to be said about it (see the top of this file)."""
    unlabeled = sum(each.label is None and not each.segments for each in facts)
    notes = []
    if unlabeled:
        notes.append(f"{unlabeled} of {len(facts)} recordings have no label; they are imported without one")
    spellings: dict[str, set[str]] = {}
    for label in {each.label for each in facts if each.label} | {
        label for each in facts for _, _, label in each.segments
    }:
        spellings.setdefault(" ".join(label.casefold().replace("_", " ").split()), set()).add(label)
    notes += [
        f"{' and '.join(sorted(alike))} are {len(alike)} classes: is that one, spelled differently?"
        for _, alike in sorted(spellings.items())
        if len(alike) > 1
    ]
    if parts is not None:
        return {"table": [parts.get(each.source) for each in facts]}, notes
    labels = {each.name: each.label for each in facts}
    if at_random:
        drawn = split_at_random(labels)
        notes.append("random split by file: the same subjects may train and test")
        return {"random": [drawn[each.name] for each in facts]}, notes
    subjects = {each.name: each.subject for each in facts}
    known = {subject for subject in subjects.values() if subject is not None}
    if test_subjects is None and len(known) < 2:
        what = f"the only known subject is '{known.pop()}'" if known else "no subjects are known"
        notes.append(
            f"{what}, so there is no split into train and test. Name the subjects in {LABELS}, add a "
            "column 'split' there, or ask for a random split by file (--split random)"
        )
        return {}, notes
    split, held_out = split_by_subject(subjects, test_subjects)
    notes.append(f"split by subject: {', '.join(held_out)} of {len(known)} subjects test")
    left_out = sum(subject is None for subject in subjects.values())
    if left_out:
        notes.append(f"{left_out} recordings without a subject are in neither part of the split")
    trained = Counter(labels[name] for name, part in split.items() if part == "train")
    untrained = sorted(
        {label for label in labels.values() if label and not trained[label]}, key=natural_order
    )
    if untrained:
        notes.append(f"no training recording shows {', '.join(untrained)}; choose other test subjects")
    return {"by-subject": [split.get(each.name) for each in facts]}, notes


ENTRY = Entry(
    name=NAME,
    title="your own recordings",
    about="files of any known format, with or without labels, subjects, cameras and segments",
    terms="yours",
    where="with you; docs/tutorials/few-labels.md goes from files to a recognizer",
    files="in the folder and its subfolders; labels.csv and segments.csv say what they show",
    protocols={
        "table": "the column split of labels.csv",
        "by-subject": "the subjects that --test-subjects names test, else about 28% of them",
        "random": "by file, where --split random asks for it",
    },
    find=find,
)
"""For people; a folder is asked for last, after every data set of the registry."""


TEST_SHARE = 0.28
"""Of the subjects (or files) are held out: 1 of 2 to 5, 2 of 6 to 8, 3 of 10."""


def split_by_subject(
    subjects: Mapping[str, str | None], test_subjects: Sequence[str] | None
) -> tuple[dict[str, str], list[str]]:
    """Parts of recordings such that nobody stands in both: name -> "train" | "test", and the subjects that
    test.

    Args:
        subjects: recording name -> subject; recordings whose subject is None are left out.
        test_subjects: who tests; by default a share is drawn by a hash of their names, so that a subject who
            comes later changes little.

    Raises:
        DataError: if there are fewer than two subjects, or the test subjects are unknown or all there are.
    """
    known = sorted({subject for subject in subjects.values() if subject is not None}, key=natural_order)
    if len(known) < 2:
        raise DataError(
            f"a split by subject needs at least two subjects; known: {', '.join(known) or 'none'}."
        )
    if test_subjects is None:
        held_out = _draw(known)
    else:
        held_out = sorted(set(test_subjects), key=natural_order)
        unknown = [subject for subject in held_out if subject not in known]
        if unknown:
            raise DataError(f"there is no subject {', '.join(unknown)}; the subjects are {', '.join(known)}.")
        if not held_out or len(held_out) == len(known):
            raise DataError(f"some, but not all subjects must test; the subjects are {', '.join(known)}.")
    parts = {
        name: "test" if subject in held_out else "train"
        for name, subject in subjects.items()
        if subject is not None
    }
    return parts, held_out


def split_at_random(labels: Mapping[str, str | None]) -> dict[str, str]:
    """Parts by file, the same share of every class: recording name -> "train" | "test".

    Files of one subject stand in both parts then, so that results say little about people who were never
    seen.
    """
    parts = dict.fromkeys(labels, "train")
    for label in set(labels.values()):
        members = [name for name in labels if labels[name] == label]
        parts.update(dict.fromkeys(_draw(members), "test"))
    return parts


def _draw(names: Sequence[str]) -> list[str]:
    """A fixed share of names, in natural order: none of one, at least one of two, and never all."""
    shuffled = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    return sorted(shuffled[: round(TEST_SHARE * len(names))], key=natural_order)
