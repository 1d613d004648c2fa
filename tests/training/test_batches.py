"""The shuffled stream, batches shared out over processes, and making them ahead of time."""

import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hitrs.training.batches import batches_for, make_batch, prefetched, seed_of
from hitrs.training.config import OptimConfig
from hitrs.training.order import shuffled
from hitrs.transforms.random import KeyedGenerator


@given(count=st.integers(1, 30), size=st.integers(1, 40), seed=st.integers(0, 5))
def test_every_round_is_a_permutation(count: int, size: int, seed: int) -> None:
    batches = -(-3 * count // size)
    stream = np.concatenate([shuffled(count, b * size, size, seed) for b in range(batches)])
    for first in range(0, len(stream) - count + 1, count):
        assert sorted(stream[first : first + count]) == list(range(count))


def test_rounds_and_seeds_differ() -> None:
    first, second, other = shuffled(50, 0, 50, 0), shuffled(50, 50, 50, 0), shuffled(50, 0, 50, 1)
    assert first.tolist() != second.tolist()
    assert first.tolist() != other.tolist()
    assert first.tolist() != sorted(first)


def test_seeds_are_the_same_everywhere() -> None:
    assert seed_of(0, "dropout", 3, 1, 0) == seed_of(0, "dropout", 3, 1, 0)
    assert len({seed_of(0, kind, step) for kind in ("data", "task") for step in range(100)}) == 200
    assert 0 <= seed_of("anything") < 2**63
    assert seed_of(0, "weights") == 2934036865011653446


class Numbers:
    """A job whose batches are the numbers of the recordings and what is drawn for them."""

    def __len__(self) -> int:
        return 10

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.as_tensor(which), generator.uniform("number")


@given(processes=st.sampled_from([1, 2, 3, 6]), number=st.integers(0, 9), seed=st.integers(0, 3))
def test_processes_share_out_the_batch_of_one(processes: int, number: int, seed: int) -> None:
    whole = make_batch(Numbers(), OptimConfig(batch_size=12, seed=seed), number)
    config = OptimConfig(batch_size=12 // processes, seed=seed)
    parts = [make_batch(Numbers(), config, number, process, processes) for process in range(processes)]
    for one, several in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(one, torch.cat(several))


def test_a_recording_is_drawn_anew_in_each_round() -> None:
    config = OptimConfig(batch_size=10)
    (first, drawn), (second, again) = (make_batch(Numbers(), config, number) for number in (0, 1))
    assert sorted(first.tolist()) == sorted(second.tolist())
    assert len(set(drawn.tolist()) & set(again.tolist())) == 0


def test_prefetched_is_in_order_and_ahead() -> None:
    made: list[int] = []

    def make(number: int) -> int:
        assert threading.current_thread() is not threading.main_thread()
        made.append(number)
        return number * number

    batches = prefetched(make, range(5, 12), ahead=2)
    assert made == []  # nothing starts before the first is asked for
    assert next(batches) == 25
    while len(made) < 3:
        time.sleep(0.001)
    assert list(batches) == [n * n for n in range(6, 12)]
    assert made == list(range(5, 12))


@pytest.mark.parametrize(("device", "here"), [("cpu", True), ("cuda", False)])
def test_on_the_cpu_batches_are_made_where_they_are_used(device: str, here: bool) -> None:
    def make(number: int) -> tuple[int, bool]:
        return number, threading.current_thread() is threading.main_thread()

    batches = batches_for(torch.device(device), make, range(3))
    assert list(batches) == [(0, here), (1, here), (2, here)]
    batches.close()


def test_prefetched_raises_where_the_batch_would_stand() -> None:
    def make(number: int) -> int:
        if number == 2:
            raise KeyError("two")
        return number

    batches = prefetched(make, range(5))
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(KeyError, match="two"):
        next(batches)


def test_closing_ends_the_thread() -> None:
    made: list[int] = []
    batches = prefetched(lambda number: made.append(number), range(1000))
    next(batches)
    batches.close()
    assert len(made) <= 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
