"""The tables that people put into a folder of recordings: CSV with a header line."""

from __future__ import annotations

import csv
from pathlib import Path

from hitrs.errors import DataError


def read_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header's cells, and of each line that is not empty its number and cells, stripped.

    Raises:
        DataError: for a file that cannot be read or is no CSV text.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [cell.strip() for cell in next(reader, [])]
            return header, [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV text file: {error}.") from error
