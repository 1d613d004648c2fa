"""Masking joints for the frame-level pretext task."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hitrs.transforms.draws import Draws

CHOSEN = 0.15
"""Share of joints that are to be predicted (Hi-TRS)."""
REPLACED, SWAPPED = 0.8, 0.1
"""Of the chosen: share replaced by the mask vector (1, ..., 1), share replaced by another joint."""


@dataclass(frozen=True)
class Masked:
    """A masked batch."""

    positions: Tensor
    """(S, T, J, C), what the encoder sees."""
    chosen: Tensor
    """(S, T, J), True for joints whose value is to be predicted."""


def mask_joints(positions: Tensor, valid: Tensor, lengths: Tensor, draws: Draws) -> Masked:
    """Choose joints and hide most of them, BERT's way.

    A joint is chosen with p = 0.15 if it is real. Of the chosen, 80% become (1, ..., 1), 10% take the value
    of a different joint of a different frame of the same unmasked sequence, 10% stay. Where there is no such
    other joint (one frame, one joint, or the drawn one was not seen) the value stays.

    Args:
        positions: (S, T, J, C); valid: (S, T, J); lengths: (S,).
        draws: of the sequences, on the device of the positions.
    """
    _, frames, joints, coords = positions.shape
    device = positions.device

    def uniform(name: str) -> Tensor:
        return draws.uniform(f"mask: {name}", frames, joints)

    chosen = (uniform("chosen") < CHOSEN) & valid
    fate = uniform("fate")
    replaced = chosen & (fate < REPLACED)
    swapped = chosen & (fate >= REPLACED) & (fate < REPLACED + SWAPPED)

    # another frame: one of the length - 1 others, counted from this one on, so that it never is this one
    others = (lengths - 1)[:, None, None]
    step = 1 + (uniform("frame") * others).long()
    own = torch.arange(frames, device=device)[None, :, None]
    frame = (own + step) % lengths[:, None, None]
    joint = (torch.arange(joints, device=device) + 1 + (uniform("joint") * (joints - 1)).long()) % joints
    source = (frame * joints + joint).flatten(1)  # (S, T J)
    swapped &= (others > 0) & (joints > 1) & valid.flatten(1).gather(1, source).view_as(valid)
    values = positions.flatten(1, 2).gather(1, source[..., None].expand(-1, -1, coords)).view_as(positions)

    masked = torch.where(swapped[..., None], values, positions)
    masked = masked.masked_fill(replaced[..., None], 1.0)
    return Masked(masked, chosen)
