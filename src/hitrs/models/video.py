"""V-TRS, the video level: clips attend to each other, one fusion token sums the video up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hitrs.models.attention import key_bias
from hitrs.models.codes import sinusoid
from hitrs.models.config import ModelConfig
from hitrs.models.layer import TransformerStack, with_last_token


class VideoEncoder(nn.Module):
    """Clip features of a video to one video feature (Hi-TRS): width 4 D, one code per clip."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        width = 4 * config.width
        self.embed = nn.Linear(2 * config.width, width)
        self.code = nn.Parameter(sinusoid(config.max_clips, width))
        self.fusion = nn.Parameter(torch.rand(width))
        self.stack = TransformerStack(
            config.layers, width, 2 * config.width, config.heads, config.head_width, config.dropout
        )

    def forward(self, clips: Tensor, valid: Tensor, want_clips: bool = False) -> tuple[Tensor, Tensor | None]:
        """Video features.

        Args:
            clips: (R, N, 2D) with N at most ``max_clips``.
            valid: (R, N), True for real clips.
            want_clips: also return a feature per clip; else the last layer computes the fusion token alone.
        Returns:
            video: (R, 4D); clips: (R, N, 4D) or None.
        """
        x = self.embed(clips)
        x = with_last_token(x + self.code[: clips.shape[1]].to(x.dtype), self.fusion)  # (R, N+1, 4D)
        bias = None if bool(valid.all()) else key_bias(nn.functional.pad(valid, (0, 1), value=True))
        x = self.stack(x, bias, last_only=not want_clips)
        return x[:, -1], (x[:, :-1] if want_clips else None)

    def newest(self, clips: Tensor, valid: Tensor) -> Tensor:
        """The feature of the last clip alone, (R, 4D): ``forward(clips, valid, want_clips=True)[1][:, -1]``.

        The order of tokens means nothing to attention, so this clip stands last, behind the fusion token, and
        the last layer computes it alone.
        """
        x = self.embed(clips)
        x = x + self.code[: clips.shape[1]].to(x.dtype)
        x = torch.cat([with_last_token(x[:, :-1], self.fusion), x[:, -1:]], dim=1)
        seen = torch.cat([nn.functional.pad(valid[:, :-1], (0, 1), value=True), valid[:, -1:]], dim=1)
        return self.stack(x, None if bool(valid.all()) else key_bias(seen), last_only=True)[:, 0]
