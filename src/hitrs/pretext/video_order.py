"""Video level: are the clips of a video in order, or were two exchanged? (Hi-TRS)"""

from __future__ import annotations

from torch import Tensor, nn

from hitrs.models.encoder import HiTRS
from hitrs.pretext.base import EncodedClips, EncodedVideos, PretextTask, TaskResult, VideoRequest
from hitrs.pretext.losses import draw_pair, exchange, order_result
from hitrs.transforms.random import KeyedGenerator


class VideoOrder(PretextTask):
    """Linear(4D, 2) on the feature of a video and of the same video with two clips exchanged."""

    name = "video_order"
    level = "video"
    metric = "accuracy"
    title = "Clip order (video)"
    chance = 0.5

    def __init__(self, encoder: HiTRS):
        super().__init__(encoder)
        self.head = nn.Linear(encoder.video_width, 2)

    def request_videos(self, encoded: EncodedClips) -> VideoRequest:
        """The contexts with two clips exchanged, of sequences where they have two or more."""
        return self.draw(encoded.context, encoded.inputs.generator)

    def draw(self, slots: Tensor, generator: KeyedGenerator) -> VideoRequest:
        """Videos with two clips exchanged.

        Args:
            slots: (S, N) rows of the clip features, -1 for no clip.
            generator: of the sequences.
        """
        sequences = ((slots >= 0).sum(1) >= 2).nonzero()[:, 0]
        if len(sequences) == 0:
            return VideoRequest(sequences, slots[sequences])
        taking_part = slots[sequences]
        pair = draw_pair(taking_part >= 0, generator[sequences], "video order: pair")
        return VideoRequest(sequences, exchange(taking_part, pair))

    def forward(self, encoded: EncodedVideos) -> TaskResult:
        """Tell the contexts from their negatives."""
        return self.result(encoded.videos[encoded.video_request.sequences], encoded.requested_videos)

    def result(self, in_order: Tensor, swapped: Tensor) -> TaskResult:
        """Video features (R, 4D) of the videos and (R, 4D) of their negatives."""
        return order_result(self.head(in_order), self.head(swapped))
