"""Changes of files as a process makes them, and what may happen to it at one of them."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink"}
_GROWS = {"open", "os.mkdir", "os.rename"}
"""What a full disk refuses."""


@dataclass(frozen=True)
class Trap:
    """What happens to a process before its ``at``-th change of a file below ``root``.

    A change is an open for writing, a rename, a removal, a new folder, or a flush to disk.
    """

    root: Path
    at: int | None = None
    """Counted from 1; None: nothing happens, the changes are counted."""
    what: Literal["kill", "full"] = "kill"
    """"full": from then on nothing more can be written, as on a full disk."""

    @contextmanager
    def armed(self) -> Iterator[Callable[[], int]]:
        """For the rest of the process. Yields what tells the changes so far."""
        count = 0
        root, flush = str(self.root), os.fsync

        def change(grows: bool, path: str) -> None:
            nonlocal count
            count += 1
            if self.at is None or count < self.at:
                return
            if self.what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif grows:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open":
                path, mode, flags = arguments
                writes = (
                    set("wax+") & set(mode) if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
                )
                if not writes:
                    return
            elif event not in _CHANGES:
                return
            path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else ""
            if path.startswith(root) or (path and not os.path.isabs(path)):
                change(event in _GROWS, path)

        def fsync(file: int) -> None:
            change(True, "")
            flush(file)

        sys.addaudithook(hook)
        os.fsync = fsync
        yield lambda: count

    @staticmethod
    @contextmanager
    def none() -> Iterator[Callable[[], int]]:
        yield lambda: 0
