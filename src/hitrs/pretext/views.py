"""Video level, beyond the paper: two augmented views of a sequence find each other among those of the others.

None of the paper's four tasks asks that a feature stay the same when the camera moves round the person. This
one does (SimCLR's loss on the video feature), and with it pre-training sees every sequence twice per batch.
Its weight is 0 in the paper configuration.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hitrs.models.encoder import HiTRS
from hitrs.pretext.base import EncodedVideos, PretextTask, TaskResult, no_result
from hitrs.training.distributed import gather_targets

TEMPERATURE = 0.1


PROJECTED = 128
"""Width of the projection, which only this task uses."""


class Views(PretextTask):
    """A two-layer projection of the video feature; InfoNCE between a sequence's views (SimCLR's NT-Xent)."""

    name = "views"
    level = "video"
    metric = "accuracy"
    title = "Two views (video)"
    views = 2

    def __init__(self, encoder: HiTRS):
        super().__init__(encoder)
        width = encoder.video_width
        self.project = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, PROJECTED))

    def forward(self, encoded: EncodedVideos) -> TaskResult:
        """Find the other view of each sequence."""
        return self.result(encoded.videos, encoded.inputs.identity)

    def result(self, videos: Tensor, identity: Tensor) -> TaskResult:
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
