"""TRC: markers as tab-separated text, of OpenSim and Motion Analysis.

Three lines of facts (rate, numbers of frames and markers, unit), a line of marker names, a line of column
names, then a line per frame: its number, time, and x, y, z of each marker. Empty cells or NaN: not seen. The
markers become joints as those of C3D do (``c3d_file``); positions become meters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from hitrs.data.formats.format import Format, one
from hitrs.data.formats.markers import MAX_JOINTS, METERS, fit_layout
from hitrs.data.formats.memory import reserve_joints
from hitrs.data.formats.text_rows import open_text
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout


def read_trc(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one file; (T, 1, J, 3).

    Args:
        layout: joints named as markers of the file; by default all markers.

    Raises:
        DataError: for a file that is missing, damaged or cut off, other numbers of frames or markers than
            declared, or a cell that is no finite number (naming line, frame and marker).
    """
    path = Path(path)
    notes: list[str] = []
    with open_text(path) as file:
        head = [line.rstrip("\r\n") for line in islice(file, 4)]
        with located(path):
            facts = _facts(head)
            names = _names(head)
        declared = [_whole(path, facts, key) for key in ("NumFrames", "NumMarkers")]
        if declared[1] not in (None, len(names)):
            raise DataError(f"{path} declares {declared[1]} markers, but line 4 names {len(names)}.")
        rows, jumps = _rows(path, enumerate(file, 5), names)
    if not rows:
        raise DataError(f"{path} has no frames.")
    if declared[0] not in (None, len(rows)):
        raise DataError(
            f"{path} declares {declared[0]} frames, but has {len(rows)}; it may be cut off. If all its "
            "frames are there, correct NumFrames in line 3."
        )
    if jumps:
        notes.append(f"the frame numbers jump in {len(jumps)} places, first at frame {jumps[0]}")
    unit = facts.get("Units", "")
    scale = METERS.get(unit.lower())
    if scale is None:
        notes.append(f"the unit '{unit}' is not known: positions are as in the file, not converted to meters")
    fps = _rate(facts, notes)
    with located(path):
        fitted, order = fit_layout(names, layout, notes)
        positions: np.ndarray = np.stack(rows)  # (T, J, 3)
        rows.clear()
        if order != list(range(len(names))):
            positions = positions[:, order]
        np.multiply(positions, np.float64(scale or 1.0), out=positions, casting="unsafe")
        return Recording(
            positions[:, None],
            np.isfinite(positions).all(-1)[:, None],
            fitted,
            name=path.stem,
            fps=fps,
            source=path.name,
            notes=tuple(notes),
        )


def _facts(head: list[str]) -> dict[str, str]:
    if len(head) < 4 or not head[0].startswith("PathFileType"):
        raise DataError(
            "is not a TRC file: its first line must start with PathFileType, and four lines follow."
        )
    return dict(zip(head[1].split(), head[2].split(), strict=False))


def _names(head: list[str]) -> list[str]:
    names = [name.strip() for name in head[3].split("\t")]
    names = [name for name in names if name][2:]  # after Frame# and Time
    if not 1 <= len(names) <= MAX_JOINTS:
        raise DataError(f"line 4 names {len(names)} markers, expected 1 to {MAX_JOINTS}, separated by tabs.")
    return names


def _whole(path: Path, facts: dict[str, str], key: str) -> int | None:
    if key not in facts:
        return None
    if not facts[key].isdecimal() or len(facts[key]) > 18:
        raise DataError(f"{path}, line 3: {key} is '{facts[key][:40]}', expected a whole number.")
    return int(facts[key])


def _rate(facts: dict[str, str], notes: list[str]) -> float | None:
    try:
        rate = float(facts.get("DataRate", "nan"))
    except ValueError:
        rate = math.nan
    if math.isfinite(rate) and rate > 0:
        return rate
    notes.append(f"no frame rate: the file says '{facts.get('DataRate', '')[:40]}'")
    return None


def _rows(
    path: Path, lines: Iterator[tuple[int, str]], names: list[str]
) -> tuple[list[np.ndarray], list[int]]:
    """(J, 3) float32 of each frame, NaN where not seen; and frames at which the frame number jumps."""
    rows: list[np.ndarray] = []
    jumps: list[int] = []
    last, width = None, 2 + 3 * len(names)
    for number, line in lines:
        cells = [cell.strip() for cell in line.rstrip("\r\n").split("\t")]
        if not any(cells) or (not rows and number == 5 and not cells[0]):  # blank, or X1 Y1 Z1 ...
            continue
        where = f"{path}, line {number} (frame {len(rows)})"
        if len(cells) < 2 or any(cells[width:]):
            raise DataError(f"{where}: {len(cells)} cells, expected {width}; the file may be cut off.")
        if not cells[0].isdecimal() or len(cells[0]) > 18:
            raise DataError(f"{where}: the frame number is '{cells[0][:40]}', expected a whole number.")
        if last is not None and int(cells[0]) != last + 1:
            jumps.append(len(rows))
        last = int(cells[0])
        cells = (cells + [""] * width)[2:width]  # unseen markers at the end of a line are often left out
        try:
            with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
                row = np.array([cell or "nan" for cell in cells], np.float64).astype(np.float32)
        except ValueError:
            row = np.full(width - 2, np.inf, np.float32)
        if np.isinf(row).any():
            raise DataError(_bad_cell(where, cells, names))
        rows.append(row.reshape(-1, 3))
        reserve_joints(path, len(rows) * len(names))
    return rows, jumps


def _bad_cell(where: str, cells: list[str], names: list[str]) -> str:
    for column, cell in enumerate(cells):
        try:
            good = not abs(float(cell or "nan")) > float(np.finfo(np.float32).max)
        except ValueError:
            good = False
        if not good:
            return f"{where}: '{cell[:40]}' of marker '{names[column // 3]}' is no number, or too large."
    return f"{where} is no row of numbers."


FORMAT = Format(
    name="trc",
    title="TRC markers (OpenSim, Motion Analysis)",
    suffixes=(".trc",),
    matches=lambda head: head.text.lstrip().startswith("PathFileType"),
    read=one(read_trc),
    memory=48,
)
