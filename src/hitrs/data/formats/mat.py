"""MATLAB 5 files, opened with care: what a file declares is checked before anything is allocated.

scipy reads the values; here the elements of the file are walked first, because a few bytes can declare a cell
array or a compressed stream of any size. Only arrays of numbers and text are read.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from hitrs.data.formats.memory import reserve
from hitrs.errors import DataError

MAX_BYTES = 1 << 28
"""A file, or what it decompresses to, may have at most so many bytes (256 MB)."""
_HEADER = 128
_PER_VALUE = 40
"""Bytes that become of a value, of the least kind: what is read, its array, and positions made of it."""
_ELEMENTS = 10_000
"""More variables than this are a damaged file: millions of empty ones take minutes."""
_MATRIX, _COMPRESSED = 14, 15
_TEXT = 4
_PLAIN_CLASSES = frozenset((_TEXT, *range(6, 16)))  # text and numbers
_STORED_NUMBERS = frozenset((*range(1, 8), 9, 12, 13))
_STORED_TEXT = _STORED_NUMBERS | {16, 17, 18}
# scipy has no common error for files it cannot read; the last is a defect of it, over unknown classes
_UNREADABLE = (
    MatReadError, ValueError, TypeError, OSError, NotImplementedError, EOFError, IndexError, KeyError,
    zlib.error, struct.error, OverflowError, MemoryError, UnboundLocalError,
)  # fmt: skip


class _Variable(NamedTuple):
    """What a variable declares about itself."""

    name: str
    kind: int
    """MATLAB's class: cell, double, ..."""
    complex: bool
    values: int
    type: int
    """Of the numbers in the file; scipy looks it up without a check, so that a wrong one crashes Python."""
    stored: int
    """Bytes."""

    @property
    def plain(self) -> bool:
        types = _STORED_TEXT if self.kind == _TEXT else _STORED_NUMBERS
        return (
            self.kind in _PLAIN_CLASSES
            and not self.complex
            and self.values <= self.stored
            and self.type in types
        )


def load_mat(path: Path, names: Collection[str]) -> dict[str, np.ndarray]:
    """Variables of a file by name; those that are not there are left out.

    Raises:
        DataError: for a file that is missing, damaged, too large, of another version, or whose variables are
            no arrays of numbers or text.
    """
    data = _bytes(path)
    for each in _variables(data):
        if each.name in names and not each.plain:
            raise DataError(
                f"{path}: variable '{each.name}' declares {each.values} values in {each.stored} bytes of "
                f"type {each.type} and is of MATLAB's class {each.kind}; expected a plain array of numbers "
                "or text."
            )
        if each.name in names:
            reserve(path, each.values * _PER_VALUE, f"variable '{each.name}' of {each.values:,} values")
    try:
        content = loadmat(path, variable_names=list(names))
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    return {name: content[name] for name in names if name in content}


def mat_names(data: bytes) -> frozenset[str]:
    """Names of the variables in the start of a file; never raises."""
    names = set()
    try:
        for each in _variables(data, whole=False):
            names.add(each.name)
    except (DataError, *_UNREADABLE):
        pass  # the file is cut or none: what was found until then is all that can be said
    return frozenset(names)


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"{path} has {size} bytes; at most {MAX_BYTES} can be read from a MATLAB file.")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}.") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    if data[124:126] in (b"\x00\x02", b"\x02\x00") and data[:6] == b"MATLAB":
        raise DataError(f"{path} is a MATLAB 7.3 file (HDF5); save it again with the option -v7.")
    try:
        for _ in _variables(data):
            pass
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    return data


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is not a MATLAB file that can be read ({error}); it seems damaged. Get the file again."
    )


def _variables(data: bytes, whole: bool = True) -> Iterator[_Variable]:
    """What each variable declares; ValueError where it makes no sense. Of ``whole`` files the sizes count."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or len(data) < _HEADER:
        raise ValueError("it lacks the header of MATLAB 5 files")
    place, left = _HEADER, MAX_BYTES if whole else 1 << 10
    elements = 0
    while place + 8 <= len(data):
        elements += 1
        if elements > _ELEMENTS:
            raise ValueError(f"it has more than {_ELEMENTS} variables")
        kind, size = struct.unpack_from(f"{order}II", data, place)
        body = data[place + 8 : place + 8 + size]
        if whole and len(body) < size:
            raise ValueError(f"it ends within an element of {size} bytes")
        if kind == _COMPRESSED:
            inflater = zlib.decompressobj()
            body = inflater.decompress(body, max(left, 1))  # 0 would be no limit
            left -= len(body) if whole else 0
            kind, inner = struct.unpack_from(f"{order}II", body)
            body = body[8:]
            if whole and (len(body) < inner or (inflater.unconsumed_tail and not inflater.eof)):
                raise ValueError(f"a compressed element is cut, or all have more than {MAX_BYTES} bytes")
        if kind == _MATRIX and body:
            yield _variable(body, order)
        place += 8 + size


def _variable(body: bytes, order: str) -> _Variable:
    flags, place = _element(body, 0, order)
    dims, place = _element(body, place, order)
    name, place = _element(body, place, order)
    shape = struct.unpack(f"{order}{len(dims) // 4}i", dims[: len(dims) // 4 * 4])
    if any(length < 0 for length in shape):
        raise ValueError(f"an array of shape {shape}")
    word = struct.unpack_from(f"{order}I", flags)[0]
    tag = struct.unpack_from(f"{order}I", body, place)[0] if place + 4 <= len(body) else 0
    return _Variable(
        name=name.decode("ascii", errors="replace"),
        kind=word & 0xFF,
        complex=bool(word & 0x800),
        values=math.prod(shape),
        type=tag & 0xFFFF if tag >> 16 else tag,
        stored=len(body),
    )


def _element(body: bytes, place: int, order: str) -> tuple[bytes, int]:
    """The bytes of a small element, and where the next one begins."""
    kind, size = struct.unpack_from(f"{order}II", body, place)
    if kind >> 16:  # up to four bytes stand in the tag itself
        return body[place + 4 : place + 4 + (kind >> 16)], place + 8
    return body[place + 8 : place + 8 + size], place + 8 + (size + 7) // 8 * 8
