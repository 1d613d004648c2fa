"""CSV: a table with a header line. What spreadsheets, scripts and most trackers can write.

One row per frame, columns in any order, with ``,``, ``;`` or a tab between them:

- ``<joint>_x``, ``<joint>_y``, ``<joint>_z`` for every joint of the layout, in meters; without ``_z`` for a
  2-D layout, in pixels. Joints are found by name, whatever their order and case, and by other names for the
  same joint (``ShoulderLeft_X``, ``LShoulder_x``). Or by number: ``x0, y0, z0, x1, ...``, as scripts around
  MediaPipe write it.
- ``<joint>_visibility`` (or ``v0``, ...; ``_score``, ``_confidence``): a joint counts as seen where it is
  visible by more than 0.5, or has any score.
- ``frame`` (optional): the frame's number. Numbers that are left out become frames in which nobody was seen.
  Without this column the rows are consecutive frames.
- ``person`` (optional, needs ``frame``): any name or number; a frame then has one row for each person in it.
- ``time`` or ``timestamp`` (optional, seconds or milliseconds): tells the frame rate where it is regular.

Or one row per joint: columns ``frame``, ``landmark`` (name or number), ``x``, ``y``, ``z`` and those above.

An empty cell or ``nan`` means that the joint was not seen. For example, for a layout with two joints::

    frame,head_x,head_y,head_z,pelvis_x,pelvis_y,pelvis_z
    0,0.02,1.61,2.90,0.01,0.95,2.88
    1,0.03,1.61,2.89,,,

Label, subject, camera and frame rate stand in the folder's ``labels.csv`` (see ``catalog.folder``).
"""

from __future__ import annotations

import csv
import difflib
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from hitrs.data.formats.csv_header import AXES, Header, normal, read_header
from hitrs.data.formats.format import Format, Head, layout_hint, one
from hitrs.data.formats.frames import regular_rate
from hitrs.data.formats.people import join_joints, seat
from hitrs.data.formats.text_rows import MAX_LINE, TextLines
from hitrs.data.recording import Recording
from hitrs.errors import DataError, did_you_mean, located
from hitrs.files import atomic_file, explained_writes, harmless_cell
from hitrs.skeleton import Layout, get_layout, list_layouts
from hitrs.skeleton.names import find_joints, known_names

_SPARSE = 10
"""A file that spans more than this many times the frames it has counts no frames: it has time stamps."""
_NUMBERED = {33: "mediapipe33", 21: "hand21"}
"""Layouts of so many joints that are known by number only."""
_ROWS = 1 << 10
"""So many rows are held as Python's numbers at a time."""
_LARGEST = 1e15
"""Larger numbers count no frames."""


