"""Writing files and folders so that they are either complete or not there, and saying why a write failed."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hitrs.errors import DataError

_FULL = {errno.ENOSPC} | ({errno.EDQUOT} if hasattr(errno, "EDQUOT") else set())


@contextmanager
def explained_writes(target: Path) -> Iterator[None]:
    """Turn an OSError of a write into a DataError that names the target and the reason."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DataError(
                f"the disk is full: could not finish writing {target}. Nothing was left behind; free some "
                "space or choose another place, then run the command again."
            ) from error
        raise DataError(f"cannot write {target}: {error.strerror or error}.") from error


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yields a temporary path; on success it replaces ``target``, on any failure it is removed."""
    part = _sibling(target)
    with explained_writes(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        with explained_writes(target):
            os.replace(part, target)
    finally:
        with suppress(FileNotFoundError):  # it is gone when all went well
            part.unlink()


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yields a new temporary folder; on success it takes the place of ``target``, on any failure it is
    removed. The caller decides beforehand whether an existing target may be replaced.
    """
    part = _sibling(target)
    try:
        with explained_writes(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            part.mkdir()
        yield part
        replace_folder(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def replace_folder(part: Path, target: Path) -> None:
    """Put a complete folder in the place of ``target``, on the same file system.

    The old folder is moved aside first and deleted last, so that a failing rename leaves it where it was.
    """
    old = _sibling(target)
    with explained_writes(target):
        if target.exists():
            os.replace(target, old)
        try:
            os.replace(part, target)
        except OSError:
            if old.exists():
                os.replace(old, target)
            raise
    shutil.rmtree(old, ignore_errors=True)


class HashedWriter:
    """A file that is written once from start to end, and knows its size and SHA-256 when it is closed."""

    def __init__(self, path: Path, target: Path) -> None:
        """``target`` is what error messages name: ``path`` is usually temporary."""
        self.target = target
        self._hash = hashlib.sha256()
        self._size = 0
        with explained_writes(target):
            self._file = path.open("xb")

    def write(self, data: bytes | memoryview) -> int:
        with explained_writes(self.target):
            self._file.write(data)
        self._hash.update(data)
        self._size += len(data)
        return len(data)

    def close(self) -> dict[str, int | str]:
        """Flush to disk and return {"bytes": size, "sha256": checksum}."""
        with explained_writes(self.target):
            self._file.flush()
            os.fsync(
                self._file.fileno()
            )  # a folder is renamed next: its content must not lag behind its name
            self._file.close()
        return {"bytes": self._size, "sha256": self._hash.hexdigest()}

    def abandon(self) -> None:
        """Close without caring for the content (after a failure; the file is about to be deleted)."""
        with suppress(OSError):  # closing flushes, which fails again on a full disk
            self._file.close()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 18):
            digest.update(piece)
    return digest.hexdigest()


def _sibling(target: Path) -> Path:
    """A new hidden name beside the target, so that the final rename stays on one file system."""
    return target.parent / f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part"
