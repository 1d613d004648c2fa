"""The loss of a predictor: how far joints are off, and their steps between frames; unseen ones are masked."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hitrs.pretext.gather import share_of_means
from hitrs.tasks.prediction.model import PredictionModel


class PredictionObjective(nn.Module):
    """Mean distance of joints plus ``velocity`` times that of their steps from frame to frame.

    Args:
        model: the predictor.
        velocity: weight of the second term.
        frozen: keep the encoder as it is, in eval mode.
    """

    def __init__(self, model: PredictionModel, velocity: float, frozen: bool = False):
        super().__init__()
        self.model, self.velocity, self.frozen = model, velocity, frozen
        if frozen and model.encoder is not None:
            model.encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> PredictionObjective:
        super().train(mode)
        if self.frozen and self.model.encoder is not None:
            self.model.encoder.eval()
        return self

    def forward(self, positions: Tensor, valid: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and its position part on windows: observed and future frames (S, T + H, J, C), valid (...)."""
        observed = self.model.settings.observed
        past, seen = positions[:, :observed], valid[:, :observed]
        predicted = self.model(past, seen)
        known = valid[:, observed:] & seen.any(1, keepdim=True)
        position = mean_distance(predicted, positions[:, observed:], known)
        # the step into the future counts too, from a last pose that was seen
        last, last_seen = past[:, -1:], seen[:, -1:]
        steps = torch.cat([last, predicted], 1).diff(dim=1)
        truth = torch.cat([last, positions[:, observed:]], 1).diff(dim=1)
        both = torch.cat([last_seen, known], 1)
        pairs = both[:, 1:] & both[:, :-1]
        velocity = mean_distance(steps, truth, pairs)
        (of_position, of_velocity), _ = share_of_means(torch.stack([known.sum(), pairs.sum()]))
        loss = of_position * position + self.velocity * of_velocity * velocity
        return loss, {"position": of_position * position.detach()}


def mean_distance(first: Tensor, second: Tensor, valid: Tensor) -> Tensor:
    """Mean Euclidean distance of (..., C) over the places that are valid (...); 0 where there are none."""
    off = (first - second).masked_fill(~valid[..., None], 0.0)
    distance = torch.linalg.vector_norm(off, dim=-1)
    return distance.sum() / valid.sum().clamp(min=1)
