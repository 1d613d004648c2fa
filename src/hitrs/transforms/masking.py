"""What the encoder sees of a sequence in pre-training; a pretext task may bring a masking of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from hitrs.transforms.random import KeyedGenerator


@dataclass(frozen=True)
class Masked:
    """A masked batch."""

    positions: Tensor
    """(S, T, J, C), what the encoder sees."""
    valid: Tensor
    """(S, T, J), True for joints that the encoder sees at all; a masking may drop joints and whole frames."""
    chosen: Tensor
    """(S, T, J), True for joints whose value is to be predicted; the encoder sees them, changed or not."""


class Masking(Protocol):
    """How sequences are masked. Two maskings that do the same are equal, as frozen dataclasses are."""

    def __call__(
        self, positions: Tensor, valid: Tensor, lengths: Tensor, generator: KeyedGenerator
    ) -> Masked:
        """Mask a batch.

        Args:
            positions: (S, T, J, C), anything where ``valid`` (S, T, J) is False; lengths: (S,).
            generator: of the sequences, on the device of the positions; the only source of random numbers.
        """


@dataclass(frozen=True)
class Unmasked:
    """The encoder sees the sequences as they are, and no joint is chosen."""

    def __call__(
        self, positions: Tensor, valid: Tensor, lengths: Tensor, generator: KeyedGenerator
    ) -> Masked:
        return Masked(positions, valid, torch.zeros_like(valid))


@dataclass(frozen=True)
class JointMasking:
    """Choose joints and hide most of them, BERT's way (Hi-TRS).

    A joint is chosen at random if it is real. Of the chosen, most become (1, ..., 1), some take the value of
    a different joint of a different frame of the same unmasked sequence, the others stay. Where there is no
    such other joint (one frame, one joint, or the drawn one was not seen) the value stays.

    >>> masked = JointMasking()(positions, valid, lengths, KeyedGenerator.from_seed(0, range(len(lengths))))
    """

    chosen: float = 0.15
    """Share of joints that are to be predicted."""
    replaced: float = 0.8
    """Of the chosen: share that is replaced by the mask vector (1, ..., 1)."""
    swapped: float = 0.1
    """Of the chosen: share that is replaced by another joint."""

    def __call__(
        self, positions: Tensor, valid: Tensor, lengths: Tensor, generator: KeyedGenerator
    ) -> Masked:
        _, frames, joints, coords = positions.shape
        device = positions.device

        def uniform(name: str) -> Tensor:
            return generator.uniform(f"mask: {name}", frames, joints)

        chosen = (uniform("chosen") < self.chosen) & valid
        fate = uniform("fate")
        replaced = chosen & (fate < self.replaced)
        swapped = chosen & (fate >= self.replaced) & (fate < self.replaced + self.swapped)

        # another frame: one of the length - 1 others, counted from this one on, so that it never is this one
        others = (lengths - 1)[:, None, None]
        step = 1 + (uniform("frame") * others).long()
        own = torch.arange(frames, device=device)[None, :, None]
        frame = (own + step) % lengths[:, None, None]
        joint = (torch.arange(joints, device=device) + 1 + (uniform("joint") * (joints - 1)).long()) % joints
        source = (frame * joints + joint).flatten(1)  # (S, T J)
        swapped &= (others > 0) & (joints > 1) & valid.flatten(1).gather(1, source).view_as(valid)
        values = (
            positions.flatten(1, 2).gather(1, source[..., None].expand(-1, -1, coords)).view_as(positions)
        )

        masked = torch.where(swapped[..., None], values, positions)
        masked = masked.masked_fill(replaced[..., None], 1.0)
        return Masked(masked, valid, chosen)
