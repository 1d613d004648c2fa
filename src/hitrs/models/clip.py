"""C-TRS, the clip level: joints attend to other frames, one fusion token sums the clip up."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hitrs.models.codes import sinusoid_2d
from hitrs.models.config import ModelConfig
from hitrs.models.layer import TransformerStack, with_last_token


def clip_bias(window: int, joints: int) -> Tensor:
    """Attention bias of the clip level, (W J + 1, W J + 1).

    A joint attends to itself, to every joint of the other frames and to the fusion token, not to the other joints of
    its own frame: the clip level adds time, not space again. The fusion token, last, attends to all.
    """
    frame = torch.arange(window).repeat_interleave(joints)
    hidden = (frame[:, None] == frame[None, :]) & ~torch.eye(window * joints, dtype=torch.bool)
    bias = torch.zeros(window * joints + 1, window * joints + 1)
    bias[:-1, :-1].masked_fill_(hidden, -math.inf)
    return bias


class ClipEncoder(nn.Module):
    """Joint features of a clip's frames to one clip feature (Hi-TRS, section 3.2): width 2 D."""

    bias: Tensor

    def __init__(self, config: ModelConfig, joints: int):
        super().__init__()
        width = 2 * config.width
        self.embed = nn.Linear(config.width, width)
        self.code = nn.Parameter(sinusoid_2d(config.window, joints, width))
        self.fusion = nn.Parameter(torch.rand(width))
        self.stack = TransformerStack(
            config.layers, width, config.width, config.heads, config.head_width, config.dropout
        )
        self.register_buffer("bias", clip_bias(config.window, joints), persistent=False)

    def forward(self, features: Tensor, frames: Tensor, valid: Tensor | None = None) -> Tensor:
        """Clip features from packed joint features.

        Args:
            features: of the frame level, (M, J, D); each frame's input map is computed once, however many clips it is in.
            frames: rows of ``features`` that make up each clip, (K, W) int64.
            valid: (K, W, J), True for tokens that may be attended to; None if all may.
        Returns:
            (K, 2D).
        """
        # index_select, not indexing: its backward sums in a fixed order, so that a run can be repeated bit by bit
        x = self.embed(features).index_select(0, frames.flatten()).unflatten(0, frames.shape)  # (K, W, J, 2D)
        x = with_last_token((x + self.code.to(x.dtype)).flatten(1, 2), self.fusion)  # (K, WJ+1, 2D)
        bias = self.bias
        if valid is not None and not bool(valid.all()):
            hidden = torch.zeros(valid.shape, device=x.device).masked_fill_(~valid, -math.inf).flatten(1)
            hidden = nn.functional.pad(hidden, (0, 1))  # the fusion token is never hidden
            bias = (bias.to(x.dtype) + hidden.to(x.dtype)[:, None, :])[:, None]  # (K, 1, WJ+1, WJ+1)
        return self.stack(x, bias, last_only=True)[:, 0]
