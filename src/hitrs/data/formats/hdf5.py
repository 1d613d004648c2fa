"""HDF5 files, opened with care: what a file declares is checked before anything is read.

Only plain arrays of numbers, text and records are read; links to other files, data that lies in other files
and objects of other kinds are refused. Needs h5py, which ``pip install "hitrs[hdf5]"`` brings.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.format import Head
from hitrs.data.formats.memory import PER_NUMBER, reserve
from hitrs.errors import DataError

_MAGIC = b"\x89HDF\r\n\x1a\n"
_HEAP, _OBJECT = b"GCOL\x01\0\0\0", 16
_SECONDS = 60
_MEMORY = 4 << 30
"""Bytes that this process may take, where the system has such a bound."""
_TOO_LARGE = 3
"""How it ends where they are not enough."""
VISITOR = """
import sys

try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
except (ImportError, ValueError, OSError):  # not on Windows, and not any number everywhere
    pass
import h5py

def look(action):
    try:
        return action()
    except MemoryError:
        sys.exit(int(sys.argv[3]))
    except Exception:  # what is refused here is refused there, with its reason
        return None

def visit(item, depth):
    for key in look(lambda: list(item.attrs)) or ():
        look(lambda: item.attrs[key])
    if isinstance(item, h5py.Dataset) and item.dtype.hasobject and item.size and not item.external:
        look(lambda: item[()])
    if isinstance(item, h5py.Group) and depth:
        for key in look(lambda: list(item)) or ():
            if look(lambda: isinstance(item.get(key, getlink=True), h5py.HardLink)):
                child = look(lambda: item[key])
                if child is not None:
                    look(lambda: visit(child, depth - 1))

with h5py.File(sys.argv[1]) as file:
    visit(file, 16)
"""
_WRONG = (
    OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError, AttributeError, OverflowError,
    MemoryError, NotImplementedError, RecursionError,
)  # fmt: skip


def is_hdf5(head: Head) -> bool:
    return head.data.startswith(_MAGIC)


def holds(head: Head, *names: str) -> bool:
    """Whether a file is HDF5 and has these names at its root; True where it cannot be told: without h5py, or
    damaged. Raises nothing."""
    if not is_hdf5(head):
        return False
    try:
        import h5py

        _check(head.path)
        with h5py.File(head.path) as file:
            return set(names) <= set(file)
    except (ImportError, DataError, *_WRONG):
        return True


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """The open file; what goes wrong while it is read becomes a DataError.

    Raises:
        DataError: also where h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(
            f'{path} is an HDF5 file, which needs h5py: pip install "hitrs[hdf5]" (or pip install h5py).'
        ) from error
    try:
        _check(path)
        with h5py.File(path) as file:
            yield file
    except DataError:
        raise
    except _WRONG as error:
        raise DataError(
            f"{path} is not an HDF5 file that can be read ({error}); it may be damaged."
        ) from error


def _check(path: Path) -> None:
    """Refuse what the library would not survive: heaps of texts without end, and whatever makes it crash."""
    state = path.stat()
    _check_once(path, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _check_once(path: Path, *_: int) -> None:
    """Once while the file is the same: several formats ask what is in it."""
    _walk_heaps(path)
    _visit(path)


def _visit(path: Path) -> None:
    """Let a process of its own read every attribute and text: a length in them that is damaged can make the
    library read where nothing is, which would end this process."""
    command = [sys.executable, "-I", "-c", VISITOR, os.fspath(path), str(_MEMORY), str(_TOO_LARGE)]
    one_core = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # the others reserve room that counts
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False, env=one_core)
        code = done.returncode
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"{path}: the library of HDF5 has not read its texts after {_SECONDS} s; the file may be damaged."
        ) from error
    if code == _TOO_LARGE:
        raise DataError(
            f"{path}: its texts take more than {_MEMORY >> 30} GiB to read; the file may be damaged."
        )
    if code < 0 or code > 255:  # a signal, or what Windows calls an exception
        raise DataError(f"{path} is damaged: the library of HDF5 crashes on it.")


def _walk_heaps(path: Path) -> None:
    """Objects of a heap follow each other; the library would walk one for ever that takes no room."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_HEAP)
        while start >= 0:
            size = int.from_bytes(data[start + 8 : start + 16], "little")
            end, place = min(start + size, len(data)), start + _OBJECT
            while place + _OBJECT <= end:
                index = int.from_bytes(data[place : place + 2], "little")
                length = int.from_bytes(data[place + 8 : place + 16], "little")
                step = length if index == 0 else _OBJECT + (length + 7) // 8 * 8  # 0 is what is free
                if step < _OBJECT or place + step > start + size:
                    raise DataError(f"{path} is damaged: a text at byte {place} of it has no end.")
                place += step
            start = data.find(_HEAP, start + 1)


def group(parent: Any, name: str) -> Any | None:
    """A group of this file, None where there is none of this name."""
    found = _own(parent, name)
    return found if found is not None and hasattr(found, "keys") else None


def array(parent: Any, name: str, path: Path, kinds: str = "fiub") -> np.ndarray | None:
    """An array of this file, None where there is none of this name.

    Args:
        kinds: what its numbers may be; "V": records of such numbers.

    Raises:
        DataError: if it is none, or needs more memory than a file may take.
    """
    found = _own(parent, name)
    if found is None:
        return None
    where = f"{path}: '{name}'"
    if not hasattr(found, "shape") or found.shape is None:
        raise DataError(f"{where} is no array.")
    if found.external or found.is_virtual:
        raise DataError(f"{where} lies in other files, which are never opened.")
    count = math.prod(found.shape)
    reserve(
        where, count * (found.dtype.itemsize + PER_NUMBER), f"{count * found.dtype.itemsize:,} bytes unpacked"
    )
    if found.dtype.hasobject or found.dtype.kind not in kinds:
        raise DataError(f"{where} is {found.dtype}, expected an array of another kind.")
    return np.asarray(found[()])


def texts(parent: Any, name: str, path: Path, most: int) -> list[str] | None:
    """A list of texts of this file, None where there is none of this name.

    Raises:
        DataError: if it is none, or there are more than ``most``.
    """
    found = _own(parent, name)
    if found is None:
        return None
    if not hasattr(found, "shape") or found.shape is None or len(found.shape) > 1 or found.external:
        raise DataError(f"{path}: '{name}' is no list of texts.")
    if math.prod(found.shape) > most:
        raise DataError(f"{path}: '{name}' has {math.prod(found.shape)} texts; at most {most} make sense.")
    values = np.atleast_1d(np.asarray(found[()], dtype=object)).tolist() if math.prod(found.shape) else []
    return [text(value) for value in values]


def text(value: Any) -> str:
    """A text as HDF5 gives it, bytes or str; empty for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) else ""


def json_value(value: Any, where: str) -> Any:
    """The content of a JSON text in a file.

    Raises:
        DataError: starting with ``where``, if it is none.
    """
    try:
        return json.loads(text(value))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is no JSON text ({error}); the file seems damaged.") from error


def _own(parent: Any, name: str) -> Any | None:
    """What stands under a name; None also for a link to another file."""
    import h5py

    link = parent.get(name, getlink=True)
    return None if link is None or isinstance(link, h5py.ExternalLink) else parent.get(name)
