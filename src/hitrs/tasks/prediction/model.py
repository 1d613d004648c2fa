"""Motion prediction: observed frames of a body in, displacements from its last pose out.

In reading order: the decoder (residual MLPs over DCT coefficients), the model with its encoder, the loss.

Motion is smooth, so a few low frequencies of the discrete cosine transform over time hold nearly all of it.
The observed displacements from the last pose, followed by zeros (that pose standing still) for the future,
are transformed over their whole length. Each coefficient is a token whose features are the coordinates of
all joints; blocks mix tokens (time) and features (space) in turn; the output is coefficients of the whole
window, of which the frames of the future are the prediction. That plain MLPs over DCT coefficients predict
motion well was shown by siMLPe (Guo et al., WACV 2023), whose blocks mix time only; the padding with the last
pose is that of LearnTrajDep (Mao et al., ICCV 2019). docs/prediction.md has the measurements behind the
choice.

The decoder reads the observed motion itself; the encoder adds tokens of its three levels for the last frames:
F-TRS of the joints in the last frame, C-TRS and V-TRS of each clip, V-TRS of the whole. Without an encoder
(``context`` 0) the same decoder works on the poses alone: the baseline of the encoder.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS, unpack
from hitrs.schema import read_settings
from hitrs.tasks.base import FreezableObjective, TaskModel, check_every_frame
from hitrs.tasks.prediction.config import PredictionHeadConfig
from hitrs.training.distributed import share_of_means
from hitrs.transforms.batch import Batch, stream_bodies
from hitrs.transforms.preprocessing import last_seen
from hitrs.transforms.windows import window_table

SCALE = 10.0
"""Displacements of bodies in meters are a tenth or so; times this they are numbers of ordinary size."""


def dct_basis(frames: int, count: int) -> Tensor:
    """The first ``count`` orthonormal DCT-II vectors over ``frames`` frames, (count, frames)."""
    time = torch.arange(frames, dtype=torch.float64) + 0.5
    frequency = torch.arange(count, dtype=torch.float64)[:, None]
    basis = torch.cos(math.pi * frequency * time / frames) * math.sqrt(2 / frames)
    basis[0] /= math.sqrt(2)
    return basis.float()


class MixingBlock(nn.Module):
    """x + W x' over tokens, then x + MLP(x') over features; x' is normalized over features."""

    def __init__(self, tokens: int, width: int, dropout: float):
        super().__init__()
        self.time_norm = nn.LayerNorm(width)
        self.time = nn.Linear(tokens, tokens)
        nn.init.xavier_uniform_(self.time.weight, gain=0.1)
        nn.init.zeros_(self.time.bias)
        self.space_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)
        nn.init.zeros_(self.fc2.weight)  # a block starts with time alone
        nn.init.zeros_(self.fc2.bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(S, tokens, width) -> the same shape."""
        mixed = self.time(self.time_norm(x).transpose(1, 2)).transpose(1, 2)
        x = x + self.dropout(mixed)
        return x + self.dropout(self.fc2(F.gelu(self.fc1(self.space_norm(x)))))


class MotionDecoder(nn.Module):
    """Predicts displacements from the last observed pose.

    Args:
        pose_features: J C, coordinates of a pose.
        head: numbers of frames and sizes.
        encoder_tokens: how many tokens the encoder adds; 0: observed poses only.
    """

    dct: Tensor
    """(count, T): observed frames to coefficients; those of the future are zeros and need no part of it."""
    inverse_dct: Tensor
    """(H, count): coefficients to future frames."""

    def __init__(self, pose_features: int, head: PredictionHeadConfig, encoder_tokens: int = 0):
        super().__init__()
        observed, frames, width = head.observed, head.observed + head.predicted, head.width
        self.count = min(head.coefficients, frames)
        basis = dct_basis(frames, self.count)
        self.register_buffer("dct", basis[:, :observed].clone(), persistent=False)
        self.register_buffer("inverse_dct", basis[:, observed:].T.clone(), persistent=False)
        self.embed = nn.Linear(pose_features, width)
        self.pose = nn.Linear(pose_features, width)
        self.blocks = nn.ModuleList(
            MixingBlock(self.count + encoder_tokens, width, head.dropout) for _ in range(head.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, pose_features)
        nn.init.xavier_uniform_(self.out.weight, gain=0.01)  # the first guess is zero velocity
        nn.init.zeros_(self.out.bias)

    def forward(self, displacements: Tensor, pose: Tensor, encoder_tokens: Tensor | None = None) -> Tensor:
        """Future displacements (S, H, J C).

        Args:
            displacements: observed positions minus the last one, (S, T, J C).
            pose: the last pose, centered, (S, J C).
            encoder_tokens: (S, tokens, width).
        """
        x = self.embed(self.dct @ (SCALE * displacements))  # (S, count, width)
        x = torch.cat([x[:, :1] + self.pose(pose)[:, None], x[:, 1:]], dim=1)
        if encoder_tokens is not None:
            x = torch.cat([x, encoder_tokens.to(x.dtype)], dim=1)
        for block in self.blocks:
            x = block(x)
        coefficients = self.out(self.norm(x[:, : self.count])).float()
        return self.inverse_dct @ coefficients / SCALE


class PredictionModel(TaskModel):
    """Encoder (or none) and decoder.

    >>> model = PredictionModel.from_pretrained("runs/predictor")
    >>> model(positions, valid).shape  # of preprocessed positions (8, 50, 25, 3) and valid (8, 50, 25)
    torch.Size([8, 25, 25, 3])
    """

    task = "prediction"

    def __init__(self, encoder: HiTRS | None, card: ModelCard):
        super().__init__()
        check_every_frame(card)
        self.encoder, self.card = encoder, card
        self.head_config = head = read_settings(PredictionHeadConfig, card.head, "head")
        encoder_tokens = 0
        if encoder is not None:
            config = encoder.config
            self.joint_proj = _projection(encoder.joints * config.width, head.width)
            self.clip_proj = _projection(encoder.clip_width + encoder.video_width, head.width)
            self.video_proj = _projection(encoder.video_width, head.width)
            sizes = config.window, config.stride, config.dilation, config.padding
            self.clips = len(window_table(head.context, *sizes))
            encoder_tokens = 2 + self.clips
        self.decoder = MotionDecoder(card.layout.n_joints * card.layout.dims, head, encoder_tokens)

    def forward(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Future positions of bodies, (S, H, J, C).

        An unseen joint is taken to stand where it was last seen; one that was never seen is predicted
        nonsense, which callers have to mask.

        Args:
            positions: observed and preprocessed, (S, T, J, C); valid: (S, T, J).
        """
        tokens = None if self.encoder is None else self.encoder_tokens(self.encoder, positions, valid)
        return self.decode(positions, valid, tokens)

    def decode(self, positions: Tensor, valid: Tensor, tokens: Tensor | None) -> Tensor:
        """:meth:`forward` with the encoder's tokens."""
        filled, seen = forward_fill(positions, valid, dim=1)
        last = filled[:, -1]  # (S, J, C)
        weight = seen[..., None].to(last.dtype)
        center = (last * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)
        displacements = (filled - last[:, None]).flatten(2)
        future = self.decoder(displacements, ((last - center) * weight).flatten(1), tokens)
        return last[:, None] + future.unflatten(2, last.shape[1:])

    def encoder_tokens(self, encoder: HiTRS, positions: Tensor, valid: Tensor) -> Tensor:
        """Tokens of the last ``context`` frames, (S, 2 + clips, width); 0 for unseen bodies."""
        context = self.head_config.context
        batch = Batch.from_bodies(positions[:, -context:], valid[:, -context:])
        bodies = stream_bodies(batch, self.card.preprocessing, self.card.layout)
        frames = encoder.encode_frames(bodies.positions, bodies.valid, bodies.lengths)
        clips = encoder.encode_all_clips(frames, bodies.lengths)
        videos = encoder.encode_videos(clips.features, clips.slots, want_clips=True)
        assert videos.clips is not None
        pad = encoder.config.padding
        newest = frames.rows[:, pad + batch.positions.shape[2] - 1][:, None]  # (S, 1)
        joints = (frames.features * frames.valid[..., None]).flatten(1)
        clip_features = unpack(clips.features, clips.slots)
        both_levels = torch.cat([clip_features, videos.clips.to(clip_features.dtype)], dim=-1)  # (S, N, 6D)
        tokens = torch.cat(
            [
                self.joint_proj(unpack(joints, newest)) * (newest >= 0)[..., None],
                F.pad(
                    self.clip_proj(both_levels) * (clips.slots >= 0)[..., None],
                    (0, 0, 0, self.clips - both_levels.shape[1]),
                ),
                self.video_proj(videos.video)[:, None],
            ],
            dim=1,
        )
        return tokens.new_zeros(len(positions), *tokens.shape[1:]).index_copy(0, bodies.recording, tokens)

    @classmethod
    def untrained(cls, card: ModelCard) -> PredictionModel:
        """A model of the card's sizes with random weights; without context there is no encoder."""
        context = read_settings(PredictionHeadConfig, card.head, "head").context
        return super().untrained(card) if context else cls(None, card)


class PredictionObjective(FreezableObjective):
    """Mean distance of joints plus ``velocity`` times that of their displacements from frame to frame.

    Joints that were not seen are masked.

    Args:
        velocity: weight of the second term.
        freeze_encoder: keep the encoder as it is, in eval mode.
    """

    model: PredictionModel

    def __init__(self, model: PredictionModel, velocity: float, freeze_encoder: bool = False):
        super().__init__(model, freeze_encoder)
        self.velocity = velocity

    def forward(self, positions: Tensor, valid: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and its position part on windows: observed and future frames (S, T + H, J, C), valid (...)."""
        observed = self.model.head_config.observed
        past, seen = positions[:, :observed], valid[:, :observed]
        predicted = self.model(past, seen)
        known = valid[:, observed:] & seen.any(1, keepdim=True)
        position = mean_distance(predicted, positions[:, observed:], known)
        # the displacement into the future counts too, from a last pose that was seen
        last, last_seen = past[:, -1:], seen[:, -1:]
        predicted_velocity = torch.cat([last, predicted], 1).diff(dim=1)
        true_velocity = torch.cat([last, positions[:, observed:]], 1).diff(dim=1)
        known_frames = torch.cat([last_seen, known], 1)
        known_pairs = known_frames[:, 1:] & known_frames[:, :-1]
        velocity = mean_distance(predicted_velocity, true_velocity, known_pairs)
        (position_share, velocity_share), _ = share_of_means(torch.stack([known.sum(), known_pairs.sum()]))
        loss = position_share * position + self.velocity * velocity_share * velocity
        return loss, {"position": position_share * position.detach()}


def forward_fill(positions: Tensor, valid: Tensor, dim: int = 0) -> tuple[Tensor, Tensor]:
    """Positions where an unseen joint stands where it was last seen, or else is first seen.

    Args:
        positions: (..., J, C); valid: (..., J).
        dim: which axis is time.
    Returns:
        the positions, and joints that were seen at all: bool, the shape of ``valid`` without the time axis.
    """
    last = last_seen(valid, dim)
    first = valid.int().argmax(dim, keepdim=True)
    index = torch.where(last >= 0, last, first)
    return positions.gather(dim, index[..., None].expand_as(positions)), valid.any(dim)


def mean_distance(first: Tensor, second: Tensor, valid: Tensor) -> Tensor:
    """Mean Euclidean distance of (..., C) over the places that are valid (...); 0 where there are none."""
    difference = (first - second).masked_fill(~valid[..., None], 0.0)
    distance = torch.linalg.vector_norm(difference, dim=-1)
    return distance.sum() / valid.sum().clamp(min=1)


def _projection(features: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(features), nn.Linear(features, width))
