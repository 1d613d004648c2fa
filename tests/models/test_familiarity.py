"""What is unlike all that trained is far from it."""

import numpy as np
import pytest
import torch

from hitrs.models.familiarity import Familiarity


def features(count: int, width: int = 40, seed: int = 0) -> torch.Tensor:
    """Features that vary along a few directions, each by another amount, and a little along all."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(1).normal(size=(5, width)) * np.array([9, 3, 1, 0.5, 0.2])[:, None]
    rows = rng.normal(size=(count, 5)) @ directions + 0.01 * rng.normal(size=(count, width))
    return torch.from_numpy(rows + 7).float()


@pytest.mark.parametrize("count", [20, 200])
def test_it_is_the_distance_of_mahalanobis(count: int) -> None:
    """Off the axes with the variance of the last of them."""
    rows, other = features(count), features(7, seed=1)
    familiarity = Familiarity.of(rows, 10)
    mean, deviation = rows.mean(0), rows.std(0, correction=0)
    standard, moved = (((each - mean) / deviation).double().numpy() for each in (rows, other))
    values, vectors = np.linalg.eigh(np.cov(standard.T, bias=True))
    axes = familiarity.axes.shape[1]
    variances = np.maximum(values, values[-axes])
    expected = np.sqrt(((moved @ vectors) ** 2 / variances).sum(1) / axes)
    np.testing.assert_allclose(familiarity(other).numpy(), expected, rtol=1e-3)


def test_others_are_farther_than_those_that_trained() -> None:
    """Of few that trained, along the axes alone others were nearer: axes go where just these vary."""
    rows, others = (torch.randn(20, 80, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    familiarity = Familiarity.of(rows, 60)
    assert float(familiarity(others).median()) > float(familiarity(rows).max())


def test_what_is_unlike_all_that_trained_is_far() -> None:
    familiarity = Familiarity.of(features(200), 60)
    usual = familiarity(features(200, seed=2))
    other = features(50, seed=3)
    other[:, :20] += torch.randn(50, 20, generator=torch.Generator().manual_seed(0))
    assert float(familiarity(other).min()) > float(usual.max())


@pytest.mark.parametrize("count", [2, 3, 11, 500])
def test_few_features_have_few_axes(count: int) -> None:
    familiarity = Familiarity.of(torch.randn(count, 80, generator=torch.Generator().manual_seed(0)), 60)
    assert familiarity.axes.shape == (80, min(60, count // 2))
    assert bool(familiarity(torch.zeros(2, 80)).isfinite().all())


def test_features_that_do_not_vary_have_none() -> None:
    assert Familiarity.of(torch.ones(10, 4), 60).axes.shape == (4, 0)
    assert Familiarity.of(torch.ones(1, 4), 60).axes.shape == (4, 0)
