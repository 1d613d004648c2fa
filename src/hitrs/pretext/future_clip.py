"""Video level: predict the feature of the clip that follows (Hi-TRS)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hitrs.pretext.gather import gather_targets
from hitrs.pretext.task import TaskResult, contrast, no_result

TEMPERATURE = 0.07


class FutureClip(nn.Module):
    """Linear(4D, 2D) on the video feature; InfoNCE against the clips of the whole (gathered) batch."""

    def __init__(self, video_width: int, clip_width: int):
        super().__init__()
        self.head = nn.Linear(video_width, clip_width)

    def forward(self, videos: Tensor, following: Tensor) -> TaskResult:
        """Video features (R, 4D) and the features (R, 2D) of the clips that follow; those get no gradient."""
        targets, offset = gather_targets(following.detach())
        prediction = self.head(videos)
        if len(prediction) == 0:
            return no_result(prediction)
        own = torch.arange(len(videos), device=videos.device) + offset
        return contrast(prediction, targets, own, TEMPERATURE)
