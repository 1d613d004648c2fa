"""Motion prediction: observed frames of a body in, displacements from its last pose out.

The decoder reads the observed motion itself; the encoder adds what its levels say of the last frames: F-TRS
of the joints in the last frame, C-TRS and V-TRS of each clip, V-TRS of the whole. Without an encoder
(``context`` 0) the same decoder works on the poses alone, which is what the encoder has to beat.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS, take_rows
from hitrs.tasks.model import TaskModel
from hitrs.tasks.prediction.decoder import MotionDecoder
from hitrs.tasks.prediction.windows import Span
from hitrs.transforms.streams import take_stream
from hitrs.transforms.windows import padding, window_table


@dataclass(frozen=True)
class HeadSettings:
    """Shape of a predictor; stored with the model."""

    observed: int
    predicted: int
    step: int
    context: int
    """The last observed frames, which the encoder sees; 0: there is no encoder."""
    width: int
    layers: int
    coefficients: int
    dropout: float

    @property
    def span(self) -> Span:
        return Span(self.observed, self.predicted, self.step)


class PredictionModel(TaskModel):
    """Encoder (or none) and decoder."""

    task = "prediction"

    def __init__(self, encoder: HiTRS | None, card: ModelCard):
        super().__init__()
        self.encoder, self.card = encoder, card
        self.settings = HeadSettings(**{f.name: card.head[f.name] for f in fields(HeadSettings)})
        settings, tokens = self.settings, 0
        if encoder is not None:
            config = encoder.config
            joints, clip = encoder.joints * config.width, encoder.clip_width + encoder.video_width
            self.of_joints = _token(joints, settings.width)
            self.of_clips = _token(clip, settings.width)
            self.of_video = _token(encoder.video_width, settings.width)
            self.clips = len(window_table(settings.context, config.window, config.stride, config.dilation))
            tokens = 2 + self.clips
        self.decoder = MotionDecoder(
            card.layout.n_joints * card.layout.dims,
            settings.observed,
            settings.predicted,
            settings.width,
            settings.layers,
            settings.coefficients,
            tokens,
            settings.dropout,
        )

    def forward(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Future positions of bodies, (S, H, J, C).

        An unseen joint is taken to stand where it was last seen; one that was never seen is predicted
        nonsense, which callers have to mask.

        Args:
            positions: observed and preprocessed, (S, T, J, C); valid: (S, T, J).
        """
        held, seen = hold(positions, valid)
        last = held[:, -1]  # (S, J, C)
        weight = seen[..., None].to(last.dtype)
        middle = (last * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)
        moved = (held - last[:, None]).flatten(2)
        tokens = None if self.encoder is None else self.tokens(self.encoder, positions, valid)
        found = self.decoder(moved, ((last - middle) * weight).flatten(1), tokens)
        return last[:, None] + found.unflatten(2, last.shape[1:])

    def tokens(self, encoder: HiTRS, positions: Tensor, valid: Tensor) -> Tensor:
        """What the encoder says of the last ``context`` frames, (S, 2 + clips, width); 0 of unseen bodies."""
        context = self.settings.context
        positions, valid = take_stream(
            positions[:, -context:], valid[:, -context:], self.card.preprocessing.stream, self.card.layout
        )
        there = valid.flatten(1).any(1).nonzero().flatten()
        lengths = torch.full_like(there, positions.shape[1])
        frames = encoder.encode_frames(positions[there], valid[there], lengths)
        clips = encoder.all_clips(frames, lengths)
        videos = encoder.encode_videos(clips.features, clips.slots, want_clips=True)
        assert videos.clips is not None
        pad = padding(encoder.config.window, encoder.config.dilation)
        newest = frames.rows[:, pad + positions.shape[1] - 1][:, None]  # (S, 1)
        joints = (frames.features * frames.valid[..., None]).flatten(1)
        short = take_rows(clips.features, clips.slots)
        each = torch.cat([short, videos.clips.to(short.dtype)], dim=-1)  # (S, N, 6D)
        found = torch.cat(
            [
                self.of_joints(take_rows(joints, newest)) * (newest >= 0)[..., None],
                nn.functional.pad(
                    self.of_clips(each) * (clips.slots >= 0)[..., None],
                    (0, 0, 0, self.clips - each.shape[1]),
                ),
                self.of_video(videos.video)[:, None],
            ],
            dim=1,
        )
        return found.new_zeros(len(positions), *found.shape[1:]).index_copy(0, there, found)

    @classmethod
    def untrained(cls, card: ModelCard) -> PredictionModel:
        """A model of the card's sizes with random weights; without context there is no encoder."""
        return super().untrained(card) if card.head["context"] else cls(None, card)


def hold(positions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Positions (S, T, J, C) where an unseen joint stands where it was last seen, or is first seen later.

    Also (S, J) bool: joints that were seen at all.
    """
    frames = torch.arange(valid.shape[1], device=valid.device)[:, None]
    last = torch.where(valid, frames, -1).cummax(1).values
    first = valid.int().argmax(1, keepdim=True)
    index = torch.where(last >= 0, last, first)
    return positions.gather(1, index[..., None].expand_as(positions)), valid.any(1)


def _token(features: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(features), nn.Linear(features, width))
