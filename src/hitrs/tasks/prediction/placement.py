"""A model's preprocessing as something that can be undone, worked out from what is observed alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hitrs.skeleton.layout import Layout
from hitrs.transforms.batch import Batch
from hitrs.transforms.preprocess import (
    Preprocessing,
    body_scale,
    facing_yaw,
    first_center,
    frame_centers,
    yaw_matrix,
)


@dataclass(frozen=True)
class Placement:
    """Scale, origin and turn of each sequence: preprocessed = (scale * positions - origin) turned."""

    scale: Tensor
    """(S,)."""
    origin: Tensor
    """(S, C), after scaling."""
    turn: Tensor
    """(S, C, C) rotations of column vectors."""

    def apply(self, positions: Tensor) -> Tensor:
        """Preprocess positions (S, T, J, C) of the same sequences."""
        moved = positions * self.scale[:, None, None, None] - self.origin[:, None, None]
        return torch.einsum("stjc,sdc->stjd", moved, self.turn)

    def undo(self, positions: Tensor) -> Tensor:
        """The inverse of :meth:`apply`."""
        moved = torch.einsum("stjd,sdc->stjc", positions, self.turn)
        return (moved + self.origin[:, None, None]) / self.scale[:, None, None, None]


def place(positions: Tensor, valid: Tensor, settings: Preprocessing, layout: Layout) -> Placement:
    """What ``preprocess`` does to sequences of one body: observed (S, T, J, C), valid (S, T, J)."""
    positions, valid = positions[:, None], valid[:, None]  # (S, P=1, T, J, C)
    count, coords = len(positions), positions.shape[-1]
    scale, origin = positions.new_ones(count), positions.new_zeros(count, coords)
    turn = torch.eye(coords, device=positions.device).repeat(count, 1, 1)
    if settings.scale == "body":
        scale = body_scale(positions, valid, layout)
        positions = positions * scale[:, None, None, None, None]
    if settings.center == "first":
        origin = first_center(positions, valid, layout)
    elif settings.center == "frame":  # as in the last frame: what follows is predicted in its place
        origin = frame_centers(positions, valid, layout)[:, -1]
    if settings.align == "yaw" and coords == 3:
        turn = yaw_matrix(facing_yaw(positions, valid, layout, settings.up_axis), settings.up_axis)
    return Placement(scale, origin, turn)


def as_batch(positions: Tensor, valid: Tensor) -> Batch:
    """Sequences of one body and one length, (S, T, J, C), as a batch of recordings."""
    lengths = torch.full((len(positions),), positions.shape[1])
    return Batch(positions[:, None].masked_fill(~valid[:, None, ..., None], 0.0), valid[:, None], lengths)
