"""One task of an import: some files become one shard; those that cannot be read are put aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hitrs.data.catalog.base import Source
from hitrs.data.recording import Recording
from hitrs.data.shards import ShardWriter
from hitrs.errors import DataError, HitrsError
from hitrs.skeleton.layout import Layout


class Stopped(Exception):
    """The import was interrupted; the shard in hand is given up."""


@dataclass(frozen=True)
class Task:
    """What a process needs to know to write one shard."""

    folder: Path
    """The shard's folder."""
    target: Path
    """The store, which messages name."""
    root: Path
    """The folder that is imported."""
    layout: Layout
    classes: tuple[str, ...] | None
    sources: tuple[Source, ...]
    strict: bool
    """Whether a file that cannot be read ends the import."""


def read_shard(task: Task, count: Callable[[], None], stopped: Callable[[], bool]) -> None:
    """Read the files of a task into its shard, which appears when it is complete.

    Args:
        count: called after each file.
        stopped: asked before each file whether to give up.

    Raises:
        Stopped: if ``stopped`` said so; nothing is left behind.
        HitrsError: of a file that cannot be read, if the task is strict; otherwise only if writing fails.
    """
    quarantined = []
    with ShardWriter(task.folder, task.target, task.layout, task.classes) as writer:
        for source in task.sources:
            if stopped():
                raise Stopped
            reason = _read(source, writer, task.strict)
            if reason is not None:
                where = source.path.relative_to(task.root).as_posix()
                quarantined.append({"source": where, "reason": reason})
            count()
        writer.close(tuple(quarantined))


def _read(source: Source, writer: ShardWriter, strict: bool) -> str | None:
    """Write the recordings of a file; why it could not be read (to its end), or None."""
    try:
        for recording in _recordings(source):
            writer.add(recording)
    except HitrsError as error:
        if strict:
            raise
        return str(error)
    return None


def _recordings(source: Source) -> Iterator[Recording]:
    """The recordings of a file; whatever its reader raises becomes a HitrsError.

    One of 100,000 files must not end an import, and the reader may be somebody else's.
    """
    try:
        yield from source.read()
    except (HitrsError, GeneratorExit):
        raise
    except Exception as error:
        raise DataError(
            f"{source.path}: its reader failed ({type(error).__name__}: {error}). This is a defect of the "
            "reader."
        ) from error
