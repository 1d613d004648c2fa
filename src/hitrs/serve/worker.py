"""A thread that computes, so that the event loop does not."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class BusyError(Exception):
    """So much waits already that nothing more is taken."""


class Worker:
    """Does one thing after the other in a thread of its own, which does not keep the process alive.

    >>> worker = Worker("live")
    >>> await worker.run(lambda: model(frame))

    Args:
        most: so much waits at most.
    """

    def __init__(self, name: str, most: int = 0) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(most)
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, work: Callable[[], T]) -> T:
        """What the work gives, or raises; nothing is done for one that nobody waits for any more.

        Raises:
            BusyError: if too much waits.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        try:
            self._queue.put_nowait((work, loop, future))
        except queue.Full:
            raise BusyError from None
        return await future

    def close(self) -> None:
        """End when what waits is done."""
        self._queue.put(None)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            work, loop, future = item
            if future.done():
                continue
            try:
                done, error = work(), None
            except Exception as raised:
                done, error = None, raised
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(_settle, future, done, error)
            del item, work, done, error  # a picture is not kept until the next one comes


def _settle(future: asyncio.Future[Any], done: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(done)
    else:
        future.set_exception(error)
