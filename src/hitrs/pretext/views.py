"""Video level, beyond the paper: two augmented views of a sequence find each other among those of the others.

The paper's four tasks tell order and detail apart, none of them asks that a feature stay the same when the
camera moves round the person. This one does (SimCLR's loss on the video feature), and with it pre-training
sees every sequence twice per batch. Its weight is 0 in the paper configuration.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hitrs.pretext.gather import gather_targets
from hitrs.pretext.task import TaskResult, no_result

TEMPERATURE = 0.1


class Views(nn.Module):
    """A two-layer projection of the video feature; InfoNCE between a sequence's views (SimCLR's NT-Xent)."""

    def __init__(self, width: int, projection: int = 128):
        super().__init__()
        self.project = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, projection))

    def forward(self, videos: Tensor, identity: Tensor) -> TaskResult:
        """Video features (S, 4D) and which sequence each is a view of, (S,); two views of each, or one."""
        projected = nn.functional.normalize(self.project(videos).float(), dim=1)
        targets, offset = gather_targets(projected)
        own = torch.arange(len(videos), device=videos.device)
        partners = (identity[:, None] == identity[None, :]) & (own[:, None] != own[None, :])
        paired = partners.any(1)
        if not bool(paired.any()):
            return no_result(projected[:0], targets[:0])
        similarity = projected @ targets.T / TEMPERATURE
        similarity = similarity.masked_fill(
            own[:, None] + offset == torch.arange(len(targets), device=own.device), -math.inf
        )
        similarity, partner = similarity[paired], partners.float().argmax(1)[paired] + offset
        accuracy = (similarity.argmax(1) == partner).float().mean()
        loss = nn.functional.cross_entropy(similarity, partner)
        return TaskResult(loss, accuracy.detach(), len(similarity))
