"""The work of an import: files become shards, over several processes, which end when the parent ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

from hitrs.data.catalog.dataset import SourceFile
from hitrs.data.formats.memory import memory_limit
from hitrs.data.formats.registry import without_defects
from hitrs.data.shards import ShardWriter
from hitrs.data.video.estimator import pose_estimator
from hitrs.errors import DataError, HitrsError, WriteError
from hitrs.skeleton.layout import Layout

_POLL_SECONDS = 0.2
_shared: dict[str, Any] = {}  # of a worker process: the counter and the flag that its parent gave it


class Refused(DataError):
    """A file that cannot be read ends a strict import."""


class Stopped(Exception):
    """The import was interrupted; the shard in hand is given up."""


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


def read_shard(task: ImportTask, count: Callable[[], None], stopped: Callable[[], bool]) -> None:
    """Read the files of a task into its shard, which appears when it is complete.

    Args:
        count: called after each file.
        stopped: asked before each file whether to give up.

    Raises:
        Stopped: if ``stopped`` said so; nothing is left behind.
        Refused: for a file that cannot be read, if the task is strict.
        DataError: if writing fails.
    """
    quarantined = []
    with ShardWriter(task.folder, task.target, task.layout, task.classes, task.dtype) as writer:
        for source in task.sources:
            if stopped():
                raise Stopped
            with memory_limit(task.max_memory), pose_estimator(task.pose):
                reason = _read(source, writer, task.strict)
            if reason is not None:
                where = source.path.relative_to(task.root).as_posix()
                quarantined.append({"source": where, "reason": reason})
            count()
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


def run_tasks(tasks: Sequence[ImportTask], workers: int, progress: Callable[[int], None]) -> None:
    """Run all tasks, in this process if ``workers`` is 1.

    Args:
        progress: called now and then with the number of files that were read.

    Raises:
        KeyboardInterrupt: finished shards stay.
        HitrsError: the first that a task raised; the others are stopped.
    """
    if workers == 1 or len(tasks) < 2:
        _run_here(tasks, progress)
    else:
        _run_in_pool(tasks, min(workers, len(tasks)), progress)


def _run_here(tasks: Sequence[ImportTask], progress: Callable[[int], None]) -> None:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(done)

    for task in tasks:
        read_shard(task, count, lambda: False)


def _run_in_pool(tasks: Sequence[ImportTask], workers: int, progress: Callable[[int], None]) -> None:
    # spawn: the same on all systems, and safe whatever threads this process has
    context = multiprocessing.get_context("spawn")
    counter, stop = context.Value("q", 0), context.Event()
    pool = ProcessPoolExecutor(workers, context, _initialize, (counter, stop))
    try:
        pending: set[Future[None]] = {pool.submit(_run, task) for task in tasks}
        while pending:
            done, pending = wait(pending, _POLL_SECONDS, FIRST_COMPLETED)
            progress(counter.value)
            for future in done:
                future.result()
    except BrokenProcessPool as error:
        raise DataError(
            "a process of the import was ended from outside, perhaps because memory ran out. What was "
            "finished is kept: the same command goes on, and fewer processes (--workers 1) need less memory."
        ) from error
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _initialize(counter: Any, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent decides
    _shared.update(counter=counter, stop=stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed cannot stop its workers, which would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _run(task: ImportTask) -> None:
    counter, stop = _shared["counter"], _shared["stop"]

    def count() -> None:
        with counter.get_lock():
            counter.value += 1

    try:
        read_shard(task, count, stop.is_set)
    except Stopped:
        return  # the parent asked for it and waits for nothing
