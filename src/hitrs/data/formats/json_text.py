"""JSON text, read so that nothing in it can harm: size is limited; deep nesting and damage are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.errors import DataError

MAX_BYTES = 1 << 27
"""Longer files, or lines of JSON lines, are refused: their objects take up to twenty times as much memory."""
LARGEST = 1e30
"""Larger numbers are no coordinates; their squares would overflow."""
_TAIL = 10
"""An error so near the end of a text means that it was cut, for example inside "-Infinity"."""


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Numbers of more than 18 digits become float; NaN and Infinity are floats as Python reads them.

    Raises:
        DataError: for a file that cannot be read, is too long, cut short, damaged, or nested too deeply.
    """
    return _parse(_load(path), str(path))


def read_json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """(line number, content) of each line that is not blank, one at a time.

    Raises:
        DataError: as ``read_json``, naming the line.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_BYTES + 1):
                number += 1
                where = f"{path}, line {number}"
                if len(line) > MAX_BYTES:
                    raise DataError(f"{where} has more than {MAX_BYTES:,} bytes; a line is one frame.")
                if line.strip():
                    yield number, _parse(line, where)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error


def number_list(value: Any, where: str, expected: str) -> np.ndarray:
    """(n,) float64 of a list of numbers; null becomes NaN.

    Args:
        where: file, frame and key, which start the message of an error.
        expected: says in it what the list should be.

    Raises:
        DataError: if it is no list of numbers, or a number is infinite or larger than ``LARGEST``.
    """
    if not isinstance(value, list):
        raise DataError(f"{where} is {short(value)}, expected {expected}.")
    if not {type(item) for item in value} <= {int, float, type(None)}:
        odd = next(item for item in value if type(item) not in (int, float, type(None)))
        raise DataError(f"{where} has {short(odd)} among its numbers, expected {expected}.")
    numbers = np.array([np.nan if item is None else item for item in value], np.float64)
    if (np.abs(numbers) > LARGEST).any():
        odd = float(numbers[np.abs(numbers) > LARGEST][0])
        raise DataError(f"{where} has the number {odd}, expected {expected}, none of them as large.")
    return numbers


def whole_number(value: Any) -> int | None:
    """The whole number that a JSON value is (12, 12.0 or "12"), None if it is none."""
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e18:
        return int(value)
    return value if type(value) is int else None


def short(value: Any) -> str:
    """What a JSON value is, in a few words for a message."""
    if isinstance(value, dict):
        return f"an object with the keys {', '.join(repr(key[:30]) for key in list(value)[:5]) or '(none)'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return json.dumps(value)[:60]


def _load(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(
                f"{path} has {size:,} bytes of JSON; at most {MAX_BYTES:,} are read at once. Cut the video "
                "into parts of several minutes, or save its positions as npz."
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error


def _parse(data: bytes, where: str) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where} is not complete JSON (not UTF-8 text, {error.reason}); it seems damaged."
        ) from error
    try:
        return json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) - _TAIL or error.msg.startswith("Unterminated")
        how = "cut short" if cut else "damaged"
        raise DataError(
            f"{where} is not complete JSON ({error}); it seems {how}. Get the file again."
        ) from error
    except RecursionError as error:
        raise DataError(f"{where} is JSON nested too deeply to be read; it seems damaged.") from error
    except (ValueError, MemoryError) as error:
        raise DataError(f"{where} is JSON that cannot be read ({error}); it seems damaged.") from error


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= 18 else float(digits)
