"""Video level: predict the feature of the clip that follows (Hi-TRS)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hitrs.models.encoder import HiTRS
from hitrs.pretext.base import EncodedVideos, PretextTask, TaskResult
from hitrs.pretext.losses import contrastive_result
from hitrs.training.distributed import gather_targets

TEMPERATURE = 0.07


class FutureClip(PretextTask):
    """Linear(4D, 2D) on the video feature; InfoNCE against the clips of the whole (gathered) batch."""

    name = "future_clip"
    level = "video"
    metric = "accuracy"
    title = "Future clip (video)"

    def __init__(self, encoder: HiTRS):
        super().__init__(encoder)
        self.head = nn.Linear(encoder.video_width, encoder.clip_width)

    def forward(self, encoded: EncodedVideos) -> TaskResult:
        """Find the clip that follows each context."""
        several = encoded.following >= 0
        return self.result(encoded.videos[several], encoded.clips.features[encoded.following[several]])

    def result(self, videos: Tensor, following: Tensor) -> TaskResult:
        """Video features (R, 4D) and the features (R, 2D) of the clips that follow; those get no gradient."""
        targets, offset = gather_targets(following.detach())
        own = torch.arange(len(videos), device=videos.device) + offset
        return contrastive_result(self.head(videos), targets, own, TEMPERATURE)
