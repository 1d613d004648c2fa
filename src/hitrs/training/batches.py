"""Which recordings a step sees, what is drawn for them, and making batches ahead of time.

A recording's place in the endless shuffled stream decides both, so that a run is the same whether it was
interrupted or not, and on however many processes its batches are shared out.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from hitrs.training.config import OptimConfig
from hitrs.training.order import shuffled, shuffled_by_shard
from hitrs.transforms.random import KeyedGenerator

_Made = TypeVar("_Made")


class Batches(Protocol):
    """The part of a job that makes batches."""

    def __len__(self) -> int:
        """Recordings in the training part.

        A job whose recordings may lie on another machine has a property ``shards``, too, which tells where
        (``ModelInputs.shards``): they come shard by shard then.
        """

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[Any, ...]:
        """A batch of recordings; where an accelerator computes, called in a thread of its own.

        Args:
            which: recordings, counting from 0 to len - 1.
            generator: the only source of random numbers.
        """


def make_batch(
    job: Batches, config: OptimConfig, number: int, process: int = 0, processes: int = 1
) -> tuple[Any, ...]:
    """Inputs of a process's forward pass ``number``, counted from the start of the run."""
    first = (number * processes + process) * config.batch_size
    items = np.arange(first, first + config.batch_size)
    shards = getattr(job, "shards", None)  # jobs of other packages have none
    if shards is None:
        which = shuffled(len(job), first, config.batch_size, config.seed)
    else:
        window = int(config.shuffle_mib * 2**20)
        which = shuffled_by_shard(shards, first, config.batch_size, config.seed, window)
    return job.inputs(which, KeyedGenerator.from_seed(seed_of(config.seed, "data"), items))


def batches_for(
    device: torch.device, make: Callable[[int], _Made], numbers: Iterable[int]
) -> Generator[_Made, None, None]:
    """``make(number)`` of each number in turn, ahead of time where an accelerator computes.

    On the CPU a thread beside the model takes its cores and makes it wait: on two of them a step of the
    small configuration took a fifth longer.
    """
    if device.type != "cpu":
        return prefetched(make, numbers)
    return (make(number) for number in numbers)


def prefetched(
    make: Callable[[int], _Made], numbers: Iterable[int], ahead: int = 2
) -> Generator[_Made, None, None]:
    """``make(number)`` of each number in turn, made in a thread up to ``ahead`` before they are asked for.

    Closing the iterator ends the thread; what ``make`` raises is raised where its result would stand.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
    try:
        waiting: deque[Future[_Made]] = deque()
        for number in numbers:
            waiting.append(pool.submit(make, number))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def seed_of(*parts: int | str) -> int:
    """A 63-bit seed from any parts, the same on every platform."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
