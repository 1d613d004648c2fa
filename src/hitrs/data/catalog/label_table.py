"""The table of an own folder: ``labels.csv`` says for each file what it shows, who moves and which part it is
in.

Columns: ``file`` (path within the folder, with or without suffix) and any of ``label``, ``subject``,
    ``camera``,
``fps`` and ``split`` ("train", "test" or empty). An empty cell means unknown::

    file,label,subject,camera,fps
    walk_01.csv,walk,anna,,30
    walk_02.csv,walk,ben,,30
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from hitrs.data.catalog.csv_lines import read_lines
from hitrs.data.writer import PARTS
from hitrs.errors import DataError

FILE_NAME = "labels.csv"
COLUMNS = ("file", "label", "subject", "camera", "fps", "split")


@dataclass(frozen=True)
class Row:
    """One line of the table; None = unknown."""

    line: int
    file: str
    label: str | None = None
    subject: str | None = None
    camera: str | None = None
    fps: float | None = None
    split: str | None = None


@dataclass(frozen=True)
class Table:
    rows: tuple[Row, ...]
    has_split: bool
    """Whether there is a column ``split``."""


def read_table(path: Path) -> Table:
    """Read and check a ``labels.csv``.

    Raises:
        DataError: for a file that is no CSV text, an unknown or missing column, a line of another length, a
            file named twice, a frame rate that is no positive number, or a split other than train and test
            (naming the line).
    """
    header, lines = read_lines(path)
    for column in header:
        if column not in COLUMNS:
            near = difflib.get_close_matches(column[:80], COLUMNS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known columns: {', '.join(COLUMNS)}."
            raise DataError(f"{path} has an unknown column '{column}'; {hint}")
    if "file" not in header or len(set(header)) != len(header):
        raise DataError(f"{path} needs a header line with a column 'file', and no column twice.")
    rows: dict[str, Row] = {}
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
        if values.get("split", PARTS[0]) not in PARTS:
            raise DataError(
                f"{path}, line {line}: split is '{values['split']}', expected train, test or nothing."
            )
        rows[name] = Row(line, name, fps=fps, **values)
    return Table(tuple(rows.values()), "split" in header)


def _fps(path: Path, line: int, cell: str | None) -> float | None:
    if cell is None:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise DataError(
            f"{path}, line {line}: fps is '{cell}', expected a positive number, or nothing if unknown."
        )
    return value
