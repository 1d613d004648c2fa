"""How far features are from those that a classifier learned from: what is unlike all of them is of no class
that it knows."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Familiarity(nn.Module):
    """The distance of features to the mean of those that it learned from, in units of how far these vary:
    Mahalanobis' distance where the first principal components have their variance and all other directions
    that of the last of these (after Moghaddam and Pentland 1997, Probabilistic Visual Learning for Object
    Representation).

    Along the axes alone those that trained would seem farther off than others, which the axes were not
    turned to; what others have off the axes, these do not.

    >>> familiarity = Familiarity.of(training_features, 60)
    >>> familiarity(features)
    tensor([0.92, 1.10, 4.71])

    Args:
        width: F, numbers of a feature.
        axes: A.
    """

    mean: Tensor
    """(F,)."""
    scale: Tensor
    """(F,): one over the deviation, 0 where features do not vary."""
    axes: Tensor
    """(F, A), orthonormal."""
    weights: Tensor
    """(A,): one over the variance along each axis."""
    rest: Tensor
    """(): one over that off the axes."""

    def __init__(self, width: int, axes: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.zeros(width))
        self.register_buffer("axes", torch.zeros(width, axes))
        self.register_buffer("weights", torch.zeros(axes))
        self.register_buffer("rest", torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Distances (B,) of features (B, F), per axis."""
        moved = (features - self.mean) * self.scale
        along = moved @ self.axes
        off = (moved - along @ self.axes.T).square().sum(1)
        squared = (along.square() * self.weights).sum(1) + off * self.rest
        return (squared / self.axes.shape[1]).sqrt()

    @classmethod
    def of(cls, features: Tensor, most: int) -> Familiarity:
        """What such features (N, F) are familiar with: ``most`` axes, or half as many as features."""
        mean, deviation = features.mean(0), features.std(0, correction=0)
        least = 1e-3 * deviation.mean()
        scale = torch.where(deviation > least, 1 / deviation.clamp(min=least), 0.0)
        rows = ((features - mean) * scale).double()
        values, vectors = torch.linalg.eigh(rows @ rows.T / len(rows))  # rising
        count = min(most, len(rows) // 2, int((values > 1e-6 * values[-1]).sum()))
        values, vectors = values[len(values) - count :], vectors[:, len(values) - count :]
        made = cls(features.shape[1], count).to(features.device)
        made.mean.copy_(mean)
        made.scale.copy_(scale)
        if count:
            made.axes.copy_(rows.T @ vectors / (values * len(rows)).sqrt())
            made.weights.copy_(1 / values)
            made.rest.copy_(1 / values[0])
        return made
