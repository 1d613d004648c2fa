"""CSV files of results, which spreadsheets open: what is named in data must not be a formula there."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hitrs.files import atomic_file, explained_writes, harmless_cell


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; None is an empty cell. Replaces a file.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, and characters that
    control a terminal are written out.

    Raises:
        DataError: if the file cannot be written.
    """
    with (
        atomic_file(path) as part,
        explained_writes(path),
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        for row in (header, *rows):
            writer.writerow([harmless_cell(cell) if isinstance(cell, str) else cell for cell in row])
