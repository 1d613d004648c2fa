"""The engine of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import work

from hitrs.engine import LocalEngine, open_engine
from hitrs.errors import ConfigError, DataError, EngineError


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_items_are_taken_as_they_are_needed(workers: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    steps: list[int] = []
    results = LocalEngine(workers).map(work.double, items(), progress=steps.append)
    assert next(results) == 0
    assert len(taken) <= 20
    assert list(results) == list(range(2, 200, 2))
    assert steps == sorted(steps)
    assert steps[-1] == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_raised_as_it_was(workers: int) -> None:
    with pytest.raises(DataError, match="three is refused"):
        list(LocalEngine(workers).map(work.refuse_three, range(10)))


def test_a_process_that_was_lost() -> None:
    with pytest.raises(EngineError, match=r"ended from outside.*--workers 1"):
        list(LocalEngine(2).map(work.die, range(4)))


def test_nothing_to_do() -> None:
    assert list(LocalEngine(2).map(work.double, [])) == []


def test_an_address_without_ray() -> None:
    with pytest.raises(ConfigError, match="--ray-address is for --engine ray"):
        open_engine("local", address="auto")
