"""Clip level: are the frames of a clip in order, or were two exchanged? (Hi-TRS)"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hitrs.pretext.pairs import draw_pair, exchange
from hitrs.pretext.task import TaskResult, no_result, order_result
from hitrs.transforms.draws import Draws


@dataclass(frozen=True)
class ClipPairs:
    """One window of each sequence that takes part, and how its negative's places are permuted."""

    sequences: Tensor
    """(R,) int64."""
    windows: Tensor
    """(R, W) int64, padded frame indices."""
    swap: Tensor
    """(R, W) int64, the identity but for two places."""


def displacement(positions: Tensor, valid: Tensor) -> Tensor:
    """How far the joints of each frame moved since the frame before, (S, T); 0 where not seen."""
    moved = (positions[:, 1:] - positions[:, :-1]).abs().sum(-1)
    moved = moved.masked_fill(~(valid[:, 1:] & valid[:, :-1]), 0.0).sum(-1)
    return nn.functional.pad(moved, (1, 0))


class ClipOrder(nn.Module):
    """Linear(2D, 2) on the feature of a window and of the same window with two frames exchanged."""

    def __init__(self, width: int, window: int, dilation: int):
        super().__init__()
        self.window, self.dilation = window, dilation
        self.head = nn.Linear(width, 2)

    def draw(self, moved: Tensor, usable: Tensor, lengths: Tensor, draws: Draws) -> ClipPairs:
        """Draw a moving window (stride 1) and the two frames to exchange.

        Args:
            moved: (S, T) from :func:`displacement` of the unmasked sequence.
            usable: (S, F), True for padded frames that may be exchanged (those that were encoded).
            lengths: (S,).
            draws: of the sequences.
        """
        pad = (usable.shape[1] - moved.shape[1]) // 2
        offsets = torch.arange(self.window, device=moved.device) * self.dilation
        starts = torch.arange(moved.shape[1], device=moved.device)
        table = starts[:, None] + offsets  # (T, W): with stride 1 window n starts at padded frame n
        distance = nn.functional.pad(moved, (pad, pad))[:, table].sum(-1)  # (S, T)
        # a pair two places apart needs three usable frames in a row of the window
        enough = usable[:, table].sum(-1) >= min(3, self.window)
        eligible = (distance > 0) & enough & (starts < lengths[:, None])
        sequences = eligible.any(1).nonzero()[:, 0]
        score = draws.uniform("clip order: window", moved.shape[1])
        score = score.masked_fill(~eligible, -1.0)
        windows = table[score[sequences].argmax(1)]
        identity = torch.arange(self.window, device=moved.device).expand(len(sequences), -1)
        if len(sequences) == 0 or self.window < 2:
            return ClipPairs(sequences[:0], windows[:0], identity[:0])
        pair = draw_pair(usable[sequences[:, None], windows], draws[sequences], "clip order: pair")
        return ClipPairs(sequences, windows, exchange(identity, pair))

    def forward(self, in_order: Tensor, swapped: Tensor) -> TaskResult:
        """Clip features (R, 2D) of the windows and (R, 2D) of their negatives."""
        logits, negative = self.head(in_order), self.head(swapped)
        return order_result(logits, negative) if len(logits) else no_result(logits, negative)
