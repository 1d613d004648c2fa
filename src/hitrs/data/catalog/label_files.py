"""The tables that people put into a folder of recordings: CSV with a header line.

In place of commas semicolons or tabs will do, and then a decimal comma.

``labels.csv`` says for each file what it shows, who moves and which part it is in. Columns: ``file`` (path
within the folder, with or without suffix) and any of ``label``, ``subject``, ``camera``, ``session``, ``fps``
and ``split`` ("train", "test" or empty). An empty cell means unknown::

    file,label,subject,camera,fps
    walk_01.csv,walk,anna,,30
    walk_02.csv,walk,ben,,30

``segments.csv`` says which action stands where in untrimmed recordings. Columns: ``file``, ``label``, and
either ``start`` and ``stop`` in frames, counted from 0, the frame ``stop`` no longer part of it; or
``start_seconds`` and ``stop_seconds``, for recordings whose frame rate is known::

    file,label,start,stop
    morning.csv,fall,120,185
    morning.csv,stand up,190,260
"""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hitrs.data.recording import CATEGORIES, Segment
from hitrs.data.writer import PARTS
from hitrs.errors import DataError

LABELS, SEGMENTS = "labels.csv", "segments.csv"
COLUMNS = ("file", "label", *CATEGORIES, "fps", "split")
"""Of ``labels.csv``."""
_FRAMES, _SECONDS = ("start", "stop"), ("start_seconds", "stop_seconds")


def _read_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header's cells, and of each line that is not empty its number and cells, stripped.

    Raises:
        DataError: for a file that cannot be read or is no CSV text.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=_delimiter(first))
            header = [cell.strip() for cell in next(reader, [])]
            return header, [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV text file: {error}.") from error


def _delimiter(header: str) -> str:
    """What stands between the names of columns: a comma, or what spreadsheets write in its place."""
    return max(",;\t", key=header.count)


@dataclass(frozen=True)
class LabelRow:
    """One line of ``labels.csv``; what is unknown is None or left out."""

    line: int
    file: str
    texts: Mapping[str, str] = field(default_factory=dict)
    """Of label, subject, camera, ... those that are known."""
    fps: float | None = None
    split: str | None = None


@dataclass(frozen=True)
class LabelTable:
    rows: tuple[LabelRow, ...]
    has_split: bool
    """Whether there is a column ``split``."""


def read_label_table(path: Path) -> LabelTable:
    """Read and check a ``labels.csv``.

    Raises:
        DataError: for a file that is no CSV text, an unknown or missing column, a line of another length, a
            file named twice, a frame rate that is no positive number, or a split other than train and test
            (naming the line).
    """
    header, lines = _read_lines(path)
    for column in header:
        if column not in COLUMNS:
            near = difflib.get_close_matches(column[:80], COLUMNS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known columns: {', '.join(COLUMNS)}."
            raise DataError(f"{path} has an unknown column '{column}'; {hint}")
    if "file" not in header or len(set(header)) != len(header):
        raise DataError(f"{path} needs a header line with a column 'file', and no column twice.")
    rows: dict[str, LabelRow] = {}
    for line, cells in lines:
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(cells)} cells, but the header has {len(header)} columns."
            )
        values = {column: cell for column, cell in zip(header, cells, strict=True) if cell}
        name = values.pop("file", "")
        if not name or name in rows:
            problem = f"names the file '{name}' again" if name else "names no file"
            raise DataError(f"{path}, line {line} {problem}.")
        fps = _fps(path, line, values.pop("fps", None))
        split = values.pop("split", None)
        if split not in (None, *PARTS):
            raise DataError(f"{path}, line {line}: split is '{split}', expected train, test or nothing.")
        rows[name] = LabelRow(line, name, values, fps, split)
    return LabelTable(tuple(rows.values()), "split" in header)


def _fps(path: Path, line: int, cell: str | None) -> float | None:
    if cell is None:
        return None
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise DataError(
            f"{path}, line {line}: fps is '{cell}', expected a positive number, or nothing if unknown."
        )
    return value


@dataclass(frozen=True)
class SegmentRow:
    """One line of ``segments.csv``."""

    line: int
    file: str
    label: str
    start: float
    stop: float
    seconds: bool
    """Whether start and stop are seconds; otherwise they are frames."""


def read_segments(path: Path) -> list[SegmentRow]:
    """Read and check a ``segments.csv``.

    Raises:
        DataError: for a file that is no CSV text, other columns, a line of another length, an empty cell, or
            bounds that are no numbers in rising order (naming the line).
    """
    header, lines = _read_lines(path)
    bounds = next((pair for pair in (_FRAMES, _SECONDS) if set(header) == {"file", "label", *pair}), None)
    if bounds is None or len(header) != 4:
        raise DataError(
            f"{path} has the columns {', '.join(header) or 'none'}; expected file, label, start, stop "
            "(frames) or file, label, start_seconds, stop_seconds."
        )
    rows = []
    for line, cells in lines:
        values = dict(zip(header, cells, strict=False))
        if len(cells) != len(header) or not all(values.values()):
            raise DataError(f"{path}, line {line}: expected a value in each of the {len(header)} columns.")
        start, stop = (_bound(path, line, name, values[name]) for name in bounds)
        if not 0 <= start < stop:
            raise DataError(f"{path}, line {line}: '{values['label']}' runs from {start:g} to {stop:g}.")
        rows.append(SegmentRow(line, values["file"], values["label"], start, stop, bounds is _SECONDS))
    return rows


def to_segments(
    rows: Sequence[SegmentRow], frames: int, fps: float | None, table: Path
) -> tuple[Segment, ...]:
    """The segments of one recording of so many frames, by their start; they may end one frame late.

    Raises:
        DataError: if they are given in seconds and the frame rate is not known, or reach further past the end
            (naming the line).
    """
    if fps is None and any(row.seconds for row in rows):
        raise DataError(
            f"{table}, line {rows[0].line}: the segments of '{rows[0].file}' are in seconds, but "
            "its frame rate is not known; add a column 'fps' to labels.csv."
        )
    segments = []
    for row in rows:
        rate = fps if row.seconds and fps is not None else 1.0
        start = round(row.start * rate)
        stop = max(start + 1, round(row.stop * rate))
        if stop > frames + 1 or start >= frames:
            raise DataError(
                f"{table}, line {row.line}: '{row.label}' ends at frame {stop}, but '{row.file}' "
                f"has {frames} frames, counted from 0; is this in another unit, or of another frame rate?"
            )
        segments.append(Segment(start, stop, row.label))
    return tuple(sorted(segments, key=lambda segment: segment.start))


def _bound(path: Path, line: int, column: str, cell: str) -> float:
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        value = math.nan
    whole = column in _SECONDS or (math.isfinite(value) and value.is_integer())
    if not math.isfinite(value) or not whole:
        kind = "a number" if column in _SECONDS else "a whole number of frames"
        raise DataError(f"{path}, line {line}: {column} is '{cell}', expected {kind}.")
    return value
