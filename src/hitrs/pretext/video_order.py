"""Video level: are the clips of a video in order, or were two exchanged? (Hi-TRS)"""

from __future__ import annotations

from torch import Tensor, nn

from hitrs.pretext.pairs import draw_pair, exchange
from hitrs.pretext.task import TaskResult, no_result, order_result
from hitrs.transforms.draws import Draws


class VideoOrder(nn.Module):
    """Linear(4D, 2) on the feature of a video and of the same video with two clips exchanged."""

    def __init__(self, width: int):
        super().__init__()
        self.head = nn.Linear(width, 2)

    def draw(self, slots: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Videos with two clips exchanged.

        Args:
            slots: (S, N) rows of the clip features, -1 for no clip.
            draws: of the sequences.
        Returns:
            sequences: those with two clips or more, (R,); swapped slots: (R, N).
        """
        sequences = ((slots >= 0).sum(1) >= 2).nonzero()[:, 0]
        if len(sequences) == 0:
            return sequences, slots[sequences]
        taking_part = slots[sequences]
        pair = draw_pair(taking_part >= 0, draws[sequences], "video order: pair")
        return sequences, exchange(taking_part, pair)

    def forward(self, in_order: Tensor, swapped: Tensor) -> TaskResult:
        """Video features (R, 4D) of the videos and (R, 4D) of their negatives."""
        logits, negative = self.head(in_order), self.head(swapped)
        return order_result(logits, negative) if len(logits) else no_result(logits, negative)
