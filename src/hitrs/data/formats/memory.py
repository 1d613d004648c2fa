"""How much memory a reader may take for one file.

Each format states a bound as a multiple of the size of its files, which is checked before one is read. What
is packed (npz, HDF5, MATLAB, pickles) and the arrays of a recording, which gaps in frame numbers can make
larger than any file, are checked where they are about to be made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from hitrs.errors import ConfigError, DataError

DEFAULT = 4 << 30
"""Bytes; a reader takes more only where ``memory_limit`` or ``hitrs import --max-memory`` says so."""
PER_NUMBER = 16
"""Bytes that become of a number of an array, besides its own, on its way into a recording."""
_PER_JOINT = 64
"""Bytes of a joint in a frame while its recording is made: positions, validity, and copies of both."""
_limit: ContextVar[int] = ContextVar("limit", default=DEFAULT)


@contextmanager
def memory_limit(size: int | None) -> Iterator[None]:
    """Let readers take so many bytes for a file; None changes nothing.

    Example:
        >>> with memory_limit(16 << 30):
        ...     recording = read_recording("a_day.csv")

    Raises:
        ConfigError: if it is not positive.
    """
    if size is not None and size <= 0:
        raise ConfigError(f"a reader cannot do with {size} bytes of memory")
    token = _limit.set(_limit.get() if size is None else size)
    try:
        yield
    finally:
        _limit.reset(token)


def reserve(path: str | Path, size: float, what: str) -> None:
    """Refuse what would take more memory than is allowed.

    Args:
        path: file, which begins the message.
        size: bytes that are about to be taken.
        what: what for.

    Raises:
        DataError: if that is more than the limit.
    """
    if size > _limit.get():
        raise DataError(
            f"{path}: {what} may take {size / (1 << 30):,.1f} GiB of memory; a file gets at most "
            f"{_limit.get() / (1 << 30):,.1f}. Cut it into parts, or allow more: hitrs import --max-memory "
            f"{size / (1 << 30) + 1:.0f} (GiB)."
        )


def reserve_joints(path: str | Path, count: int) -> None:
    """``reserve`` for a recording of so many joints times frames times persons."""
    reserve(path, count * _PER_JOINT, f"a recording of {count:,} joints times frames")


def room_for_joints() -> int:
    """So many joints times frames times persons ``reserve_joints`` allows."""
    return _limit.get() // _PER_JOINT
