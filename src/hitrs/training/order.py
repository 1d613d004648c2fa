"""Which recordings come when: an endless stream, shuffled anew in each round.

What lies in a store on another machine comes window by window: shards are shuffled and cut into windows of
a few, and recordings are shuffled within each. So a round fetches every shard once, although the cache holds
but two windows: the present one, and the next, which is fetched meanwhile. The order follows from seed and
store, whatever the cache and however many processes share the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from hitrs.data.cache import SIZE_VARIABLE
from hitrs.data.remote import RemoteShards
from hitrs.errors import ConfigError


def shuffled(count: int, first: int, size: int, seed: int) -> np.ndarray:
    """Items ``first`` .. ``first + size`` of an endless stream of ``count`` items shuffled in each round."""
    return _taken(count, first, size, lambda number: _order(count, number, seed))


def shuffled_by_shard(shards: RemoteShards, first: int, size: int, seed: int, window: int) -> np.ndarray:
    """The same of the items of ``shards``, window by window; the shards of the next window are on their way.

    Args:
        window: bytes of the shards of a window, of which it has one at least. Items of shards that fit one
            window come as if they were on this machine.

    Raises:
        ConfigError: if the cache cannot hold two windows.
    """
    count, rounds = len(shards), partial(_windows, shards, seed=seed, window=window)
    number, place = divmod(first, count)
    present = rounds(number)
    at = int(np.searchsorted(present.starts, place, side="right")) - 1
    following = present.shards[at + 1] if at + 1 < len(present.shards) else rounds(number + 1).shards[0]
    shards.prefetch((*present.shards[at], *following))
    return _taken(count, first, size, lambda number: rounds(number).items)


def _taken(count: int, first: int, size: int, order: Callable[[int], np.ndarray]) -> np.ndarray:
    items = np.arange(first, first + size)
    rounds = items // count
    chosen = np.empty(size, np.int64)
    for r in np.unique(rounds):
        chosen[rounds == r] = order(int(r))[items[rounds == r] % count]
    return chosen


@lru_cache(maxsize=2)  # a batch may lie in two rounds; a million recordings take 20 ms to shuffle
def _order(count: int, number: int, seed: int) -> np.ndarray:
    """The order of round ``number``, (count,), read-only."""
    order = np.random.default_rng([seed, number]).permutation(count)
    order.setflags(write=False)
    return order


@dataclass(frozen=True)
class _Windows:
    """A round of what lies in shards."""

    items: np.ndarray
    """(N,) in their order."""
    starts: np.ndarray
    """(W,) place of the first item of each window."""
    shards: tuple[tuple[int, ...], ...]
    """The shards of each window."""


@lru_cache(maxsize=3)
def _windows(shards: RemoteShards, number: int, seed: int, window: int) -> _Windows:
    generator = np.random.default_rng([seed, number])
    items = generator.permutation(len(shards))  # of one window the same as ``_order``
    order = generator.permutation(np.unique(shards.of))
    cut: list[list[int]] = []
    room = 0
    for shard in order.tolist():
        size = int(shards.sizes[shard])
        if not cut or size > room:
            cut.append([])
            room = window
        cut[-1].append(shard)
        room -= size
    needed = 2 * max(int(shards.sizes[each].sum()) for each in cut) if len(cut) > 1 else 0
    if needed > shards.limit:
        raise ConfigError(
            f"the cache may hold {shards.limit / 1e6:,.1f} MB, but two windows of shards are "
            f"{needed / 1e6:,.1f} MB; allow it more ({SIZE_VARIABLE}), or shuffle among fewer "
            "(optim.shuffle_mib)"
        )
    window_of = np.zeros(len(shards.sizes), np.int64)
    for place, each in enumerate(cut):
        window_of[each] = place
    of_items = window_of[shards.of[items]]
    items = items[np.argsort(of_items, kind="stable")]
    items.setflags(write=False)
    starts = np.searchsorted(np.sort(of_items), np.arange(len(cut)))
    return _Windows(items, starts, tuple(map(tuple, cut)))
