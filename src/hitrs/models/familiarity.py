"""How far features are from those that a classifier learned from: what is unlike all of them is of no class
that it knows."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Familiarity(nn.Module):
    """The distance of features to the mean of those that it learned from, in units of how far these vary
    along each of their main axes (Mahalanobis' distance in the first principal components).

    >>> familiarity = Familiarity.of(training_features, 60)
    >>> familiarity(features)  # 1 is usual
    tensor([0.92, 1.10, 4.71])

    Args:
        width: F, numbers of a feature.
        axes: A.
    """

    mean: Tensor
    """(F,)."""
    axes: Tensor
    """(F, A): to coordinates of mean square 1."""

    def __init__(self, width: int, axes: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("axes", torch.zeros(width, axes))

    def forward(self, features: Tensor) -> Tensor:
        """Distances (B,) of features (B, F)."""
        return ((features - self.mean) @ self.axes).square().mean(1).sqrt()

    @classmethod
    def of(cls, features: Tensor, most: int) -> Familiarity:
        """What such features (N, F) are familiar with.

        There are ``most`` axes, or half as many as features: along the last ones training features vary
        hardly more than chance has it, and others much.
        """
        mean, deviation = features.mean(0), features.std(0, correction=0)
        least = 1e-3 * deviation.mean()
        scale = torch.where(deviation > least, 1 / deviation.clamp(min=least), 0.0)
        rows = ((features - mean) * scale).double()
        values, vectors = torch.linalg.eigh(rows @ rows.T / len(rows))  # rising
        count = min(most, len(rows) // 2, int((values > 1e-6 * values[-1]).sum()))
        values, vectors = values[len(values) - count :], vectors[:, len(values) - count :]
        made = cls(features.shape[1], count).to(features.device)
        made.mean.copy_(mean)
        made.axes.copy_(scale[:, None] * (rows.T @ vectors / values / len(rows) ** 0.5))
        return made
