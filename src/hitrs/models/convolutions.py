"""Random convolutions: features of sequences that nobody trained, to which every learned encoder is compared.

Two families share a bank of kernels of length 9 at several dilations, on the joints' coordinates and on their
change from frame to frame. MultiRocket's (Tan et al. 2022): kernels of weights -1 and 2 over a few channels;
of every output the share of time above a bias, and how far and when. Hydra's (Dempster et al. 2023):
kernels with normal weights compete in groups; how often each is the highest, and how often the lowest.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.transforms.config import PreprocessingConfig

FRAMES = 48
"""Recordings are resampled to this many frames for them."""
LENGTH = 9
"""Of a kernel."""
CHUNK = 128
"""Sequences at a time: some 100 MB of outputs."""


class RandomConvolutions(nn.Module):
    """A bank of random dilated convolutions.

    >>> bank = RandomConvolutions(channels=60, frames=48)
    >>> bank.fit(sequences)  # (N, 60, 48), training data
    >>> bank(sequences).shape
    torch.Size([1020, 21504])

    Args:
        channels: numbers at each time, C.
        frames: length of the sequences, T.
        kernels: of MultiRocket's family for each dilation and representation.
        biases: of each such kernel.
        groups: of Hydra's family for each dilation and representation.
        seed: of kernels and biases.
    """

    pooled: Tensor
    competing: Tensor
    quantiles: Tensor
    biases: Tensor

    def __init__(
        self,
        channels: int,
        frames: int,
        kernels: int = 256,
        biases: int = 4,
        groups: int = 32,
        seed: int = 0,
    ):
        super().__init__()
        self.groups = groups
        generator = torch.Generator().manual_seed(seed)
        longest = max(1, (frames - 2) // (LENGTH - 1))
        self.dilations = [2**power for power in range(int(math.log2(longest)) + 1)]
        count = 2 * len(self.dilations)  # of representations and dilations
        self.register_buffer("pooled", _pooled_kernels(count * kernels, channels, generator))
        self.register_buffer("competing", _competing_kernels(count * groups * 8, channels, generator))
        self.register_buffer("quantiles", torch.rand(count * kernels, biases, generator=generator))
        self.register_buffer("biases", torch.zeros(count * kernels, biases))

    @property
    def width(self) -> int:
        """Number of features, F."""
        return 3 * self.biases.numel() + 2 * len(self.competing)

    @torch.no_grad()
    def fit(self, sequences: Tensor) -> RandomConvolutions:
        """Take the biases from quantiles of the kernels' outputs for some training sequences (N, C, T)."""
        some = sequences[torch.linspace(0, len(sequences) - 1, min(len(sequences), CHUNK)).long()]
        outputs = [_convolve(values, kernels, dilation) for values, dilation, kernels, _ in self._parts(some)]
        flat = torch.cat([output.transpose(0, 1).flatten(1) for output in outputs])  # (kernels, N T)
        ranks = (self.quantiles * (flat.shape[1] - 1)).long()
        self.biases.copy_(flat.sort(1).values.gather(1, ranks))
        return self

    @torch.no_grad()
    def forward(self, sequences: Tensor) -> Tensor:
        """Features (N, F) of sequences (N, C, T)."""
        return torch.cat([self.at_once(part) for part in sequences.split(CHUNK)])

    def _parts(self, sequences: Tensor) -> list[tuple[Tensor, int, Tensor, Tensor]]:
        """Representation, dilation and the kernels of both families for each pass."""
        moves = F.pad(sequences.diff(dim=2), (1, 0))
        passes = [(values, dilation) for values in (sequences, moves) for dilation in self.dilations]
        return [
            (*part, pooled, competing)
            for part, pooled, competing in zip(
                passes, self.pooled.chunk(len(passes)), self.competing.chunk(len(passes)), strict=True
            )
        ]

    def at_once(self, sequences: Tensor) -> Tensor:
        """The same, however many they are."""
        parts = self._parts(sequences)
        features = []
        for (values, dilation, kernels, competing), biases in zip(
            parts, self.biases.chunk(len(parts)), strict=True
        ):
            output = _convolve(values, kernels, dilation)
            for bias in biases.T:
                features += _pool(output - bias[:, None])
            output = _convolve(values, competing, dilation)
            features += _compete(output.unflatten(1, (self.groups, -1)))
        return torch.cat(features, dim=1)


def convolution_settings(settings: PreprocessingConfig) -> PreprocessingConfig:
    """Preprocessing for random convolutions: joints, resampled; the rest as it is."""
    return dataclasses.replace(settings, stream="joint", frames=FRAMES, tubelet=1)


def _convolve(values: Tensor, kernels: Tensor, dilation: int) -> Tensor:
    """Outputs (N, K, T) of kernels (K, C, 9) on sequences (N, C, T), as long as those."""
    return F.conv1d(values, kernels, dilation=dilation, padding=dilation * (LENGTH // 2))


def _pooled_kernels(count: int, channels: int, generator: torch.Generator) -> Tensor:
    """(count, C, 9): six weights -1 and three of 2 in random order, over a random few of the channels."""
    weights = torch.tensor([2.0] * 3 + [-1.0] * 6).expand(count, -1)
    weights = weights.gather(1, torch.rand(count, LENGTH, generator=generator).argsort(1))
    most = math.log2(min(channels, LENGTH) + 1)
    several = torch.pow(2.0, most * torch.rand(count, 1, generator=generator)).floor()
    chosen = torch.rand(count, channels, generator=generator).argsort(1).argsort(1) < several
    return weights[:, None] * chosen[..., None]


def _competing_kernels(count: int, channels: int, generator: torch.Generator) -> Tensor:
    """(count, C, 9) normal weights of mean 0; the eight of a group see the same few channels."""
    weights = torch.randn(count, 1, LENGTH, generator=generator)
    weights = weights - weights.mean(2, keepdim=True)
    weights = weights / weights.abs().sum(2, keepdim=True)
    chosen = torch.rand(count // 8, channels, generator=generator).argsort(1).argsort(1) < min(channels, 8)
    return weights * chosen.repeat_interleave(8, 0)[..., None]


def _pool(output: Tensor) -> list[Tensor]:
    """Of outputs minus a bias (N, K, T): share of time above 0, mean height there, and when on average."""
    frames = output.shape[2]
    above = (output > 0).float()
    count = above.sum(2)
    time = torch.linspace(0, 1, frames, device=output.device)[:, None]
    some = count.clamp(min=1)
    return [count / frames, output.clamp(min=0).sum(2) / some, (above @ time)[..., 0] / some]


def _compete(output: Tensor) -> list[Tensor]:
    """Of outputs (N, G, k, T): by how much each kernel of a group wins in all, how often it is the lowest."""
    highest = output == output.amax(2, keepdim=True)
    lowest = output == output.amin(2, keepdim=True)
    won, lost = (output * highest).sum(3), lowest.float().sum(3)
    return [won.clamp(min=0).sqrt().flatten(1), lost.sqrt().flatten(1)]
