"""``segments.csv`` of an own folder: which action stands where in untrimmed recordings.

Columns: ``file``, ``label``, and either ``start`` and ``stop`` in frames, counted from 0, the frame ``stop``
no longer part of it; or ``start_seconds`` and ``stop_seconds``, for recordings whose frame rate is known::

    file,label,start,stop
    morning.csv,fall,120,185
    morning.csv,stand up,190,260
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hitrs.data.catalog.csv_lines import read_lines
from hitrs.data.recording import Segment
from hitrs.errors import DataError

FILE_NAME = "segments.csv"
_FRAMES, _SECONDS = ("start", "stop"), ("start_seconds", "stop_seconds")


@dataclass(frozen=True)
class Stretch:
    """One line of the table."""

    line: int
    file: str
    label: str
    start: float
    stop: float
    seconds: bool
    """Whether start and stop are seconds; otherwise they are frames."""


def read_segments(path: Path) -> list[Stretch]:
    """Read and check a ``segments.csv``.

    Raises:
        DataError: for a file that is no CSV text, other columns, a line of another length, an empty cell, or
            bounds that are no numbers in rising order (naming the line).
    """
    header, lines = read_lines(path)
    bounds = next((pair for pair in (_FRAMES, _SECONDS) if set(header) == {"file", "label", *pair}), None)
    if bounds is None or len(header) != 4:
        raise DataError(
            f"{path} has the columns {', '.join(header) or 'none'}; expected file, label, start, stop "
            "(frames) or file, label, start_seconds, stop_seconds."
        )
    found = []
    for line, cells in lines:
        values = dict(zip(header, cells, strict=False))
        if len(cells) != len(header) or not all(values.values()):
            raise DataError(f"{path}, line {line}: expected a value in each of the {len(header)} columns.")
        start, stop = (_number(path, line, name, values[name]) for name in bounds)
        if not 0 <= start < stop:
            raise DataError(f"{path}, line {line}: '{values['label']}' runs from {start:g} to {stop:g}.")
        found.append(Stretch(line, values["file"], values["label"], start, stop, bounds is _SECONDS))
    return found


def to_segments(
    stretches: Sequence[Stretch], frames: int, fps: float | None, table: Path
) -> tuple[Segment, ...]:
    """The segments of one recording of so many frames, by their start.

    Raises:
        DataError: if they are given in seconds and the frame rate is not known, or reach past the end (naming
            the line).
    """
    if fps is None and any(stretch.seconds for stretch in stretches):
        raise DataError(
            f"{table}, line {stretches[0].line}: the segments of '{stretches[0].file}' are in seconds, but "
            "its frame rate is not known; add a column 'fps' to labels.csv."
        )
    segments = []
    for stretch in stretches:
        rate = fps if stretch.seconds and fps is not None else 1.0
        start = round(stretch.start * rate)
        stop = max(start + 1, round(stretch.stop * rate))
        if stop > frames:
            raise DataError(
                f"{table}, line {stretch.line}: '{stretch.label}' ends at frame {stop}, but '{stretch.file}' "
                f"has {frames} frames."
            )
        segments.append(Segment(start, stop, stretch.label))
    return tuple(sorted(segments, key=lambda segment: segment.start))


def _number(path: Path, line: int, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    whole = column in _SECONDS or (math.isfinite(value) and value.is_integer())
    if not math.isfinite(value) or not whole:
        kind = "a number" if column in _SECONDS else "a whole number of frames"
        raise DataError(f"{path}, line {line}: {column} is '{cell}', expected {kind}.")
    return value
