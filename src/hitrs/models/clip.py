"""C-TRS, the clip level: joints attend to other frames, one fusion token sums the clip up."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from hitrs.models.codes import sinusoid_2d
from hitrs.models.config import ModelConfig
from hitrs.models.layer import TransformerStack, with_last_token


@lru_cache(maxsize=64)
def clip_bias(window: int, joints: int, device: torch.device) -> Tensor:
    """Attention bias of the clip level, (W J + 1, W J + 1); shared, not to be changed.

    A joint attends to itself, to every joint of the other frames and to the fusion token, not to the other
    joints of its own frame: the clip level adds time, not space again. The fusion token, last, sees all.
    """
    with torch.inference_mode(False):  # it is kept, and what inference mode makes cannot be trained with
        frame = torch.arange(window).repeat_interleave(joints)
        hidden = (frame[:, None] == frame[None, :]) & ~torch.eye(window * joints, dtype=torch.bool)
        bias = torch.zeros(window * joints + 1, window * joints + 1)
        bias[:-1, :-1].masked_fill_(hidden, -math.inf)
        return bias.to(device)


class ClipEncoder(nn.Module):
    """Joint features of a clip's frames to one clip feature (Hi-TRS): width 2 D."""

    def __init__(self, config: ModelConfig, joints: int):
        super().__init__()
        width = 2 * config.width
        self.embed = nn.Linear(config.width, width)
        self.code = nn.Parameter(sinusoid_2d(config.window, joints, width))
        self.fusion = nn.Parameter(torch.rand(width))
        self.stack = TransformerStack(
            config.layers, width, config.width, config.heads, config.head_width, config.dropout
        )

    def forward(self, features: Tensor, frames: Tensor, valid: Tensor) -> Tensor:
        """Clip features from packed joint features.

        Clips of the same number of real frames are encoded together, without the places that hold none.

        Args:
            features: of the frame level, (M, J, D); the input map of a frame is computed once, however many
                clips it is in.
            frames: rows of ``features`` that make up each clip, (K, W) int64.
            valid: (K, W, J), True for tokens that may be attended to; at least one per clip.
        Returns:
            (K, 2D).
        """
        embedded = self.embed(features)  # (M, J, 2D)
        real = valid.any(-1)  # (K, W)
        counts = real.sum(1)
        encoded, clips = [], []
        for count in counts.unique().tolist():
            which = (counts == count).nonzero()[:, 0]
            places = real[which].nonzero()[:, 1].view(-1, count)  # the real places of each clip, in order
            encoded.append(
                self._encode(embedded, frames[which].gather(1, places), valid[which[:, None], places], places)
            )
            clips.append(which)
        back = torch.cat(clips).argsort()
        return torch.cat(encoded).index_select(0, back)

    def _encode(self, embedded: Tensor, frames: Tensor, valid: Tensor, places: Tensor) -> Tensor:
        """Clips of w frames each at ``places`` of the window: frames and places (k, w), valid (k, w, J)."""
        # index_select, not indexing: its backward sums in a fixed order, so a run can be repeated bit by bit
        x = embedded.index_select(0, frames.flatten()).unflatten(0, frames.shape)  # (k, w, J, 2D)
        code = self.code.to(x.dtype)
        if places.shape[1] < len(code):
            code = code.index_select(0, places.flatten()).unflatten(0, places.shape)
        x = with_last_token((x + code).flatten(1, 2), self.fusion)  # (k, wJ+1, 2D)
        bias = clip_bias(frames.shape[1], valid.shape[2], x.device)
        if not bool(valid.all()):
            hidden = torch.zeros(valid.shape, device=x.device).masked_fill_(~valid, -math.inf).flatten(1)
            hidden = nn.functional.pad(hidden, (0, 1))  # the fusion token is never hidden
            bias = (bias.to(x.dtype) + hidden.to(x.dtype)[:, None, :])[:, None]  # (k, 1, wJ+1, wJ+1)
        return self.stack(x, bias, last_only=True)[:, 0]
