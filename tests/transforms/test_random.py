"""The keyed random generator: what its numbers depend on, and that they are random."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hitrs.transforms.random import KeyedGenerator


@given(count=st.integers(0, 6), frames=st.integers(0, 9), joints=st.integers(1, 5), kind=st.booleans())
def test_a_number_depends_on_sample_name_and_place_only(
    count: int, frames: int, joints: int, kind: bool
) -> None:
    large = KeyedGenerator.from_seed(3, range(8))
    small = KeyedGenerator.from_seed(3, range(count))
    draw = "normal" if kind else "uniform"
    whole = getattr(large, draw)("name", 12, 7)
    assert torch.equal(getattr(small, draw)("name", frames, joints), whole[:count, :frames, :joints])
    rows = torch.arange(count).flip(0)
    assert torch.equal(getattr(large[rows], draw)("name", 12, 7), whole[rows])


def splitmix64(seed: int) -> int:
    """The first number of the published generator with this state, in Python's integers."""
    mask = 2**64 - 1
    z = (seed + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def test_the_hash_is_splitmix64() -> None:
    generator = KeyedGenerator(torch.tensor([0, 1, -1, 2**62, 123456789]))
    bits = generator._bits("name", torch.tensor([0, 1, 5]))
    name = generator._bits.__globals__["_number"]("name")
    golden = 0x9E3779B97F4A7C15
    for key, row in zip(generator.keys.tolist(), bits.tolist(), strict=True):
        state = splitmix64(((key ^ name) - golden) % 2**64)
        assert [b % 2**64 for b in row] == [splitmix64(state + (n - 1) * golden) for n in (0, 1, 5)]


def test_children_names_and_seeds_differ() -> None:
    generator = KeyedGenerator.from_seed(0, range(50))
    others = [
        generator.uniform("a"),
        generator.uniform("b"),
        generator.fold_in(0).uniform("a"),
        generator.fold_in(1).uniform("a"),
        generator.fold_in(torch.arange(50)).uniform("a"),
        generator.fold_in(0).fold_in(1).uniform("a"),
        generator.fold_in(1).fold_in(0).uniform("a"),
        KeyedGenerator.from_seed(1, range(50)).uniform("a"),
    ]
    values = torch.stack([other[1:] for other in others]).flatten().tolist()
    assert len(set(values)) > 0.99 * len(values)
    assert torch.equal(
        generator.fold_in(1).uniform("a"), generator.fold_in(torch.ones(50).long()).uniform("a")
    )
    joined = generator.fold_in(0).concatenate(generator.fold_in(1))
    assert torch.equal(joined.uniform("a"), torch.cat([others[2], others[3]]))


@pytest.mark.parametrize("along", ["samples", "places"])
def test_uniform(along: str) -> None:
    samples, shape = (range(40000), ()) if along == "samples" else ([5], (200, 200))
    values = KeyedGenerator.from_seed(0, samples).uniform("x", *shape).flatten().numpy()
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.02
    bits = (values * 2**24).astype(np.int64)
    for bit in range(24):
        assert ((bits >> bit) & 1).mean() == pytest.approx(0.5, abs=0.015)


def test_normal() -> None:
    values = KeyedGenerator.from_seed(0, range(200)).normal("x", 20, 10).flatten().numpy()
    assert np.isfinite(values).all()
    assert stats.kstest(values, "norm").pvalue > 1e-3
    assert np.abs(values).max() > 3.5


def test_no_sample_is_no_trouble() -> None:
    assert KeyedGenerator.from_seed(0, []).uniform("x", 3).shape == (0, 3)
