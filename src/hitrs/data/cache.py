"""Copies on this machine of objects that lie elsewhere: bounded, shared by processes, known by their content.

A file's name is the SHA-256 of what it holds, so that two versions of an object never mix and two addresses
of one store share their copies. It appears when it is complete; what a kill leaves half-written is removed by
the next process. When room is needed, the files go whose last use is longest ago: one that another process
has mapped stays readable for that one.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hitrs.errors import ConfigError, DataError, WriteError
from hitrs.files import atomic_file, explained_writes, locked, sha256_of

FOLDER_VARIABLE, SIZE_VARIABLE = "HITRS_CACHE", "HITRS_CACHE_SIZE"
"""Variables of the environment that name the folder of what can be made again, and say how large the copies
in it may become together ("20 GB")."""
DEFAULT_SIZE = 10 << 30
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}  # fmt: skip
_LOCKS = 16
"""Objects share so many locks: a file for each would be left for each."""


def cache_folder() -> Path:
    """Where what can be made again is kept: the pose environment, poses of videos, copies of stores."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "hitrs"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "hitrs"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hitrs"


@dataclass(frozen=True)
class Cache:
    """A folder of files named by their SHA-256, together never larger than ``limit`` bytes."""

    folder: Path
    limit: int

    @classmethod
    def of_environment(cls) -> Cache:
        """``stores`` in the cache folder, with 10 GiB unless the environment says otherwise.

        Raises:
            ConfigError: for a size that is none.
        """
        folder = cache_folder() / "stores"
        given = os.environ.get(SIZE_VARIABLE, "").strip()
        if not given:
            return cls(folder, DEFAULT_SIZE)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Z]*)", given.upper())
        if match is None or match[2] not in _UNITS:
            raise ConfigError(f"{SIZE_VARIABLE} must be a size such as '20 GB' or '500 MiB', got '{given}'")
        return cls(folder, int(float(match[1]) * _UNITS[match[2]]))

    def path(self, sha256: str) -> Path:
        """Where an object is, or would be."""
        return self.folder / sha256

    def use(self, sha256: str) -> bool:
        """Whether an object is here; its last use is now."""
        try:
            os.utime(self.path(sha256))
        except OSError:
            return False
        return True

    def drop_damaged(self, sha256: str, size: int) -> None:
        """Remove an object that is not what its name says: disks and other programs change files, too."""
        path = self.path(sha256)
        with suppress(FileNotFoundError):
            if path.stat().st_size != size or sha256_of(path) != sha256:
                path.unlink()

    def add(self, sha256: str, size: int, fetch: Callable[[Path], None]) -> None:
        """Have ``fetch`` fill a file, unless another process has just done so.

        Args:
            fetch: writes the object to a path that exists, or raises.

        Raises:
            DataError: if the cache may not become as large as the object.
            WriteError: if the disk is full, or the folder cannot be written.
        """
        if size > self.limit:
            raise DataError(
                f"an object of {size:,} bytes does not fit the cache {self.folder}, which may hold "
                f"{self.limit:,}; allow it more ({SIZE_VARIABLE}, now {self.limit / 1e9:g} GB)"
            )
        with self._hold(str(int(sha256[:8], 16) % _LOCKS)):
            if self.use(sha256):
                return
            with self._explained(), atomic_file(self.path(sha256)) as part, explained_writes(self.folder):
                with self._hold("room"):
                    self._make_room(size)
                    with part.open("xb") as file:
                        file.truncate(size)  # others see from now on that this room is taken
                fetch(part)

    def _hold(self, what: str) -> AbstractContextManager[None]:
        # whoever fetches gives up after a while (``remote.PATIENCE``), so that waiting ends, too
        return locked(self.folder, f"the cache {self.folder}", name=f".lock-{what}", wait=3600.0)

    def _make_room(self, size: int) -> None:
        files = []
        for entry in os.scandir(self.folder):
            with suppress(FileNotFoundError):  # another process has finished or removed it just now
                if not entry.name.startswith((".lock", ".holder")):
                    state = entry.stat()
                    files.append((state.st_mtime_ns, state.st_size, entry.path, entry.name))
        excess = sum(bytes_of for _, bytes_of, _, _ in files) + size - self.limit
        for _, bytes_of, path, name in sorted(files):
            if excess <= 0:
                return
            if len(name) == 64:  # what is being fetched counts, and stays
                with suppress(OSError):  # on Windows another process has it mapped
                    os.unlink(path)
                    excess -= bytes_of

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except WriteError as error:
            raise WriteError(
                f"{error} What is read of stores on other machines is kept there; {FOLDER_VARIABLE} names "
                f"another folder, {SIZE_VARIABLE} how much it may hold."
            ) from error
