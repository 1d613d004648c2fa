"""CSV: a table with a header line. What spreadsheets, scripts and most trackers can write.

One row per frame, columns in any order, with ``,``, ``;`` or a tab between them:

- ``<joint>_x``, ``<joint>_y``, ``<joint>_z`` for every joint of the layout, in meters; without ``_z`` for a
  2-D layout, in pixels. Joints are found by name, whatever their order and case. Or by number: ``x0, y0, z0,
  x1, ...``, as scripts around MediaPipe write it.
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
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hitrs.data.formats.csv_header import AXES, Header, normal, read_header
from hitrs.data.formats.format import Format, Head, layout_hint, one
from hitrs.data.formats.frames import regular_rate
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.files import atomic_file, explained_writes
from hitrs.skeleton import Layout, get_layout, list_layouts

_SPARSE = 10
"""A file that spans more than this many times the frames it has counts no frames: it has time stamps."""
_NUMBERED = {33: "mediapipe33", 21: "hand21"}
"""Layouts of so many joints that are known by number only."""
Line = tuple[int, list[str]]
"""Line number and cells."""


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
    header, rows = _rows(path)
    keys = list(header.joints) if header.landmark is None else _landmarks(header, rows)
    layout = layout or _guess_layout(path, header, keys)
    order = _order(path, header, keys, layout)
    frames, persons = _frame_numbers(path, header, rows)
    slots = {person: slot for slot, person in enumerate(dict.fromkeys(persons))}
    first, count = min(frames), max(frames) - min(frames) + 1
    if count > _SPARSE * len(set(frames)):
        raise DataError(
            f"{path}: frame numbers run from {first} to {max(frames)}, but only {len(set(frames))} frames "
            "are there. 'frame' must count frames; leave it out if it holds time stamps."
        )
    positions = np.full((count, len(slots), layout.n_joints, layout.dims), np.nan)
    taken: set[tuple[int, str, int]] = set()
    hidden = 0
    for (line, row), frame, person in zip(rows, frames, persons, strict=True):
        for key, joint in _joints_of(header, row, order):
            if (frame, person, joint) in taken:
                hint = "" if header.person is not None else "; several persons need a column 'person'"
                raise DataError(f"{path}, line {line}: frame {frame} occurs twice{hint}.")
            taken.add((frame, person, joint))
            columns = header.joints[key]
            point = [_number(path, line, header, row, columns[axis]) for axis in AXES[: layout.dims]]
            score, least = header.scores.get(key, (None, 0.0))
            if score is not None and _number(path, line, header, row, score) <= least:
                hidden += 1
                continue
            positions[frame - first, slots[person], joint] = point
    fps, notes = _rate(path, header, rows, frames)
    if hidden:
        notes.append(f"{hidden} joints count as not seen, as the file says that they were hardly visible")
    with located(path):
        return Recording(
            positions,
            ~np.isnan(positions).any(-1),
            layout,
            name=path.stem,
            fps=fps,
            source=path.name,
            notes=tuple(notes),
        )


def _rows(path: Path) -> tuple[Header, list[Line]]:
    """The header, and the line number and cells of each row that is not blank."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=first.count)
            reader = csv.reader(file, delimiter=delimiter)
            cells = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV text file in UTF-8: {error}.") from error
    header = read_header(path, cells)
    if not rows:
        raise DataError(f"{path} is an empty sequence: it has a header but no frames.")
    for line, row in rows:
        if len(row) != len(cells):
            raise DataError(
                f"{path}, line {line}: {len(row)} cells, but the header has {len(cells)} columns."
            )
    return header, rows


def _landmarks(header: Header, rows: Sequence[Line]) -> list[str]:
    """The joints of a table with a row per joint."""
    return list(dict.fromkeys(_landmark(header, row) for _, row in rows))


def _landmark(header: Header, row: list[str]) -> str:
    assert header.landmark is not None
    name = normal(row[header.landmark])
    return (name.lstrip("0") or "0") if name.isdigit() else name


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
    nearest = min(odd, key=lambda name: len(odd[name]))
    if not odd[nearest]:
        return get_layout(nearest)
    hint = ";"
    if len(odd[nearest]) < len(have) / 2:
        missing, unknown = odd[nearest] - have, odd[nearest] & have
        lists = [", ".join(sorted(names)[:5]) or "none" for names in (missing, unknown)]
        hint = f". Nearest is {nearest} (missing: {lists[0]}; unknown: {lists[1]}). Correct the columns, or"
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
    joint_names = {number: key for key, number in known.items()}
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


def _joints_of(header: Header, row: list[str], order: dict[str, int]) -> list[tuple[str, int]]:
    """(key of its columns, place in the layout) of each joint in a row."""
    if header.landmark is None:
        return list(order.items())
    return [("", order[_landmark(header, row)])]


def _frame_numbers(path: Path, header: Header, rows: Sequence[Line]) -> tuple[list[int], list[str]]:
    """Frame number and person of each row."""
    if header.frame is None:
        if header.person is not None or header.landmark is not None:
            what = "person" if header.person is not None else "landmark"
            raise DataError(f"{path} has a column '{what}', so it also needs the column 'frame'.")
        return list(range(len(rows))), [""] * len(rows)
    frames = []
    for line, row in rows:
        value = _number(path, line, header, row, header.frame)
        if not value.is_integer():
            raise DataError(f"{path}, line {line}: 'frame' is {value}, expected a whole number.")
        frames.append(int(value))
    persons = [row[header.person].strip() if header.person is not None else "" for _, row in rows]
    return frames, persons


def _rate(
    path: Path, header: Header, rows: Sequence[Line], frames: Sequence[int]
) -> tuple[float | None, list[str]]:
    """Frames per second by the time stamps, and what is to be said about them."""
    if header.time is None:
        return None, []
    times: dict[int, float] = {}
    for (line, row), frame in zip(rows, frames, strict=True):
        times.setdefault(frame, _number(path, line, header, row, header.time))
    return regular_rate(times)


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


FORMAT = Format("csv", "a table with a header", (".csv", ".tsv"), _matches, one(read_csv))


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
        writer.writerow(head)
        for frame in range(recording.n_frames):
            for person in range(recording.n_persons):
                row: list[object] = [frame]
                row += [f"{frame / recording.fps:.6f}"] if recording.fps else []
                row += [person] if several else []
                seen = np.repeat(recording.valid[frame, person], layout.dims)
                values = recording.positions[frame, person].ravel()
                row += [f"{value:.6g}" if known else "" for value, known in zip(values, seen, strict=True)]
                writer.writerow(row)
