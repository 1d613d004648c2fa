"""DeepLabCut: body parts of one or several animals in pixels, as .csv or .h5 (the same table twice).

Columns are named on three or four levels: scorer, individual (where there are several animals), body part,
and x, y (and z) or likelihood. A point of likelihood 0.6 or less, DeepLabCut's own ``pcutoff``, counts as not
seen. The files know no frame rate and no skeleton: bones are those of the project's ``config.yaml``, if it
lies beside or above the file; else the layout is a star around the first body part. Body parts that have the
names of a known layout get that one. Labeled frames (``CollectedData_...``) are numbered as their pictures.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hitrs.data.formats.csv_header import SCORES
from hitrs.data.formats.format import Format, Head, one
from hitrs.data.formats.hdf5 import array, group, holds, is_hdf5, open_hdf5
from hitrs.data.formats.markers import MAX_JOINTS, chosen_joints, edge_layout
from hitrs.data.formats.memory import reserve
from hitrs.data.formats.people import frame_span, seat
from hitrs.data.formats.plain_pickle import plain_value
from hitrs.data.formats.text_rows import number_blocks, open_text
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout

_LIKELIHOOD = "likelihood"
_COORDS = ("x", "y", "z", _LIKELIHOOD)
_TABLE = "df_with_missing"
_LEVELS = ("scorer", "individuals", "bodyparts", "coords")
_ANIMALS = 100
_MEMORY = 40
"""Times the size of a CSV file that reading it takes before a recording is made."""
_ABOVE, _MAX_CONFIG = 3, 1 << 17


@dataclass(frozen=True)
class _Table:
    """What both kinds of files hold."""

    columns: list[tuple[str, str, str]]
    """(animal, body part, coordinate)."""
    values: np.ndarray
    """(rows, columns) float64, NaN where nothing stands."""
    frames: list[int]
    """Of each row."""


def read_deeplabcut(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one file; (T, P, J, 2), or 3-D where it has z.

    Args:
        layout: joints named as body parts of the file; by default all body parts.

    Raises:
        DataError: for a file that is missing, damaged, or whose columns are not DeepLabCut's (naming line or
            column), and for .h5 without h5py.
    """
    path = Path(path)
    with path.open("rb") as file:
        hdf5 = is_hdf5(Head(path, file.read(16)))
    if not hdf5:
        size = path.stat().st_size
        reserve(path, _MEMORY * size, f"{size / 1e6:,.0f} MB of DeepLabCut")
    table = _hdf5(path) if hdf5 else _csv(path)
    notes: list[str] = []
    with located(path):
        dims, animals, parts = _named(table.columns)
        own_layout, order = edge_layout("deeplabcut", parts, _bones(path, parts), dims)
        fitted, chosen = chosen_joints(own_layout, layout, notes)
        points, seen = _points(table, dims, animals, [parts[order[joint]] for joint in chosen], notes)
    first, count = frame_span(path, table.frames, "Are these labeled frames of several videos?")
    rows = len(table.frames)
    there = seen.any(-1)  # (rows, P): an animal that is not there has no detection
    frame, animal = np.nonzero(there) if there.any() else (np.arange(rows), np.zeros(rows, int))
    positions, valid = seat(
        path,
        np.array(table.frames)[frame],
        [animals[number] for number in animal.tolist()],
        points[frame, animal],
        seen[frame, animal],
        first,
        count,
        fitted,
        notes,
    )
    with located(path):
        return Recording(positions, valid, fitted, name=path.stem, source=path.name, notes=tuple(notes))


def _bones(path: Path, parts: Sequence[str]) -> list[tuple[int, int]]:
    """The skeleton of the project, none where it has none or its file cannot be read."""
    for folder in list(path.resolve().parents)[:_ABOVE]:
        file = folder / "config.yaml"
        if not file.is_file() or file.stat().st_size > _MAX_CONFIG:
            continue
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            return []
        bones = content.get("skeleton") if isinstance(content, dict) else None
        pairs = [bone for bone in bones if isinstance(bone, list)] if isinstance(bones, list) else []
        known = [bone for bone in pairs if len(bone) == 2 and all(part in parts for part in bone)]
        return [(parts.index(start), parts.index(stop)) for start, stop in known]
    return []


def _named(columns: Sequence[tuple[str, str, str]]) -> tuple[int, list[str], list[str]]:
    """Coordinates, animals and body parts of columns."""
    odd = next((coord for *_, coord in columns if coord not in _COORDS), None)
    if odd is not None or len(set(columns)) < len(columns):
        what = "two columns are the same" if odd is None else f"a column is '{odd[:40]}'"
        raise DataError(f"is no table of DeepLabCut: {what}; expected x, y and likelihood of each body part.")
    animals = list(dict.fromkeys(animal for animal, *_ in columns))
    parts = list(dict.fromkeys(part for _, part, _ in columns))
    if len(parts) > MAX_JOINTS or len(animals) > _ANIMALS:
        raise DataError(f"has {len(parts)} body parts and {len(animals)} animals, more than make sense.")
    return (3 if any(coord == "z" for *_, coord in columns) else 2), animals, parts


