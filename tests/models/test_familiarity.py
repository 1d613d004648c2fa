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


def test_it_is_the_distance_of_mahalanobis() -> None:
    rows = features(200)
    familiarity = Familiarity.of(rows, 60)
    standard = ((rows - rows.mean(0)) / rows.std(0, correction=0)).double().numpy()
    axes = familiarity.axes.shape[1]
    values, vectors = np.linalg.eigh(np.cov(standard.T, bias=True))
    along = standard @ vectors[:, ::-1][:, :axes] / np.sqrt(values[::-1][:axes])
    np.testing.assert_allclose(familiarity(rows).numpy(), np.sqrt((along**2).mean(1)), rtol=1e-3)
    assert float(familiarity(rows).square().mean()) == pytest.approx(1, rel=1e-3)


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
