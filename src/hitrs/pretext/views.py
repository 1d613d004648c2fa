"""Video level, beyond the paper: two augmented views of a sequence find each other among the views of the others.

The paper's four tasks tell order and detail apart, none of them asks that a feature stay the same when the camera moves
round the person. This one does (SimCLR's loss on the video feature), and with it pre-training sees every sequence
twice per batch. Its weight is 0 in the paper configuration.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hitrs.pretext.gather import gather_targets
from hitrs.pretext.task import TaskResult, contrast, no_result

TEMPERATURE = 0.1


class Views(nn.Module):
    """A two-layer projection of the video feature; InfoNCE between the two views, both directions."""

    def __init__(self, width: int, projection: int = 128):
        super().__init__()
        self.project = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, projection))

    def forward(self, videos: Tensor) -> TaskResult:
        """Video features (2B, 4D): row i and row i + B are views of the same sequence."""
        half = len(videos) // 2
        if half == 0:
            return no_result(self.project[0].weight)
        projected = nn.functional.normalize(self.project(videos).float(), dim=1)
        first, second = projected[:half], projected[half:]
        there = self._one_way(first, second)
        back = self._one_way(second, first)
        accuracy = (there.metrics["accuracy"] + back.metrics["accuracy"]) / 2
        return TaskResult((there.loss + back.loss) / 2, {"accuracy": accuracy})

    @staticmethod
    def _one_way(queries: Tensor, targets: Tensor) -> TaskResult:
        gathered, offset = gather_targets(targets.detach())
        own = torch.arange(len(queries), device=queries.device) + offset
        if len(gathered) == len(targets):  # one process: let the gradient reach the targets too
            gathered = targets
        return contrast(queries, gathered, own, TEMPERATURE)
