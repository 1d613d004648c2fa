"""The order of what lies in shards elsewhere: every shard once a round, however many processes share it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.data.remote import RemoteShards
from hitrs.errors import ConfigError
from hitrs.training.batches import make_batch
from hitrs.training.config import OptimConfig
from hitrs.training.order import shuffled, shuffled_by_shard
from hitrs.transforms.random import KeyedGenerator

MIB = 2**20


def shards(sizes: list[int], bytes_of: int = MIB, limit: int = 10**12) -> tuple[RemoteShards, list]:
    """Shards of so many items and ``bytes_of`` bytes each, and the calls that have some fetched."""
    told: list[tuple[int, ...]] = []
    of = np.repeat(np.arange(len(sizes)), sizes)
    return RemoteShards(of, np.full(len(sizes), bytes_of), limit, told.append), told


sizes = st.lists(st.integers(1, 6), min_size=1, max_size=12)


@given(sizes=sizes, window=st.integers(1, 6), seed=st.integers(0, 3))
def test_a_round_has_every_item_and_opens_every_shard_once(sizes: list[int], window: int, seed: int) -> None:
    where, _ = shards(sizes)
    count = sum(sizes)
    stream = shuffled_by_shard(where, 0, 3 * count, seed, window * MIB)
    for number in range(3):
        items = stream[number * count : (number + 1) * count]
        assert sorted(items) == list(range(count))
        seen = where.of[items]
        last = {shard: place for place, shard in enumerate(seen.tolist())}
        first = {shard: place for place, shard in reversed(list(enumerate(seen.tolist())))}
        for place in range(count):
            live = [shard for shard in last if first[shard] <= place <= last[shard]]
            assert len(live) <= window  # never more shards are needed at a time than the window holds


@given(sizes=sizes, window=st.integers(1, 6), processes=st.sampled_from([1, 2, 3]))
def test_the_stream_is_the_same_however_it_is_cut(sizes: list[int], window: int, processes: int) -> None:
    where, _ = shards(sizes)
    whole = shuffled_by_shard(where, 0, 36, 1, window * MIB)
    size = 12 // processes
    parts = [shuffled_by_shard(where, first, size, 1, window * MIB) for first in range(0, 36, size)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_what_fits_a_window_comes_as_if_it_were_here() -> None:
    where, _ = shards([5] * 8)
    assert np.array_equal(shuffled_by_shard(where, 30, 50, 7, 8 * MIB), shuffled(40, 30, 50, 7))
    assert not np.array_equal(shuffled_by_shard(where, 30, 50, 7, 7 * MIB), shuffled(40, 30, 50, 7))


def test_rounds_and_seeds_differ() -> None:
    where, _ = shards([5] * 8)
    rounds = shuffled_by_shard(where, 0, 80, 0, 2 * MIB).reshape(2, 40)
    other = shuffled_by_shard(where, 0, 40, 1, 2 * MIB)
    assert rounds[0].tolist() != rounds[1].tolist() != other.tolist()
    assert where.of[rounds[0]].tolist() != where.of[rounds[1]].tolist()


def test_the_next_window_is_fetched_while_one_is_used() -> None:
    stream = shuffled_by_shard(shards([4] * 6)[0], 0, 24, 0, 2 * MIB)
    where, told = shards([4] * 6)
    for first in range(0, 24, 2):
        shuffled_by_shard(where, first, 2, 0, 2 * MIB)
    assert len(told) == 3  # once a window
    for number, fetched in enumerate(told):
        present, following = set(fetched[:2]), set(fetched[2:])
        assert present == set(where.of[stream[8 * number : 8 * number + 8]].tolist())
        after = shuffled_by_shard(shards([4] * 6)[0], 8 * number + 8, 8, 0, 2 * MIB)
        assert following == set(where.of[after].tolist())


def test_a_cache_that_cannot_hold_two_windows_is_told() -> None:
    where, _ = shards([4] * 6, limit=4 * MIB)
    shuffled_by_shard(where, 0, 2, 0, 2 * MIB)
    with pytest.raises(
        ConfigError, match=r"may hold 4.2 MB, but two windows of shards are 6.3 MB.*shuffle_mib"
    ):
        shuffled_by_shard(where, 0, 2, 0, 3 * MIB)
    shuffled_by_shard(where, 0, 2, 0, 6 * MIB)  # all of it fits, so that nothing is fetched twice


class Numbers:
    """A job whose batches are the numbers of the recordings."""

    def __init__(self, where: RemoteShards) -> None:
        self.shards = where

    def __len__(self) -> int:
        return len(self.shards)

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[np.ndarray]:
        return (which,)


def test_batches_come_by_shard() -> None:
    where, _ = shards([4] * 6)
    config = OptimConfig(batch_size=4, shuffle_mib=1.0)
    for number in range(12):
        (which,) = make_batch(Numbers(where), config, number)
        assert len(set(where.of[which].tolist())) == 1
    (one,) = make_batch(Numbers(where), OptimConfig(batch_size=8, shuffle_mib=1.0), 1)
    two = [make_batch(Numbers(where), config, 1, process, 2)[0] for process in (0, 1)]
    assert np.array_equal(one, np.concatenate(two))


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"optim.shuffle_mib must be above 0"):
        OptimConfig(shuffle_mib=0)
