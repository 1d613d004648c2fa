"""The engine of this machine: processes, which end when their parent ends; or this process alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

from hitrs.engine.base import Engine, Item, Result, Step, Stopped
from hitrs.errors import EngineError

_POLL_SECONDS = 0.2
_AHEAD = 8
"""Items that are in hand for each process: one may take that many times longer than the others before they
wait for it."""
_shared: dict[str, Any] = {}  # of a worker process: the counter and the flag that its parent gave it


class LocalEngine(Engine):
    """Processes on this machine.

    Args:
        workers: so many; with 1 the work is done in this process, and nothing is pickled.
    """

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers

    def map(
        self,
        function: Callable[[Item, Step], Result],
        items: Iterable[Item],
        *,
        progress: Callable[[int], None] = lambda steps: None,
        needs: Sequence[Path] = (),
    ) -> Iterator[Result]:
        ahead = iter(items)
        first = list(islice(ahead, self.workers))  # a single item needs no other process
        if len(first) < 2:
            return _here(function, _chained(first, ahead), progress)
        return _in_processes(function, _chained(first, ahead), progress, len(first))


def _chained(first: list[Item], rest: Iterator[Item]) -> Iterator[Item]:
    """``first`` and the rest, without keeping what was taken."""
    first.reverse()
    while first:
        yield first.pop()
    yield from rest


def _here(
    function: Callable[[Item, Step], Result], items: Iterator[Item], progress: Callable[[int], None]
) -> Iterator[Result]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done)

    for item in items:
        yield function(item, step)


def _in_processes(
    function: Callable[[Item, Step], Result],
    items: Iterator[Item],
    progress: Callable[[int], None],
    workers: int,
) -> Iterator[Result]:
    # spawn: the same on all systems, and safe whatever threads this process has
    context = multiprocessing.get_context("spawn")
    counter, stop = context.Value("q", 0), context.Event()
    pool = ProcessPoolExecutor(workers, context, _initialize, (counter, stop))
    waiting: deque[Future[Result]] = deque()
    try:
        while True:
            new = islice(items, _AHEAD * workers - len(waiting))
            waiting.extend(pool.submit(_call, function, item) for item in new)
            if not waiting:
                return
            running = [future for future in waiting if not future.done()]
            done, _ = wait(running, _POLL_SECONDS, FIRST_COMPLETED)
            progress(counter.value)
            for future in done:
                future.result()  # an error need not wait for its turn
            while waiting and waiting[0].done():
                yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise EngineError(
            "a process that worked was ended from outside, perhaps because memory ran out; fewer processes "
            "(--workers 1) need less."
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


def _call(function: Callable[[Item, Step], Result], item: Item) -> Result:
    return function(item, _step)  # what it raises when it is stopped reaches nobody


def _step() -> None:
    with _shared["counter"].get_lock():
        _shared["counter"].value += 1
    if _shared["stop"].is_set():
        raise Stopped
