"""CSV: one row per frame, comma-separated, with a header line. What spreadsheets and most trackers can write.

Columns, in any order:

- ``<joint>_x``, ``<joint>_y``, ``<joint>_z`` for every joint of the layout, in meters. For a 2-D layout there
  is no
  ``_z``, and the unit is pixels. The joints are found by name, so their order does not matter.
- ``frame`` (optional): the frame's number. Numbers that are left out become frames in which nobody was seen.
  Without this column the rows are consecutive frames.
- ``person`` (optional, needs ``frame``): any name or number; a frame then has one row for each person in it.

An empty cell or ``nan`` means that the joint was not seen. For example, for a layout with two joints::

    frame,head_x,head_y,head_z,pelvis_x,pelvis_y,pelvis_z
    0,0.02,1.61,2.90,0.01,0.95,2.88
    1,0.03,1.61,2.89,,,

Label, subject, camera and frame rate stand in the folder's ``labels.csv`` (see ``catalog.folder``).
"""

from __future__ import annotations

import csv
import difflib
from pathlib import Path

import numpy as np

from hitrs.data.formats.base import Format, Head, one
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout, list_layouts

_AXES = ("x", "y", "z")
_SPARSE = 10
"""A file that spans more than this many times the frames it has counts no frames: it has time stamps."""


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
    layout = layout or _guess_layout(path, header)
    columns = _joint_columns(path, header, layout)  # (J, C) column numbers
    frames, persons = _frame_numbers(path, header, rows)
    slots = {person: slot for slot, person in enumerate(dict.fromkeys(persons))}
    first, count = min(frames), max(frames) - min(frames) + 1
    if count > _SPARSE * len(set(frames)):
        raise DataError(
            f"{path}: frame numbers run from {first} to {max(frames)}, but only {len(set(frames))} frames "
            "are there. 'frame' must count frames; leave it out if it holds time stamps."
        )
    positions = np.full((count, len(slots), layout.n_joints, layout.dims), np.nan)
    taken: set[tuple[int, str]] = set()
    for (line, row), frame, person in zip(rows, frames, persons, strict=True):
        if (frame, person) in taken:
            hint = "" if "person" in header else "; several persons need a column 'person'"
            raise DataError(f"{path}, line {line}: frame {frame} occurs twice{hint}.")
        taken.add((frame, person))
        values = [_number(path, line, header[column], row[column]) for column in columns.ravel()]
        positions[frame - first, slots[person]] = np.reshape(values, columns.shape)
    with located(path):
        return Recording(positions, ~np.isnan(positions).any(-1), layout, name=path.stem, source=path.name)


def _rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the line number and cells of each row that is not blank."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [cell.strip() for cell in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV text file: {error}.") from error
    if not any(cell.endswith("_x") for cell in header):
        raise DataError(
            f"{path}: the first line must be a comma-separated header with columns such as head_x."
        )
    repeated = next((cell for cell in header if header.count(cell) > 1), None)
    if repeated is not None:
        raise DataError(f"{path}: the column '{repeated}' occurs twice.")
    if not rows:
        raise DataError(f"{path} is an empty sequence: it has a header but no frames.")
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(row)} cells, but the header has {len(header)} columns."
            )
    return header, rows


def _guess_layout(path: Path, header: list[str]) -> Layout:
    joints = {cell[:-2] for cell in header if cell.endswith("_x")}
    dims = 3 if any(cell.endswith("_z") for cell in header) else 2
    for name in list_layouts():
        layout = get_layout(name)
        if set(layout.joints) == joints and layout.dims == dims:
            return layout
    raise DataError(
        f"{path}: no named layout has exactly these {len(joints)} joints in {dims}-D; give the layout "
        f"({', '.join(list_layouts())}, or your own .yaml file)."
    )


def _joint_columns(path: Path, header: list[str], layout: Layout) -> np.ndarray:
    """(J, C) column numbers of the layout's coordinates."""
    wanted = [[f"{joint}_{axis}" for axis in _AXES[: layout.dims]] for joint in layout.joints]
    names = [name for row in wanted for name in row]
    for cell in header:
        if cell not in names and cell not in ("frame", "person"):
            near = difflib.get_close_matches(cell, names, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else "."
            raise DataError(
                f"{path}: the column '{cell}' fits no joint of the {layout.dims}-D layout "
                f"'{layout.name}'{hint}"
            )
    missing = [name for name in names if name not in header]
    if missing:
        raise DataError(
            f"{path}: {len(missing)} columns of layout '{layout.name}' are missing, the first is "
            f"'{missing[0]}'. Name the layout that the file has, or write one for it."
        )
    return np.array([[header.index(name) for name in row] for row in wanted])


def _frame_numbers(
    path: Path, header: list[str], rows: list[tuple[int, list[str]]]
) -> tuple[list[int], list[str]]:
    """Frame number and person of each row."""
    if "frame" not in header:
        if "person" in header:
            raise DataError(f"{path} has a column 'person', so it also needs the column 'frame'.")
        return list(range(len(rows))), [""] * len(rows)
    frames = []
    for line, row in rows:
        value = _number(path, line, "frame", row[header.index("frame")])
        if not value.is_integer():
            raise DataError(f"{path}, line {line}: 'frame' is {value}, expected a whole number.")
        frames.append(int(value))
    persons = [row[header.index("person")].strip() if "person" in header else "" for _, row in rows]
    return frames, persons


def _number(path: Path, line: int, column: str, cell: str) -> float:
    """The value of a cell, NaN where it is empty."""
    try:
        value = float(cell) if cell.strip() else np.nan
    except ValueError as error:
        raise DataError(f"{path}, line {line}: '{column}' is '{cell}', expected a number.") from error
    if np.isinf(value):
        raise DataError(
            f"{path}, line {line}: '{column}' is infinite; leave the cell empty if the joint was not seen."
        )
    return value


def _matches(head: Head) -> bool:
    return bool(head.text.strip())  # the last to be asked; the reader says what is wrong with the header


FORMAT = Format("csv", "a table, one row a frame", (".csv",), _matches, one(read_csv))