def read_csv(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one recording, named after its file.

    Args:
        layout: by default the named layout with exactly the joints of the header.

    Raises:
        DataError: for a file that is missing or empty, columns that do not fit the layout, a row of another
            length, a cell that is no number or infinite, or a frame that occurs twice (naming line and
            column).
    """
    path = Path(path)
    table = _read(path)
    header = table.header
    keys = list(header.joints) if header.landmark is None else table.names["landmark"]
    layout = layout or _guess_layout(path, header, keys)
    order = _order(path, header, keys, layout)
    frames, persons = _frame_numbers(path, table), table.codes.get("person", np.zeros(len(table.lines), int))
    first, count = int(frames.min()), int(frames.max() - frames.min()) + 1
    if count > _SPARSE * len(np.unique(frames)):
        raise DataError(
            f"{path}: frame numbers run from {first} to {frames.max()}, but only {len(np.unique(frames))} "
            "frames are there. 'frame' must count frames; leave it out if it holds time stamps."
        )
    points, seen, hidden = _points(table, order, layout)
    joints = np.zeros(len(frames), np.int64)
    if header.landmark is not None:
        joints = np.array([order[key] for key in keys])[table.codes["landmark"]]
    _check_once(path, table, frames, persons, joints)
    fps, notes = _rate(table, frames)
    if header.landmark is not None:
        points, seen, frames, persons = join_joints(frames, persons, joints, points[:, 0], seen[:, 0], layout)
    positions, valid = seat(path, frames, persons.tolist(), points, seen, first, count, layout, notes)
    if hidden:
        notes.append(f"{hidden} joints count as not seen, as the file says that they were hardly visible")
    with located(path):
        return Recording(
            positions, valid, layout, name=path.stem, fps=fps, source=path.name, notes=tuple(notes)
        )


@dataclass
class _Table:
    """The rows of a file: numbers, and codes of what is named in them."""

    header: Header
    columns: dict[int, int]
    """Column of the file -> column of ``numbers``."""
    numbers: np.ndarray
    """(rows, columns) float64, NaN where a cell is empty."""
    codes: dict[str, np.ndarray]
    """"person" and "landmark", where there are such columns: (rows,) int, a place in ``names``."""
    names: dict[str, list[str]]
    lines: np.ndarray
    """(rows,) int, line numbers."""

    def column(self, place: int) -> np.ndarray:
        return self.numbers[:, self.columns[place]]


def _read(path: Path) -> _Table:
    """All rows that are not blank, turned into numbers a block at a time: texts take ten times the memory."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline(MAX_LINE)
            file.seek(0)
            delimiter = max(",;\t", key=first.count)
            reader = csv.reader(_short_lines(path, file), delimiter=delimiter)
            header = read_header(path, next(reader, []))
            named = {"person": header.person, "landmark": header.landmark}
            texts = {name: place for name, place in named.items() if place is not None}
            numeric = [
                place for place in range(len(header.cells)) if place not in (*texts.values(), *header.unknown)
            ]
            blocks: list[np.ndarray] = []
            block: list[list[float]] = []
            lines = array("q")
            known: dict[str, dict[str, int]] = {name: {} for name in texts}
            codes = {name: array("q") for name in texts}
            for row in reader:
                if not row:
                    continue
                line = reader.line_num
                if len(row) != len(header.cells):
                    raise DataError(
                        f"{path}, line {line}: {len(row)} cells, but the header has {len(header.cells)} "
                        "columns."
                    )
                block.append([_number(path, line, header, row, place) for place in numeric])
                lines.append(line)
                for name, place in texts.items():
                    cell = _landmark(row[place]) if name == "landmark" else row[place].strip()
                    codes[name].append(known[name].setdefault(cell, len(known[name])))
                    if name == "landmark":
                        header.spelled.setdefault(cell, row[place].strip())
                if len(block) == _ROWS:
                    blocks.append(np.array(block))
                    block = []
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV text file in UTF-8: {error}.") from error
    if not lines:
        raise DataError(f"{path} is an empty sequence: it has a header but no frames.")
    if block:
        blocks.append(np.array(block))
    return _Table(
        header,
        {place: number for number, place in enumerate(numeric)},
        np.concatenate(blocks),
        {name: np.array(code) for name, code in codes.items()},
        {name: list(cells) for name, cells in known.items()},
        np.array(lines),
    )


def _short_lines(path: Path, file: TextIO) -> Iterator[str]:
    return iter(TextLines(path, file))


def _landmark(cell: str) -> str:
    name = normal(cell)
    return (name.lstrip("0") or "0") if name.isdigit() else name


def _points(table: _Table, order: dict[str, int], layout: Layout) -> tuple[np.ndarray, np.ndarray, int]:
    """Points (rows, J, C) and seen (rows, J), J = 1 in the long form; and how many were hardly visible."""
    header, axes = table.header, AXES[: layout.dims]
    long = header.landmark is not None
    places = {"": 0} if long else order
    shape = (len(table.lines), len(places))
    points, visible = np.empty((*shape, layout.dims)), np.ones(shape, bool)
    for key, joint in places.items():
        for axis, name in enumerate(axes):
            points[:, joint, axis] = table.column(header.joints[key][name])
        if key in header.scores:
            column, least = header.scores[key]
            visible[:, joint] = ~(table.column(column) <= least)  # an empty cell says nothing
    seen = ~np.isnan(points).any(-1)
    return points, seen & visible, int((~visible).sum())


def _check_once(
    path: Path, table: _Table, frames: np.ndarray, persons: np.ndarray, joints: np.ndarray
) -> None:
    """Whether no row tells a second time where a joint of a person is in a frame."""
    keys = np.stack([frames, persons, joints], 1)
    _, first = np.unique(keys, axis=0, return_index=True)
    if len(first) < len(keys):
        row = int(np.setdiff1d(np.arange(len(keys)), first)[0])
        hint = "" if table.header.person is not None else "; several persons need a column 'person'"
        raise DataError(f"{path}, line {table.lines[row]}: frame {frames[row]} occurs twice{hint}.")


def _guess_layout(path: Path, header: Header, keys: Sequence[str]) -> Layout:
    dims = 3 if any("z" in axes for axes in header.joints.values()) else 2
    if keys and all(key.isdigit() for key in keys):
        name = _NUMBERED.get(len(keys))
        if name is not None and dims == 3:
            return get_layout(name)
        raise DataError(f"{path} numbers its {len(keys)} joints. {layout_hint(len(keys), dims)}")
    have, layouts = set(keys), [get_layout(name) for name in list_layouts()]
    odd = {
        each.name: have ^ {normal(joint) for joint in each.joints} for each in layouts if each.dims == dims
    }
    meant = {normal(name) for name in known_names([header.spelled.get(key, key) for key in keys])}
    for each in layouts:
        if each.dims == dims and len(meant) == len(have) and meant == {normal(j) for j in each.joints}:
            return each
    nearest = min(odd, key=lambda name: len(odd[name]))
    if not odd[nearest]:
        return get_layout(nearest)
    hint = ";"
    if len(odd[nearest]) < len(have) / 2:
        missing, unknown = odd[nearest] - have, sorted(odd[nearest] & have)
        said = [f"it also has {', '.join(sorted(missing)[:5])}"] if missing else []
        if unknown:
            names = ", ".join(header.spelled.get(key, key) for key in unknown[:5])
            near = did_you_mean(unknown[0], map(normal, get_layout(nearest).joints))
            said.append(f"it does not know {names}{near}")
        told = "; ".join(said)
        hint = f". Nearest is {nearest}: {told}{'' if told.endswith('?') else '.'} Correct the columns, or"
    raise DataError(
        f"{path}: no named layout has exactly these {len(keys)} joints in {dims}-D{hint} give the layout "
        f"({', '.join(list_layouts())}, or your own .yaml file)."
    )


def _order(path: Path, header: Header, keys: Sequence[str], layout: Layout) -> dict[str, int]:
    """Joint as the file names it -> its place in the layout."""
    axes = AXES[: layout.dims]
    if keys and all(key.isdigit() for key in keys):
        start = min(int(key) for key in keys)
        known = {str(number + start): number for number in range(layout.n_joints)}
    else:
        known = {normal(joint): number for number, joint in enumerate(layout.joints)}
        if not set(keys) <= known.keys():  # perhaps by other names for the same joints
            places = find_joints(layout.joints, [header.spelled.get(key, key) for key in keys])
            meant = {keys[place]: number for number, place in enumerate(places) if place is not None}
            known = {**{key: n for key, n in known.items() if n not in meant.values()}, **meant}
    joint_names = {number: key for key, number in known.items()}
    if sum(key not in known for key in keys) > len(keys) / 2:
        other = _guess_layout(path, header, keys)
        raise DataError(
            f"{path}: its joints are those of layout '{other.name}', not of '{layout.name}'; leave the "
            "layout out, or name this one."
        )
    long = header.landmark is not None
    names = list(known) if long else [f"{layout.joints[n]}_{axis}" for n in joint_names for axis in axes]
    for key in keys:
        wrong = next((axis for axis in header.joints["" if long else key] if axis not in axes), None)
        if key not in known or wrong is not None:
            column = key if long else header.cells[next(iter(header.joints[key].values()))]
            _refuse(path, column if wrong is None else f"{key}_{wrong}", names, layout)
    for place in header.unknown:
        _refuse(path, header.cells[place], names, layout)
    if long:
        missing = [axis for axis in axes if axis not in header.joints[""]]
    else:
        missing = [
            f"{layout.joints[number]}_{axis}"
            for number, key in joint_names.items()
            for axis in axes
            if axis not in header.joints.get(key, {})
        ]
    if missing:
        raise DataError(
            f"{path}: {len(missing)} columns of layout '{layout.name}' are missing, the first is "
            f"'{missing[0]}'. Name the layout that the file has, or write one for it."
        )
    return {key: known[key] for key in keys}


def _refuse(path: Path, column: str, names: Sequence[str], layout: Layout) -> None:
    near = difflib.get_close_matches(column, names, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    raise DataError(
        f"{path}: the column '{column}' fits no joint of the {layout.dims}-D layout '{layout.name}'{hint}"
    )


def _frame_numbers(path: Path, table: _Table) -> np.ndarray:
    """(rows,) int."""
    header = table.header
    if header.frame is None:
        if header.person is not None or header.landmark is not None:
            what = "person" if header.person is not None else "landmark"
            raise DataError(f"{path} has a column '{what}', so it also needs the column 'frame'.")
        return np.arange(len(table.lines))
    frames = table.column(header.frame)
    odd = np.flatnonzero(~(np.abs(frames) < _LARGEST) | (frames != np.round(frames)))
    if len(odd):
        line, value = table.lines[odd[0]], frames[odd[0]]
        raise DataError(f"{path}, line {line}: 'frame' is {value}, expected a whole number.")
    return frames.astype(np.int64)


def _rate(table: _Table, frames: np.ndarray) -> tuple[float | None, list[str]]:
    """Frames per second by the time stamps, and what is to be said about them."""
    if table.header.time is None:
        return None, []
    return regular_rate(frames, table.column(table.header.time))


def _number(path: Path, line: int, header: Header, row: list[str], column: int) -> float:
    """The value of a cell, NaN where it is empty."""
    cell, name = row[column], header.cells[column]
    try:
        value = float(cell) if cell.strip() else np.nan
    except ValueError as error:
        hint = " Write decimal points, not commas." if re.fullmatch(r"\s*-?\d+,\d+\s*", cell) else ""
        raise DataError(f"{path}, line {line}: '{name}' is '{cell}', expected a number.{hint}") from error
    if np.isinf(value):
        raise DataError(
            f"{path}, line {line}: '{name}' is infinite; leave the cell empty if the joint was not seen."
        )
    return value


def _matches(head: Head) -> bool:
    return bool(head.text.strip())  # the last to be asked; the reader says what is wrong with the header


FORMAT = Format("csv", "a table with a header", (".csv", ".tsv"), _matches, one(read_csv), memory=32)


def write_csv(recording: Recording, path: str | Path) -> None:
    """Write positions as columns ``<joint>_x``, ...; unseen joints are empty cells. Replaces a file.

    With a known frame rate there is a column ``time`` in seconds, with several persons a column ``person``.

    Raises:
        DataError: if the file cannot be written.
    """
    path, layout = Path(path), recording.layout
    several = recording.n_persons > 1
    head = ["frame", *(["time"] if recording.fps else []), *(["person"] if several else [])]
    head += [f"{joint}_{axis}" for joint in layout.joints for axis in AXES[: layout.dims]]
    with (
        atomic_file(path) as part,
        explained_writes(path),
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([harmless_cell(name) for name in head])
        for frame in range(recording.n_frames):
            for person in range(recording.n_persons):
                row: list[object] = [frame]
                row += [f"{frame / recording.fps:.6f}"] if recording.fps else []
                row += [person] if several else []
                seen = np.repeat(recording.valid[frame, person], layout.dims)
                values = recording.positions[frame, person].ravel()
                row += [f"{value:.6g}" if known else "" for value, known in zip(values, seen, strict=True)]
                writer.writerow(row)
