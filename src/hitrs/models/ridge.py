"""A ridge classifier in closed form, on features of any kind; its strength is chosen by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

STRENGTHS = tuple(10.0**power for power in np.arange(-1.0, 5.5, 0.5))
"""Penalties that are tried, relative to the mean square of a standardized feature."""
SHARPNESSES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
"""Factors before softmax that are tried."""
FOLDS = 4


@dataclass(frozen=True)
class Ridge:
    """A fitted classifier.

    >>> ridge = fit_ridge(features, labels, classes=10, groups=recordings)
    >>> ridge.probabilities(features).argmax(1)
    """

    mean: Tensor
    """(F,)."""
    weight: Tensor
    """(F, classes), of features minus their mean."""
    bias: Tensor
    """(classes,)."""
    sharpness: float
    """Factor of the scores before softmax, by which probabilities fit the held-out labels best."""
    strength: float
    held_out: Tensor
    """(N, classes) probabilities of the rows, each by a fit that did not learn from it (cross-validation), or
    from anybody of its fold."""
    fold: np.ndarray
    """(N,) the fold of each row in which it was held out."""

    def probabilities(self, features: Tensor) -> Tensor:
        """Probabilities (N, classes) of features (N, F)."""
        raw = (features - self.mean) @ self.weight + self.bias
        return torch.softmax(self.sharpness * raw, dim=1)


def fit_ridge(
    features: Tensor,
    labels: np.ndarray,
    classes: int,
    groups: np.ndarray,
    seed: int = 0,
    people: np.ndarray | None = None,
) -> Ridge:
    """Ridge regression on targets of 1 for the class and 0 for the others, features standardized.

    Args:
        features: (N, F) float32; labels: (N,) int64.
        groups: (N,) what must not be parted in cross-validation, for example the recording of each copy.
        seed: of the folds.
        people: (N,) int64, who shall not be parted where rows are held out, so that their probabilities are
            those of somebody new; None: as strength and sharpness are chosen.
    """
    mean, deviation = features.mean(0), features.std(0, correction=0)
    scale = torch.where(deviation > 1e-6, 1 / deviation.clamp(min=1e-6), 0.0) / features.shape[1] ** 0.5
    scaled = (features - mean) * scale
    targets = torch.nn.functional.one_hot(torch.from_numpy(labels), classes).double()
    gram = (scaled @ scaled.T).double()
    fold = _folds(labels, groups, seed)
    held_out = torch.zeros(len(STRENGTHS), len(labels), classes, dtype=torch.float64)
    for number in range(FOLDS):
        test = torch.from_numpy(fold == number)
        if bool(test.any()) and bool((~test).any()):
            kernel = gram[~test][:, ~test]
            dual, offset = _solve(kernel, targets[~test])
            held_out[:, test] = gram[test][:, ~test] @ dual + offset
    truth = torch.from_numpy(labels)
    losses = torch.stack([_log_loss(scores, truth) for scores in held_out])  # (strengths, sharpnesses)
    right = (held_out.argmax(2) == truth).float().mean(1)
    best = int((right - 1e-3 * losses.amin(1)).argmax())  # ties are broken by likelihood
    dual, offset = _solve(gram, targets)
    weight = scaled.T @ dual[best].float() * scale[:, None]
    sharpness = SHARPNESSES[int(losses[best].argmin())]
    apart = held_out[best]
    if people is not None:
        _, numbers = np.unique(people, return_inverse=True)
        fold = numbers % FOLDS
        apart = _held_out(gram, targets, fold, STRENGTHS[best])
    chances = torch.softmax(sharpness * apart, dim=1).float()
    return Ridge(mean, weight, offset[best, 0].float(), sharpness, STRENGTHS[best], chances, fold)


def _held_out(gram: Tensor, targets: Tensor, fold: np.ndarray, strength: float) -> Tensor:
    """Scores (N, classes) of each fold's rows by a fit of the others'."""
    scores = torch.zeros_like(targets)
    for number in np.unique(fold):
        test = torch.from_numpy(fold == number)
        kernel, offset = gram[~test][:, ~test], targets[~test].mean(0)
        kernel.diagonal().add_(1e-3 * strength)
        dual = torch.cholesky_solve(targets[~test] - offset, torch.linalg.cholesky(kernel))
        scores[test] = gram[test][:, ~test] @ dual + offset
    return scores


def _solve(gram: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Dual weights (strengths, N, classes) and offsets (strengths, 1, classes) of kernel ridge regression."""
    offset = targets.mean(0, keepdim=True)
    values, vectors = torch.linalg.eigh(gram)
    rotated = vectors.T @ (targets - offset)
    strengths = torch.tensor(STRENGTHS, dtype=torch.float64)[:, None, None]
    dual = vectors @ (rotated / (values.clamp(min=0)[:, None] + 1e-3 * strengths))
    return dual, offset.expand(len(STRENGTHS), -1, -1)


def _folds(labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """A fold of each row: groups stay together, the groups of a class are spread over all folds."""
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(labels), np.int64)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    of_group = np.zeros(len(first), np.int64)
    start = 0
    for label in np.unique(labels[first]):
        own = rng.permutation(np.flatnonzero(labels[first] == label))
        of_group[own] = (start + np.arange(len(own))) % FOLDS
        start += len(own)
    fold[:] = of_group[inverse]
    return fold


def _log_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean negative log-likelihood for each sharpness."""
    return torch.stack(
        [torch.nn.functional.cross_entropy(sharpness * scores, labels) for sharpness in SHARPNESSES]
    )
