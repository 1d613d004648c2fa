"""All levels, beyond the paper: what random convolutions say of a sequence before it was augmented.

Features that nobody trained are hard to beat with few labels (``hitrs.models.convolutions``), and so are a
good teacher: they see the whole movement in full, the encoder sees it turned, scaled, cropped and with tokens
left out, and learns what stays the same. Feature targets are from MaskFeat (Wei et al. 2022), fixed random
ones from BEST-RQ (Chiu et al. 2022).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models.convolutions import FRAMES, RandomConvolutions
from hitrs.models.encoder import HiTRS
from hitrs.models.features import pool_levels
from hitrs.pretext.base import EncodedClips, EncodedVideos, PretextTask, TaskResult, VideoRequest
from hitrs.transforms.masking import Unmasked

COORDINATES = 3
"""Of the bank; 2-D sequences have 0 as the third."""
LIMIT = 4.0
"""Targets are cut off so many deviations from the mean: a few of them have long tails."""


class Convolutions(PretextTask):
    """A linear map of the pooled features of all levels to a small bank's features, each standardized.

    An error of 1 is that of predicting their mean. The bank's biases are taken from the first batch, mean and
    deviation of its features are those over all batches so far.
    """

    name = "convolutions"
    level = "video"
    metric = "error"
    title = "Random convolutions (all levels)"
    clean = True
    masking = Unmasked()
    batches: Tensor
    moments: Tensor

    def __init__(self, encoder: HiTRS):
        super().__init__(encoder)
        channels = encoder.joints * COORDINATES
        self.bank = RandomConvolutions(channels, FRAMES, kernels=32, biases=1, groups=4, seed=7)
        self.register_buffer("batches", torch.zeros(()))
        self.register_buffer("moments", torch.zeros(2, self.bank.width))
        self.head = nn.Sequential(
            nn.LayerNorm(encoder.pooled_width), nn.Linear(encoder.pooled_width, self.bank.width)
        )

    def request_videos(self, encoded: EncodedClips) -> VideoRequest:
        """The whole sequences: the contexts end before the last clip."""
        slots = encoded.clips.slots
        return VideoRequest(torch.arange(len(slots), device=slots.device), slots)

    def forward(self, encoded: EncodedVideos) -> TaskResult:
        """Predict the features of every sequence."""
        assert encoded.inputs.clean is not None
        pooled = pool_levels(encoded.frames, encoded.clips, encoded.requested_videos)
        return self.result(pooled, encoded.inputs.clean)

    def result(self, pooled: Tensor, clean: Tensor) -> TaskResult:
        """Pooled features (S, 6D + 2JD) of sequences that were (S, F, J, C) before augmentation."""
        prediction = self.head(pooled).float()
        target = self.targets(clean)
        loss = F.mse_loss(prediction, target) if len(target) else prediction.sum()
        error = loss.detach().sqrt() if len(target) else loss.detach()
        return TaskResult(loss, error, len(target))

    @torch.no_grad()
    def targets(self, clean: Tensor) -> Tensor:
        """Standardized features (S, width) of sequences (S, F, J, C); in training they count for the mean."""
        clean = F.pad(clean.float(), (0, COORDINATES - clean.shape[-1]))
        sequences = clean.flatten(2).transpose(1, 2)
        if not len(sequences):
            return sequences.new_zeros(0, self.bank.width)
        if self.training and not self.batches:
            self.bank.fit(sequences)
        features = self.bank(sequences)
        if self.training:
            self.batches += 1
            now = torch.stack([features.mean(0), features.square().mean(0)])
            self.moments += (now - self.moments) / self.batches
        mean, square = self.moments
        deviation = (square - mean.square()).clamp(min=1e-4).sqrt()
        return ((features - mean) / deviation).clamp(-LIMIT, LIMIT)
