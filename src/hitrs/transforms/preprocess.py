"""What is done to every recording before a model sees it, in training and use alike; saved with the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from hitrs.skeleton.layout import Layout
from hitrs.transforms.batch import Batch
from hitrs.transforms.choices import check_choices
from hitrs.transforms.streams import Stream

TYPICAL_BONE = 0.2
"""Meters: about the mean bone length of a person in the usual layouts; scaled data is of like size."""


@dataclass(frozen=True)
class Preprocessing:
    """How raw recordings are brought to the model's input. The paper's defaults: raw meters, nothing done."""

    stream: Stream = "joint"
    """joint positions, bone vectors, or motion between frames."""
    center: Literal["none", "first", "frame"] = "none"
    """first: subtract where the first body's center (hip) is when first seen. frame: where it is in each
    frame or, while it is not seen, was last."""
    align: Literal["none", "yaw"] = "none"
    """yaw: turn about the up axis so that the first body faces the camera, on average over the recording. 3-D
    only."""
    up: Literal["x", "y", "z"] = "y"
    """The axis that points up (or down) in the data; Kinect: y."""
    scale: Literal["none", "body"] = "none"
    """body: divide by the mean bone length (times 0.2), for pixels and other units that are not meters."""

    def __post_init__(self) -> None:
        check_choices(self)

    @property
    def up_axis(self) -> int:
        return "xyz".index(self.up)


def preprocess(batch: Batch, settings: Preprocessing, layout: Layout) -> Batch:
    """Center, align and scale each recording as ``settings`` say (the stream is taken after augmentation)."""
    positions, valid = batch.positions, batch.valid
    if settings.scale == "body":
        positions = positions * body_scale(positions, valid, layout)[:, None, None, None, None]
    if settings.center == "first":
        positions = positions - first_center(positions, valid, layout)[:, None, None, None, :]
    if settings.center == "frame":
        positions = positions - frame_centers(positions, valid, layout)[:, None, :, None, :]
    if settings.align == "yaw" and positions.shape[-1] == 3:
        turn = yaw_matrix(facing_yaw(positions, valid, layout, settings.up_axis), settings.up_axis)
        positions = torch.einsum("bptjc,bdc->bptjd", positions, turn)
    return Batch(positions.masked_fill(~valid[..., None], 0.0), valid, batch.lengths)


def first_center(positions: Tensor, valid: Tensor, layout: Layout) -> Tensor:
    """Where each recording's center is first seen, (B, C); the mean of all seen joints if never."""
    center = list(layout.center)
    seen = valid[..., center].all(-1).flatten(1)  # (B, P T), first body first
    where = seen.float().argmax(1)
    value = positions[..., center, :].mean(-2).flatten(1, 2)[torch.arange(len(where)), where]
    weight = valid[..., None].to(positions.dtype)
    mean = (positions * weight).flatten(1, 3).sum(1) / weight.flatten(1, 3).sum(1).clamp(min=1)
    return torch.where(seen.any(1)[:, None], value, mean)


def frame_centers(positions: Tensor, valid: Tensor, layout: Layout) -> Tensor:
    """Where a body's center is in each frame, (B, T, C), by past frames only.

    Of each recording the body that is seen first. Where its center is not seen, where it was last; before it
    is first seen, 0.
    """
    center = list(layout.center)
    index = torch.arange(len(positions), device=positions.device)
    there = valid.any(-1)  # (B, P, T)
    since = there.float().argmax(2).masked_fill(~there.any(2), there.shape[2])
    first = since.argmin(1)
    seen = valid[index, first][..., center].all(-1)  # (B, T)
    value = positions[index, first][..., center, :].mean(-2)  # (B, T, C)
    frame = torch.arange(seen.shape[1], device=seen.device).expand_as(seen)
    last = frame.masked_fill(~seen, -1).cummax(1).values
    taken = value.gather(1, last.clamp(min=0)[..., None].expand_as(value))
    return taken.masked_fill((last < 0)[..., None], 0.0)


def facing_yaw(positions: Tensor, valid: Tensor, layout: Layout, up: int) -> Tensor:
    """Angle about the up axis by which the line from right to left joints is turned from +x, (B,) in radians.

    The line is the mean over shoulders and hips, and over the frames of each recording's first body.
    """
    trunk = [pair for pair in layout.pairs if layout.joints[pair[0]].endswith(("shoulder", "hip"))]
    pairs = torch.tensor(trunk or layout.pairs, dtype=torch.int64)
    if not len(pairs):
        return positions.new_zeros(len(positions))
    first = valid.flatten(2).any(-1).float().argmax(1)  # the first body in which anything was seen
    index = torch.arange(len(first))
    body, seen = positions[index, first], valid[index, first]  # (B, T, J, C)
    left, right = pairs[:, 0], pairs[:, 1]
    both = (seen[..., left] & seen[..., right])[..., None]
    line = ((body[..., left, :] - body[..., right, :]) * both).sum((1, 2))  # (B, C)
    a, b = ground_axes(up)
    return torch.atan2(line[:, b], line[:, a])


def ground_axes(up: int) -> tuple[int, int]:
    """The two axes of the ground plane: (x, z) for y up, (x, y) for z up, (z, y) for x up."""
    return {0: (2, 1), 1: (0, 2), 2: (0, 1)}[up]


def yaw_matrix(angle: Tensor, up: int) -> Tensor:
    """Rotations (B, 3, 3) about the up axis that take ``angle`` on the ground to its first axis."""
    a, b = ground_axes(up)
    turn = torch.zeros(len(angle), 3, 3, device=angle.device, dtype=angle.dtype)
    turn[:, up, up] = 1.0
    turn[:, a, a] = turn[:, b, b] = angle.cos()
    turn[:, a, b] = angle.sin()
    turn[:, b, a] = -angle.sin()
    return turn


def body_scale(positions: Tensor, valid: Tensor, layout: Layout) -> Tensor:
    """Factor that brings the mean bone length of each recording to 0.2, (B,); 1 where no bone was seen."""
    child, parent = torch.tensor(layout.bones(), dtype=torch.int64).view(-1, 2).T
    both = valid[..., child] & valid[..., parent]
    length = torch.linalg.vector_norm(positions[..., child, :] - positions[..., parent, :], dim=-1) * both
    total, count = length.flatten(1).sum(1), both.flatten(1).sum(1)
    mean = total / count.clamp(min=1)
    return torch.where(mean > 0, TYPICAL_BONE / mean.clamp(min=1e-9), torch.ones_like(mean))
