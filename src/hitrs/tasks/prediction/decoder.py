"""From observed displacements, and what an encoder says of them, to future ones: residual MLPs over DCT.

Motion is smooth, so a few low frequencies of the discrete cosine transform over time hold nearly all of it.
The observed displacements against the last pose, followed by zeros (that pose standing still) for the future,
are transformed over their whole length. Each coefficient is a token whose features are the coordinates of all
joints; blocks mix tokens (time) and features (space) in turn; what comes out are coefficients whose last
frames are the future. That plain MLPs over DCT coefficients predict motion well was shown by siMLPe (Guo et
al., WACV 2023), whose blocks mix time only; the padding with the last pose is that of LearnTrajDep (Mao et
al., ICCV 2019). docs/prediction.md tells what was measured for the choice.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SCALE = 10.0
"""Displacements of bodies in meters are a tenth or so; times this they are numbers of ordinary size."""


def cosine_basis(frames: int, count: int) -> Tensor:
    """The first ``count`` orthonormal DCT-II vectors over ``frames`` frames, (count, frames)."""
    when = torch.arange(frames, dtype=torch.float64) + 0.5
    frequency = torch.arange(count, dtype=torch.float64)[:, None]
    basis = torch.cos(math.pi * frequency * when / frames) * math.sqrt(2 / frames)
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
        self.expand = nn.Linear(width, width)
        self.contract = nn.Linear(width, width)
        nn.init.zeros_(self.contract.weight)  # a block starts with time alone
        nn.init.zeros_(self.contract.bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(S, tokens, width) -> the same shape."""
        mixed = self.time(self.time_norm(x).transpose(1, 2)).transpose(1, 2)
        x = x + self.dropout(mixed)
        return x + self.dropout(self.contract(F.gelu(self.expand(self.space_norm(x)))))


class MotionDecoder(nn.Module):
    """Predicts displacements from the last observed pose.

    Args:
        features: J C, coordinates of a pose.
        observed, predicted: frames.
        width: of a token.
        layers: mixing blocks.
        coefficients: DCT coefficients that are kept.
        tokens: how many tokens the encoder adds; 0: observed poses only.
        dropout: on both branches of every block.
    """

    into: Tensor
    back: Tensor

    def __init__(
        self,
        features: int,
        observed: int,
        predicted: int,
        width: int,
        layers: int,
        coefficients: int,
        tokens: int = 0,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.count = min(coefficients, observed + predicted)
        basis = cosine_basis(observed + predicted, self.count)
        self.register_buffer("into", basis[:, :observed].clone(), persistent=False)  # of the future zeros
        self.register_buffer("back", basis[:, observed:].T.clone(), persistent=False)
        self.embed = nn.Linear(features, width)
        self.pose = nn.Linear(features, width)
        self.blocks = nn.ModuleList(MixingBlock(self.count + tokens, width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, features)
        nn.init.xavier_uniform_(self.out.weight, gain=0.01)  # the first guess is zero velocity
        nn.init.zeros_(self.out.bias)

    def forward(self, moved: Tensor, pose: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Future displacements (S, H, J C).

        Args:
            moved: observed positions against the last one, (S, T, J C).
            pose: the last pose, centered, (S, J C).
            tokens: of the encoder, (S, tokens, width).
        """
        x = self.embed(self.into @ (SCALE * moved))  # (S, count, width)
        x = torch.cat([x[:, :1] + self.pose(pose)[:, None], x[:, 1:]], dim=1)
        if tokens is not None:
            x = torch.cat([x, tokens.to(x.dtype)], dim=1)
        for block in self.blocks:
            x = block(x)
        coefficients = self.out(self.norm(x[:, : self.count])).float()
        return self.back @ coefficients / SCALE
