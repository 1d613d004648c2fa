"""The loss of a detector: balanced cross-entropy of every frame, and smoothness over time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.pretext.gather import share_of_means
from hitrs.tasks.detection.model import DetectionModel
from hitrs.transforms.batch import Batch

JUMP = 4.0
"""Larger jumps of a log-probability count as this one: a boundary may be sharp (as in MS-TCN)."""
IGNORED = -1
"""Label of padding."""


class DetectionObjective(nn.Module):
    """Cross-entropy of a detection model.

    Args:
        model: the detector.
        weights: (K + 1,) weight of each class, background last.
        smoothness: weight of the squared jumps of log-probabilities between neighboring frames.
        frozen: keep the encoder as it is, in eval mode.
    """

    weights: Tensor

    def __init__(self, model: DetectionModel, weights: Tensor, smoothness: float, frozen: bool = False):
        super().__init__()
        self.model, self.smoothness, self.frozen = model, smoothness, frozen
        self.register_buffer("weights", weights, persistent=False)
        if frozen:
            model.encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> DetectionObjective:
        super().train(mode)
        if self.frozen:
            self.model.encoder.eval()
        return self

    def forward(self, batch: Batch, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and frame accuracy; labels (B, T) int64, -1 for padding."""
        logits = self.model(batch).float()  # (B, T, K+1)
        known = labels != IGNORED
        inside = known[:, 1:] & known[:, :-1]
        weight = self.weights[labels[known]].sum()
        (of_loss, of_jumps, of_frames), _ = share_of_means(torch.stack([weight, inside.sum(), known.sum()]))
        loss = of_loss * F.cross_entropy(logits[known], labels[known], weight=self.weights)
        log_probabilities = logits.log_softmax(-1)
        jumps = (log_probabilities[:, 1:] - log_probabilities[:, :-1].detach()).clamp(-JUMP, JUMP)
        if self.smoothness and bool(inside.any()):
            loss = loss + of_jumps * self.smoothness * jumps[inside].square().mean()
        accuracy = (logits.detach().argmax(-1) == labels)[known].float().mean()
        return loss, {"accuracy": of_frames * accuracy}


def class_weights(labels: Tensor, classes: int, balance: float) -> Tensor:
    """(classes,) share of the frames to the power of -balance, mean 1 over the frames; labels (Q,) int64.

    A class without a frame gets the weight of one that has a single frame.
    """
    count = torch.bincount(labels, minlength=classes).float()
    weight = count.clamp(min=1).pow(-balance)
    return weight * count.sum() / (weight * count).sum()
