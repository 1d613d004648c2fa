"""Writing files and folders so that they are either complete or not there, and saying why a write failed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from hitrs.errors import DataError, WriteError, printable

_PART = re.compile(r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}\.part")
"""Names of temporary files and folders."""
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # devices of Windows, whatever suffix
_LONGEST_NAME = 200
"""Bytes; file systems take 255, and a suffix or what marks a temporary file comes on top."""
_TRIES = 100
LEFT_OUT = "left out"
"""Stands in every sentence on a file or folder that is not read."""
LOCK, HOLDER = ".lock", ".holder"
_FULL = {errno.ENOSPC} | ({errno.EDQUOT} if hasattr(errno, "EDQUOT") else set())


@contextmanager
def explained_writes(target: Path) -> Iterator[None]:
    """Turn an OSError of a write into a WriteError that names the target and the reason."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise WriteError(
                f"the disk is full: could not finish writing {target}. Free some space or choose another "
                "place, then run the command again."
            ) from error
        blocked = next((folder for folder in target.parents if folder.is_file()), None)
        reason = f"{blocked} is a file" if blocked else error.strerror or error
        raise WriteError(f"cannot write {target}: {reason}.") from error


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yields a temporary path; on success it replaces ``target``, on any failure it is removed.

    Example:
        >>> with atomic_file(path) as part, explained_writes(path):
        ...     part.write_text("all or nothing", encoding="utf-8")
    """
    part = _sibling(target)
    with explained_writes(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        with explained_writes(target):
            os.replace(part, target)
    finally:
        with suppress(OSError):  # it is gone when all went well
            part.unlink()


def file_name(text: str) -> str:
    """A file name that every system takes, of any text: a recording's name, say, which comes from data.

    Ordinary names stay as they are. What could lead elsewhere or means something else is replaced, and
    such a name, like one that is too long, gets a few digits of its hash, so that two stay two.

    Example:
        >>> file_name("S001C001P001R001A001"), file_name("../../.bashrc")
        ('S001C001P001R001A001', '_.._.bashrc-1559504c')
    """
    name = re.sub(r'[<>:"/\\|?*]', "_", "".join(c if c.isprintable() else "_" for c in text))
    name = name.lstrip(".").rstrip(". ")
    if _RESERVED.fullmatch(name.partition(".")[0].rstrip()):
        name = f"_{name}"
    if name and name == text and len(os.fsencode(name)) <= _LONGEST_NAME:
        return name
    short = name.encode("utf-8", "replace")[: _LONGEST_NAME - 9].decode("utf-8", "ignore")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{short}-{digest}" if short else digest


def harmless_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe stands in front, and characters that
    control a terminal are written out."""
    return printable(f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text)


def walk_files(folder: Path) -> tuple[list[Path], list[str]]:
    """All files below a folder, links followed; and a sentence for each folder that is left out.

    A folder is entered once, however many links lead to it: those that lead upwards would go on for ever.
    """
    files: list[Path] = []
    left_out: list[str] = []
    entered: set[tuple[int, int]] = set()

    def note(error: OSError) -> None:
        left_out.append(f"the folder {error.filename} was {LEFT_OUT}: {error.strerror}")

    starts = [folder]
    for start in starts:  # links come after what is there itself, whose path is the better name
        for where, folders, names in os.walk(start, onerror=note):
            state = os.stat(where)
            if (state.st_dev, state.st_ino) in entered:
                left_out.append(
                    f"the folder {where} was {LEFT_OUT}: it is a link to one that is read already"
                )
                folders.clear()
                continue
            entered.add((state.st_dev, state.st_ino))
            folders.sort()  # so that it is always the same way that a folder is entered
            files += [Path(where) / name for name in names]
            starts += [link for name in folders if (link := Path(where) / name).is_symlink()]
    return files, left_out


