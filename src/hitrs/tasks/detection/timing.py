"""When the tokens and clips of a recording are, and their features at every frame."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Timing:
    """Things that follow each other evenly: number n takes frames [first + n step, first + n step + size).

    >>> tubelets = Timing(first=0, step=4, size=4)
    >>> values, seen = tubelets.interpolated(features, present, counts, frames)
    """

    first: int
    step: int
    size: int

    def newest(self, frame: Tensor) -> Tensor:
        """Number of the last one of which all frames are there at a frame; below 0: there is none yet."""
        return (frame - self.first - self.size + 1) // self.step

    def completed(self, frame: int) -> bool:
        """Whether a frame is the last one of one of them."""
        late = frame - self.first - self.size + 1
        return late >= 0 and late % self.step == 0

    def held(self, features: Tensor, present: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Features at frames by past frames only: each counts from the frame that completes it on.

        Args:
            features: (S, N, H); present: (S, N) bool, where there is one.
            length: T.
        Returns:
            (S, T, H), 0 where there is none, and (S, T), where there is one.
        """
        newest = self.newest(torch.arange(length, device=features.device))
        place = newest.clamp(0, features.shape[1] - 1)
        seen = present[:, place] & (newest >= 0)
        return features[:, place] * seen[..., None], seen

    def interpolated(
        self, features: Tensor, present: Tensor, counts: Tensor, length: int
    ) -> tuple[Tensor, Tensor]:
        """Features at frames, in a straight line between the centers of two; of one alone where the other one
        is not there, before the first center and behind the last.

        Args:
            features: (S, N, H); present: (S, N) bool, where there is one.
            counts: how many each sequence has, seen or not, (S,).
            length: T.
        Returns:
            (S, T, H), 0 where there is none, and (S, T), where there is one.
        """
        step = 2 * self.step  # half frames: a center may lie between two frames
        since = 2 * torch.arange(length, device=features.device) - (2 * self.first + self.size - 1)
        since = since.minimum(step * counts[:, None] - 1)  # (S, T) since the first center
        low = (since // step).clamp(min=0)
        high = (low + 1).clamp(max=features.shape[1] - 1)
        part = (since - step * low).clamp(min=0) / step
        near, far = (1 - part) * present.gather(1, low), part * present.gather(1, high)
        weight = near + far
        row = torch.arange(features.shape[0], device=features.device)[:, None]
        values = near[..., None] * features[row, low] + far[..., None] * features[row, high]
        return values / weight.clamp(min=1e-6)[..., None], weight > 0
