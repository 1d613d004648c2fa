"""Tasks over several processes, with one count of files, and an end when the parent ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any

from hitrs.data.importing.shard import Stopped, Task, read_shard
from hitrs.errors import DataError

_POLL_SECONDS = 0.2
_shared: dict[str, Any] = {}  # of a worker process: the counter and the flag that its parent gave it


def run_tasks(tasks: Sequence[Task], workers: int, progress: Callable[[int], None]) -> None:
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


def _run_here(tasks: Sequence[Task], progress: Callable[[int], None]) -> None:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(done)

    for task in tasks:
        read_shard(task, count, lambda: False)


def _run_in_pool(tasks: Sequence[Task], workers: int, progress: Callable[[int], None]) -> None:
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


def _run(task: Task) -> None:
    counter, stop = _shared["counter"], _shared["stop"]

    def count() -> None:
        with counter.get_lock():
            counter.value += 1

    try:
        read_shard(task, count, stop.is_set)
    except Stopped:
        return  # the parent asked for it and waits for nothing
