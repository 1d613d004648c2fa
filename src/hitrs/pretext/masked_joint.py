"""Frame level: predict the coordinates of masked joints (Hi-TRS)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.pretext.task import TaskResult, no_result

SCALE = 10.0
"""Coordinates in meters are multiplied by this before SmoothL1, so that errors under 10 cm are squared."""


class MaskedJoint(nn.Module):
    """Linear(D, C) on the feature of every chosen joint."""

    def __init__(self, width: int, coords: int):
        super().__init__()
        self.head = nn.Linear(width, coords)

    def forward(self, features: Tensor, target: Tensor) -> TaskResult:
        """Features (Q, D) of the chosen joints of a batch, their unmasked values (Q, C)."""
        prediction = self.head(features).float()
        if len(prediction) == 0:
            return no_result(prediction)
        loss = F.smooth_l1_loss(SCALE * prediction, SCALE * target)
        error = torch.linalg.vector_norm(prediction.detach() - target, dim=-1).mean()
        return TaskResult(loss, error, len(prediction))
