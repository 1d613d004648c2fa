"""The work of an import: files become shards, each in any process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hitrs.data.catalog.dataset import SourceFile
from hitrs.data.formats.memory import memory_limit
from hitrs.data.formats.registry import without_defects
from hitrs.data.shards import ShardWriter, read_index
from hitrs.data.video.estimator import pose_estimator
from hitrs.engine import Step
from hitrs.errors import DataError, HitrsError, WriteError
from hitrs.skeleton.layout import Layout


class Refused(DataError):
    """A file that cannot be read ends a strict import."""


@dataclass(frozen=True)
class ImportTask:
    """What a process needs to know to write one shard."""

    folder: Path
    """The shard's folder."""
    target: Path
    """The store, which messages name."""
    root: Path
    """The folder that is imported."""
    layout: Layout
    classes: tuple[str, ...] | None
    sources: tuple[SourceFile, ...]
    dtype: str
    """How positions are stored."""
    strict: bool
    """Whether a file that cannot be read ends the import."""
    max_memory: int | None = None
    """Bytes that a reader may take for one file; None = the default."""
    pose: str | None = None
    """Pose estimator that looks at videos; None = the default."""

    def __str__(self) -> str:
        return f"the files {self.sources[0].path} to {self.sources[-1].path.name}"


def read_shard(task: ImportTask, step: Step) -> None:
    """Read the files of a task into its shard, which appears when it is complete.

    Where it is there already, as where only the news of it was lost, nothing is done.

    Args:
        step: called after each file.

    Raises:
        Stopped: if ``step`` did; nothing is left behind.
        Refused: for a file that cannot be read, if the task is strict.
        DataError: if writing fails.
    """
    if read_index(task.folder) is not None:
        return
    quarantined = []
    with ShardWriter(task.folder, task.target, task.layout, task.classes, task.dtype) as writer:
        for source in task.sources:
            with memory_limit(task.max_memory), pose_estimator(task.pose):
                reason = _read(source, writer, task.strict)
            if reason is not None:
                where = source.path.relative_to(task.root).as_posix()
                quarantined.append({"source": where, "reason": reason})
            step()
        writer.close(tuple(quarantined))


def _read(source: SourceFile, writer: ShardWriter, strict: bool) -> str | None:
    """Write the recordings of a file; why it could not be read (to its end), or None."""
    try:
        # a data set of another package may bring its own reader
        for recording in without_defects(source.path, source.read):
            writer.add(recording, source.path)
    except WriteError:
        raise
    except HitrsError as error:
        if strict:
            raise Refused(str(error)) from error
        return str(error)
    return None
