"""Clip level: are the frames of a clip in order, or were two exchanged? (Hi-TRS)"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hitrs.models.encoder import HiTRS
from hitrs.pretext.base import ClipRequest, EncodedClips, EncodedFrames, PretextTask, TaskResult
from hitrs.pretext.losses import draw_pair, exchange, order_result
from hitrs.transforms.random import KeyedGenerator


def displacement(positions: Tensor, valid: Tensor) -> Tensor:
    """How far the joints of each frame moved since the frame before, (S, T); 0 where not seen."""
    moved = (positions[:, 1:] - positions[:, :-1]).abs().sum(-1)
    moved = moved.masked_fill(~(valid[:, 1:] & valid[:, :-1]), 0.0).sum(-1)
    return nn.functional.pad(moved, (1, 0))


class ClipOrder(PretextTask):
    """Linear(2D, 2) on the feature of a window and of the same window with two frames exchanged."""

    name = "clip_order"
    level = "clip"
    metric = "accuracy"
    title = "Frame order (clip)"
    chance = 0.5

    def __init__(self, encoder: HiTRS):
        super().__init__(encoder)
        self.window, self.dilation = encoder.config.window, encoder.config.dilation
        self.head = nn.Linear(encoder.clip_width, 2)

    def request_clips(self, encoded: EncodedFrames) -> ClipRequest:
        """A window of each sequence that moves (:meth:`draw`), then the same ones with frames exchanged."""
        inputs = encoded.inputs
        moved = displacement(inputs.positions, inputs.valid)
        sequences, windows, order = self.draw(
            moved, encoded.frames.rows >= 0, inputs.lengths, inputs.generator
        )
        in_order = torch.arange(self.window, device=moved.device).expand(len(sequences), -1)
        return ClipRequest(
            torch.cat([sequences, sequences]), torch.cat([windows, windows]), torch.cat([in_order, order])
        )

    def draw(
        self, moved: Tensor, usable: Tensor, lengths: Tensor, generator: KeyedGenerator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw a moving window (stride 1) and the two frames to exchange.

        Args:
            moved: (S, T) from :func:`displacement` of the unmasked sequence.
            usable: (S, F), True for padded frames that may be exchanged (those that were encoded).
            lengths: (S,).
            generator: of the sequences.
        Returns:
            sequences that take part: (R,) int64; windows: (R, W), padded frame indices; order: (R, W), the
            places of each window with two exchanged.
        """
        pad = (usable.shape[1] - moved.shape[1]) // 2
        offsets = torch.arange(self.window, device=moved.device) * self.dilation
        span = (self.window - 1) * self.dilation
        starts = torch.arange(max(usable.shape[1] - span, 0), device=moved.device)
        table = starts[:, None] + offsets  # (N, W): with stride 1 window n starts at padded frame n
        distance = nn.functional.pad(moved, (pad, pad))[:, table].sum(-1)  # (S, N)
        # a pair two places apart needs three usable frames in a row of the window
        enough = usable[:, table].sum(-1) >= min(3, self.window)
        eligible = (distance > 0) & enough & (starts + span < lengths[:, None] + 2 * pad)
        sequences = eligible.any(1).nonzero()[:, 0]
        identity = torch.arange(self.window, device=moved.device).expand(len(sequences), -1)
        if len(sequences) == 0 or self.window < 2:
            return sequences[:0], table[:0], identity[:0]
        score = generator.uniform("clip order: window", len(starts)).masked_fill(~eligible, -1.0)
        windows = table[score[sequences].argmax(1)]
        pair = draw_pair(usable[sequences[:, None], windows], generator[sequences], "clip order: pair")
        return sequences, windows, exchange(identity, pair)

    def forward(self, encoded: EncodedClips) -> TaskResult:
        """Tell the windows from their negatives."""
        pairs = len(encoded.requested_clips) // 2
        return self.result(*encoded.requested_clips.split([pairs, pairs]))

    def result(self, in_order: Tensor, swapped: Tensor) -> TaskResult:
        """Clip features (R, 2D) of the windows and (R, 2D) of their negatives."""
        return order_result(self.head(in_order), self.head(swapped))
