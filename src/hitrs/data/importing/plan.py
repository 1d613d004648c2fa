"""Which files go into which shard: the same for every process, machine and run of one import."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hitrs import __version__
from hitrs.data.catalog.dataset import SourceFile
from hitrs.data.shards import remove_indices
from hitrs.errors import DataError
from hitrs.files import HOLDER, LOCK, explained_writes, locked, read_json, write_json

SHARD_FILES = 256
"""Files in a shard at most: what a kill costs per process, seconds of work."""
_SHARDS = 16
"""A small import still has about so many shards, for all processes to have some."""
_SMALLEST = 32
_FILE = "plan.json"
_WAIT_SECONDS = 2.0


def divide(sources: Sequence[SourceFile]) -> list[tuple[SourceFile, ...]]:
    """The files of each shard, in order."""
    size = min(SHARD_FILES, max(_SMALLEST, -(-len(sources) // _SHARDS)))
    return [tuple(sources[start : start + size]) for start in range(0, len(sources), size)]


def working_folder(target: Path) -> Path:
    """Where an import is until it is complete, beside the store."""
    return target.parent / f"{target.name}.importing"


def plan_file(target: Path) -> Path:
    """What is there while an import is."""
    return working_folder(target) / _FILE


def open_plan(target: Path, root: Path, sources: Sequence[SourceFile], options: Mapping[str, Any]) -> Path:
    """The working folder of an import: a new one, or that of an interrupted run of the same import.

    Args:
        options: whatever decides on the content of shards, as JSON values.

    Raises:
        DataError: if an import of other files or options was interrupted there, or it cannot be written. A
            folder that was made for this is removed then.
    """
    folder = working_folder(target)
    plan = {"hitrs": __version__, "files": _digest(root, sources), **options}
    try:
        earlier = read_json(folder / _FILE)
    except (FileNotFoundError, NotADirectoryError):  # the latter is explained where the folder is made
        earlier = None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {folder / _FILE} ({error}); delete the folder {folder}.") from error
    if earlier is not None and not isinstance(earlier, dict):
        raise DataError(f"{folder / _FILE} is no plan of an import; delete the folder {folder}.")
    if earlier is None:
        if any(not _of_lock(path) and path.suffix != ".part" for path in folder.iterdir()):
            raise DataError(f"{folder} is in the way: an import is made there. Move it away.")
        try:
            write_json(folder / _FILE, plan)
        except DataError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    elif earlier != plan:
        other = next((key for key in plan if earlier.get(key) != plan[key]), "files")
        what = "the files have changed" if other == "files" else f"it had another {other}"
        raise DataError(
            f"{folder} holds an import that was interrupted, and {what} since. Delete that folder "
            "to begin anew."
        )
    return folder


def plan_lock(target: Path) -> AbstractContextManager[None]:
    """Hold the plan of an import, to read or make it; DataError while a whole import runs."""
    # whoever begins a part lets it go in a moment
    return locked(working_folder(target), f"the store {target}", wait=_WAIT_SECONDS, target=target)


@contextmanager
def import_lock(target: Path, part: tuple[int, int] | None = None) -> Iterator[None]:
    """Hold an import, or one part of it, so that no other process does the same work.

    A whole import excludes everybody, parts of it exclude each other only where they are the same.

    Raises:
        DataError: naming who holds it.
    """
    folder = working_folder(target)
    if part is None:
        with plan_lock(target):
            for path in folder.glob(f"{LOCK}-*"):
                with locked(folder, f"a part of the store {target}", name=path.name):
                    pass
            yield
        return
    name = f"{LOCK}-{part[0]}-of-{part[1]}"
    with ExitStack() as stack:
        with plan_lock(target):
            stack.enter_context(locked(folder, f"part {part[0]}/{part[1]} of the store {target}", name=name))
        yield


def close_plan(store: Path) -> None:
    """Remove from a store what only its import needed, where nothing has done so before a kill."""
    if not (store / "store.json").is_file():
        return
    with explained_writes(store):
        for path in store.iterdir():
            if path.name == _FILE or _of_lock(path):
                path.unlink(missing_ok=True)
        remove_indices(store)


def clear_leftovers(folder: Path, shards: Path) -> None:
    """Remove what a kill left half-written: everything but the plan and complete shards."""
    for path in folder.iterdir():
        if path.is_file() and path.name != _FILE and not _of_lock(path):
            path.unlink()
    for path in shards.glob(".*.part"):
        for file in path.iterdir():
            file.unlink()
        path.rmdir()


def _of_lock(path: Path) -> bool:
    return path.name.startswith((LOCK, HOLDER))


def _digest(root: Path, sources: Sequence[SourceFile]) -> str:
    """SHA-256 over the paths, sizes and times of all files."""
    digest = hashlib.sha256()
    for source in sources:
        try:
            state = source.path.stat()
            size, changed = state.st_size, state.st_mtime_ns
        except OSError:  # reading it will say why
            size, changed = -1, -1
        line = f"{source.path.relative_to(root).as_posix()}\0{size}\0{changed}\n"
        digest.update(line.encode(errors="surrogateescape"))  # a file name need not be text
    return digest.hexdigest()