def _points(
    table: _Table, dims: int, animals: Sequence[str], parts: Sequence[str], notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """(rows, P, J, C) and seen (rows, P, J)."""
    place = {column: number for number, column in enumerate(table.columns)}
    shape = (len(table.values), len(animals), len(parts))
    points, sure = np.full((*shape, dims), np.nan), np.ones(shape, bool)
    for a, animal in enumerate(animals):
        for p, part in enumerate(parts):
            for c, coord in enumerate(_COORDS[:dims]):
                if (animal, part, coord) in place:
                    points[:, a, p, c] = table.values[:, place[animal, part, coord]]
            if (animal, part, _LIKELIHOOD) in place:
                sure[:, a, p] = table.values[:, place[animal, part, _LIKELIHOOD]] > SCORES[_LIKELIHOOD]
    there = np.isfinite(points).all(-1)
    hidden = int((there & ~sure).sum())
    if hidden:
        notes.append(
            f"{hidden} of {int(there.sum())} points of likelihood {SCORES[_LIKELIHOOD]:g} or less count as "
            "not seen"
        )
    return points, there & sure


def _csv(path: Path) -> _Table:
    with open_text(path) as file:
        levels: dict[str, list[str]] = {}
        number = 0
        while "coords" not in levels:
            line = file.readline()
            number += 1
            try:
                cells = next(csv.reader([line]), [])
            except csv.Error as error:
                raise DataError(f"{path}, line {number}: {error}.") from error
            if not cells or cells[0] not in _LEVELS or cells[0] in levels:
                raise DataError(
                    f"{path}, line {number}: expected one of {', '.join(_LEVELS)} in the first cell."
                )
            levels[cells[0]] = cells
        index = next((place for place, cell in enumerate(levels["coords"]) if cell in _COORDS), 0)
        width = len(levels["coords"])
        levels.pop("scorer", None)
        if not index or "bodyparts" not in levels or any(len(cells) != width for cells in levels.values()):
            raise DataError(f"{path}: the lines of bodyparts and coords do not fit one another.")
        animals = levels.get("individuals", [""] * width)
        columns = list(zip(animals, levels["bodyparts"], levels["coords"], strict=True))[index:]
        names: list[str] = []
        lines = _numbers(file, number, index, len(columns), names)
        values = list(number_blocks(lines, len(columns), ",", path, 1, missing=True))
    if not values:
        raise DataError(f"{path} has no frames.")
    return _Table(columns, np.concatenate(values), _frames(names))


def _numbers(file: Any, number: int, index: int, columns: int, names: list[str]) -> Any:
    """(line number, the numbers of a line), nan in empty cells; the frame's name goes into ``names``."""
    for line in file:
        number += 1
        cells = [cell.strip() for cell in line.rstrip("\r\n").split(",")]
        if not any(cells):
            continue
        names.append("/".join(cells[:index]))
        if not any(cells[index:]):  # a frame in which nothing is seen may have fewer cells
            cells = [*cells[:index], *[""] * columns]
        yield number, ",".join(cell or "nan" for cell in cells[index:])


def _frames(names: Sequence[str]) -> list[int]:
    """Frame numbers: those at the end of the names, or the order of the rows if these tell none."""
    ends = [re.search(r"(\d{1,15})(?:\.\d+)?(?:\.[A-Za-z]+)?$", name) for name in names]
    frames = [int(match[1]) for match in ends if match]
    return frames if len(set(frames)) == len(names) else list(range(len(names)))


def _hdf5(path: Path) -> _Table:
    with open_hdf5(path) as file:
        folder = group(file, _TABLE)
        table = None if folder is None else array(folder, "table", path, "V")
        if table is None or not {"index", "values_block_0"} <= set(table.dtype.names or ()):
            raise DataError(
                f"{path} holds no table of DeepLabCut that can be read; save it as .csv (in DeepLabCut: "
                "analyze_videos(..., save_as_csv=True)) and import that."
            )
        blocks = [name for name in table.dtype.names or () if name.startswith("values_block_")]
        if len(blocks) > 1 or table["values_block_0"].ndim != 2:
            raise DataError(f"{path}: a table of {len(blocks)} blocks, expected one of numbers.")
        kind = _own_attribute(path, file[_TABLE]["table"], "values_block_0_kind")
        values, index = table["values_block_0"].astype(np.float64), table["index"]
    levels = [tuple(map(str, column)) for column in kind if isinstance(column, tuple)]
    if len(levels) != values.shape[1] or {len(column) for column in levels} - {3, 4}:
        raise DataError(f"{path}: {len(levels)} columns are named, but the table has {values.shape[1]}.")
    columns = [("", *column[1:]) if len(column) == 3 else column[1:] for column in levels]
    if index.dtype.kind in "iu":
        frames = [int(frame) for frame in index]
    else:
        frames = _frames([bytes(name).decode("utf-8", errors="replace") for name in index])
    if not frames:
        raise DataError(f"{path} has no frames.")
    return _Table([(a, b, c) for a, b, c in columns], values, frames)


def _own_attribute(path: Path, table: Any, name: str) -> list[Any]:
    value = table.attrs.get(name)
    data = value if isinstance(value, bytes) else bytes(value) if isinstance(value, np.bytes_) else b""
    kind = plain_value(data, f"{path}: the names of its columns")
    if not isinstance(kind, list):
        raise DataError(f"{path}: the names of its columns are no list; the file may be damaged.")
    return kind


def _matches(head: Head) -> bool:
    return head.text.startswith("scorer,") or holds(head, _TABLE)


FORMAT = Format("deeplabcut", "DeepLabCut body parts", (".csv", ".h5"), _matches, one(read_deeplabcut))