def check_ordinary(path: Path) -> None:
    """OSError for a pipe, device or folder: reading a pipe to which nobody writes waits for ever."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not an ordinary file", str(path))


def made_here(folder: Path) -> str:
    """What a folder is that a command of this package made, and what takes it, in words; empty for others."""
    if (folder / "store.json").is_file():
        return (
            "it is a store, as `hitrs import` makes them; `hitrs inspect`, `pretrain`, `probe`, `finetune` "
            "and `evaluate` take one first, `recognize` and `detect` behind a model, and in Python "
            "`hitrs.Store.open`"
        )
    model = ("config.json", "model.safetensors")
    if any(all((place / name).is_file() for name in model) for place in (folder, folder / "model")):
        return (
            "it is a model; `hitrs recognize`, `detect` or `predict` take it first and files behind it, "
            "`hitrs probe`, `evaluate` and `finetune --from` behind a store"
        )
    return ""


def read_json(path: Path) -> Any:
    """The value of a JSON file that people may have been given.

    Raises:
        OSError: if it cannot be read, or is no ordinary file.
        ValueError: if it is not JSON, or nested so deeply that it cannot be read.
    """
    check_ordinary(path)
    return parse_json(path.read_text(encoding="utf-8"))


def parse_json(text: str | bytes) -> Any:
    """The value of a text; ValueError if it is not JSON, or nested so deeply that it cannot be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_json(path: Path, values: Any) -> None:
    """Write values as an indented JSON file, which replaces an older one when it is complete.

    Raises:
        DataError: if it cannot be written; the older file stays.
    """
    with atomic_file(path) as part, explained_writes(path):
        part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """Yields a new hidden folder beside ``target``, ``.NAME.*.part``; at the end it is removed, unless it was
    put in place by ``replace_folder`` or ``add_folder``.

    Raises:
        OSError: if it cannot be made.
    """
    part = _sibling(target)
    try:
        part.mkdir(parents=True)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yields a new temporary folder; on success it takes the place of ``target``, on any failure it is
    removed. The caller decides beforehand whether an existing target may be replaced.

    At every moment the old or the new folder exists whole: see ``replace_folder``.
    """
    recover_folder(target)
    with ExitStack() as stack:
        with explained_writes(target):
            part = stack.enter_context(temporary_folder(target))
        yield part
        replace_folder(part, target)


def replace_folder(part: Path, target: Path) -> None:
    """Put a complete folder in the place of ``target``, on the same file system.

    No system call exchanges two folders everywhere, so the old one is moved aside to ``.NAME.old``, the new
    one is moved into place, and the old one is removed. A failing second move is undone here; after a kill
    between the two, ``recover_folder`` does that.
    """
    recover_folder(target)
    aside = _aside(target)
    with explained_writes(target):
        if target.exists():
            _remove(aside)  # left by a kill during the removal below
            os.replace(target, aside)
        try:
            os.replace(part, target)
        except BaseException:
            recover_folder(target)
            raise
    _remove(aside)


def add_folder(part: Path, target: Path) -> bool:
    """Put a complete folder at ``target``; False if another process has put one there meanwhile: that stays.

    Raises:
        OSError: if it cannot be moved for another reason.
    """
    try:
        os.replace(part, target)
    except OSError:
        if not target.is_dir():
            raise
        return False
    return True


def recover_folder(target: Path) -> None:
    """Put the old folder back after a kill between the two moves of ``replace_folder``.

    Whoever reads a folder that is replaced as a whole calls this before finding it missing.
    """
    if not target.exists():
        with suppress(OSError):  # nothing was aside, or another process was faster
            os.replace(_aside(target), target)


@contextmanager
def locked(
    folder: Path, what: str, *, name: str = LOCK, wait: float = 0.0, target: Path | None = None
) -> Iterator[None]:
    """Hold a folder, which is made where it is missing, so that no other process works in it.

    The system lets go of the lock when the process ends, however it ends: a file ``.lock`` that is left says
    nothing. Who holds it stands in ``.holder`` beside it, for messages. A folder in which nothing was put is
    removed.

    Args:
        what: the store or run that messages name.
        name: of the lock, where a folder has several.
        wait: seconds to wait for another process that is about to let go.
        target: what messages name where the folder cannot be made; by default the folder.

    Example:
        >>> with locked(Path("runs/tiny"), "the run runs/tiny"):
        ...     ...

    Raises:
        DataError: if another process holds it, naming that.
        WriteError: if the folder cannot be made.
    """
    file, holder = folder / name, folder / f"{HOLDER}{name.removeprefix(LOCK)}"
    lock = FileLock(file, timeout=wait)
    with explained_writes(target or folder):
        for _ in range(_TRIES):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                raise DataError(_in_use(what, holder)) from None
            except FileNotFoundError:  # whoever held it has moved or removed the folder in between
                continue
            if file.exists():
                break
            lock.release()  # the same, a moment later
        else:
            raise DataError(_in_use(what, holder))
    try:
        with suppress(DataError):  # on a full disk; who holds it is not known then
            write_json(holder, _about_process())
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        with suppress(OSError):
            # another process that ends here may have removed the lock already
            if {path.name for path in folder.iterdir()} <= {name}:
                file.unlink(missing_ok=True)
                folder.rmdir()
        lock.release()


def _about_process() -> dict[str, Any]:
    return {
        "process": os.getpid(),
        "machine": socket.gethostname(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:300],
        "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _in_use(what: str, holder: Path) -> str:
    try:
        values = read_json(holder)
        who = "process {process} on {machine} (`{command}`, since {since})".format(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # it is just beginning or ending
        who = "another process"
    return f"{what} is in use by {who}; wait until that has ended, or choose another place."


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
            # A folder is renamed next: its content must not lag behind its name.
            os.fsync(self._file.fileno())
            self._file.close()
        return {"bytes": self._size, "sha256": self._hash.hexdigest()}

    def abandon(self) -> None:
        """Close without caring for the content (after a failure; the file is about to be deleted)."""
        with suppress(OSError):  # closing flushes, which fails again on a full disk
            self._file.close()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits, read in pieces; OSError for what is no ordinary file."""
    check_ordinary(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 18):
            digest.update(piece)
    return digest.hexdigest()


def _sibling(target: Path) -> Path:
    """A new hidden name beside the target, so that the final rename stays on one file system."""
    _clear_parts(target.parent.absolute())
    return target.parent / f".{target.name}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.part"


@cache
def _machine() -> str:
    """A word for this machine: on another one that shares the folder a process number means nothing."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


@cache
def _clear_parts(folder: Path) -> None:
    """Remove what processes of this machine that have ended left half-written; once for each folder."""
    with suppress(OSError):  # it is not there yet, or may not be read
        for path in folder.iterdir():
            match = _PART.fullmatch(path.name)
            if match and match["machine"] == _machine() and not psutil.pid_exists(int(match["pid"])):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _aside(target: Path) -> Path:
    """Where the old folder is while the new one takes its place: the same name for whoever recovers it."""
    return target.parent / f".{target.name}.old"


def _remove(path: Path) -> None:
    """Remove a folder or a link to one, as far as the system lets us: a leftover harms nobody."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
