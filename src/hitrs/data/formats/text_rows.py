"""Long text files of numbers: read in blocks of rows by numpy, with the line that is wrong named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from hitrs.data.formats.memory import reserve_joints
from hitrs.errors import DataError

MAX_LINE = 1 << 21
"""Longer lines make no sense: 1,000 joints with six numbers have less than a tenth of that."""
_BLOCK_VALUES = 1 << 16
"""About so many numbers or joints are worked on at a time."""


class TextLines:
    """The lines of a text file, none of them longer than ``MAX_LINE``: one may be as long as the file."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path, self._file, self._number = path, file, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def rewind(self) -> None:
        """Back to the first line."""
        self._file.seek(0)
        self._number = 0

    def readline(self) -> str:
        """The next line, empty at the end."""
        line = self._file.readline(MAX_LINE)
        self._number += 1
        if len(line) == MAX_LINE:
            raise DataError(
                f"{self._path}, line {self._number} has more than {MAX_LINE:,} characters; it seems damaged."
            )
        return line


@contextmanager
def open_text(path: Path, errors: str = "strict") -> Iterator[TextLines]:
    """Open a UTF-8 text file; what goes wrong while it is read becomes a DataError.

    Args:
        errors: "replace" where comments of another encoding may stand beside the numbers.
    """
    try:
        with path.open(encoding="utf-8-sig", errors=errors, newline=None) as file:
            yield TextLines(path, file)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a UTF-8 text file ({error.reason}); it may be damaged.") from error


def number_blocks(
    lines: Iterable[tuple[int, str]],
    columns: int,
    delimiter: str | None,
    path: Path,
    joints: int,
    *,
    missing: bool = False,
) -> Iterator[np.ndarray]:
    """Rows of numbers, a block at a time; blank lines are passed over.

    Args:
        lines: (line number, line).
        delimiter: between numbers; None = white space.
        joints: that a row becomes; blocks are smaller for more.
        missing: whether nan may stand for what was not seen.

    Yields:
        (n, columns) float64, n >= 1, all finite but for what is missing.

    Raises:
        DataError: naming line and frame (0-based) of a row with another number of columns, or of a value that
            is no finite number.
    """
    rows = ((number, line) for number, line in lines if line.strip())
    size, frame = max(1, _BLOCK_VALUES // max(columns, joints, 1)), 0
    while block := list(islice(rows, size)):
        try:
            values = np.loadtxt([line for _, line in block], delimiter=delimiter, ndmin=2, comments=None)
        except (ValueError, OverflowError):
            values = np.empty((0, 0))
        good = np.isfinite(values) | (np.isnan(values) if missing else False)
        if values.shape != (len(block), columns) or not good.all():
            _explain(block, columns, delimiter, path, frame, missing)
        yield values
        frame += len(block)


def _explain(
    block: list[tuple[int, str]], columns: int, delimiter: str | None, path: Path, frame: int, missing: bool
) -> None:
    for offset, (number, line) in enumerate(block):
        where = f"{path}, line {number} (frame {frame + offset})"
        cells = line.split(delimiter)
        if len(cells) != columns:
            raise DataError(f"{where}: {len(cells)} numbers, expected {columns}; the file may be cut off.")
        for column, cell in enumerate(cells, 1):
            try:
                finite = np.isfinite(float(cell)) or (missing and np.isnan(float(cell)))
            except ValueError:
                raise DataError(f"{where}: '{cell.strip()[:40]}' in column {column} is no number.") from None
            if not finite:
                raise DataError(f"{where}: column {column} is {cell.strip()}, expected a finite number.")
    raise DataError(f"{path}, lines {block[0][0]} to {block[-1][0]} are not rows of {columns} numbers.")


def gather(
    blocks: Iterable[np.ndarray], convert: Callable[[np.ndarray], np.ndarray], path: Path
) -> np.ndarray:
    """Convert each block of rows to positions and join them.

    Args:
        convert: (n, columns) -> (n, J, 3).

    Returns:
        (T, J, 3) float32.

    Raises:
        DataError: if there are no frames, more than memory allows, or positions too large for float32.
    """
    parts: list[np.ndarray] = []
    total = 0
    for block in blocks:
        with np.errstate(over="ignore", invalid="ignore"):  # reported as not finite below
            positions = convert(block).astype(np.float32)
        bad = ~np.isfinite(positions).all(axis=(1, 2))
        if bad.any():
            frame = total // positions.shape[1] + int(bad.argmax())
            raise DataError(f"{path}, frame {frame}: the numbers are too large to give positions.")
        parts.append(positions)
        total += positions.shape[0] * positions.shape[1]
        reserve_joints(path, total)
    if not parts:
        raise DataError(f"{path} has no frames.")
    return np.concatenate(parts)
