"""Augmentation of a batch; what is drawn for a recording is shared by its bodies."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hitrs.data.interpolation import interpolate
from hitrs.transforms.batch import Batch
from hitrs.transforms.config import AugmentConfig
from hitrs.transforms.preprocessing import yaw_matrix
from hitrs.transforms.random import KeyedGenerator


def augment(
    batch: Batch,
    config: AugmentConfig,
    generator: KeyedGenerator,
    up: int,
    mirror: Tensor,
    in_time: bool = True,
) -> Batch:
    """A changed copy of the batch.

    Args:
        generator: of the recordings.
        up: index of the up axis.
        mirror: (J,) int64, the layout's left/right exchange.
        in_time: False: no crop and no other speed, so that labels of frames stay those of their frames.
    """
    if config.policy == "none":
        return batch
    if config.policy == "paper":
        return paper_augment(batch, generator, in_time)
    views, count, device = config.views, len(batch.lengths), batch.positions.device
    coords = batch.positions.shape[-1]

    def symmetric(name: str, *shape: int) -> Tensor:
        return 2 * generator.uniform(name, *shape) - 1

    matrix = torch.eye(coords, device=device).expand(count, -1, -1)
    if coords == 3:
        for axis in range(3):
            limit = math.radians(views.yaw if axis == up else views.tilt)
            matrix = yaw_matrix(symmetric(f"turn {axis}") * limit, axis) @ matrix
    size = (1 + views.stretch * symmetric("stretch", coords)) * (1 + views.stretch * symmetric("size", 1))
    matrix = size[:, :, None] * matrix
    positions = torch.einsum("bptjc,bdc->bptjd", batch.positions, matrix)
    valid = batch.valid
    if views.mirror:
        flip = generator.uniform("mirror") < views.mirror
        side = positions.new_ones(coords)
        side[0 if up != 0 else coords - 1] = -1
        positions = torch.where(flip[:, None, None, None, None], positions[..., mirror, :] * side, positions)
        valid = torch.where(flip[:, None, None, None], valid[..., mirror], valid)
    batch = Batch(positions, valid, batch.lengths)
    if views.crop and in_time:
        batch = crop(batch, views.crop, generator)
    if views.speed and in_time:
        batch = change_speed(batch, torch.exp(symmetric("speed") * math.log1p(views.speed)))
    positions, valid = batch.positions, batch.valid
    if views.noise:
        level = views.noise * generator.uniform("noise level", 1, 1, 1, 1)
        positions = positions + level * generator.normal("noise", *positions.shape[1:])
    if views.drop:
        kept = generator.uniform("drop", 1, 1, valid.shape[-1]) >= views.drop
        fewer = valid & kept
        # a body must not vanish altogether
        valid = torch.where(fewer.flatten(2).any(2)[:, :, None, None], fewer, valid)
    return Batch(positions.masked_fill(~valid[..., None], 0.0), valid, batch.lengths)


def paper_augment(batch: Batch, generator: KeyedGenerator, in_time: bool = True) -> Batch:
    """The authors' augmentation: with p = 0.5 a change of space (scale, offsets, shear) and one of time.

    Without ``in_time`` the former alone.
    """
    positions, valid, lengths = batch.positions, batch.valid, batch.lengths
    count, _, frames, joints, coords = positions.shape
    device = positions.device

    def uniform(name: str, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * generator.uniform(name, *shape)

    active = generator.uniform("active") < 0.5
    space = torch.where(active, uniform("space", 0, 3).long(), -1)
    time = torch.where(active, uniform("time", 0, 2).long(), -1)

    def where(choice: Tensor) -> Tensor:
        return choice[:, None, None, None, None]

    scaled = positions * uniform("scale", 0.8, 1.2)[:, None, None, None, None]
    picked = torch.zeros(count, joints, device=device)
    order = generator.uniform("offset joints", joints).argsort(1)[:, :5]
    picked.scatter_(1, order, 1.0)
    offset = uniform("offset", -0.2, 0.2, joints, coords) * picked[..., None]
    shifted = positions + offset[:, None, None]
    unit = torch.eye(coords, device=device)
    shear = unit + uniform("shear", -0.5, 0.5, coords, coords) * (1 - unit)
    sheared = torch.einsum("bptjc,bdc->bptjd", positions, shear)
    positions = torch.where(where(space == 0), scaled, positions)
    positions = torch.where(where(space == 1), shifted, positions)
    positions = torch.where(where(space == 2), sheared, positions)
    if not in_time:
        return Batch(positions.masked_fill(~valid[..., None], 0.0), valid, lengths)

    following = torch.arange(1, frames + 1, device=device).expand(count, -1).clamp(max=(lengths - 1)[:, None])
    index = following[:, None, :, None, None].expand_as(positions)
    both = valid & valid.gather(2, index[..., 0])
    share = generator.uniform("share")[:, None, None, None, None]
    moved = positions + share * (positions.gather(2, index) - positions)
    positions = torch.where(where(time == 0) & both[..., None], moved, positions)
    batch = Batch(positions.masked_fill(~valid[..., None], 0.0), valid, lengths)
    return crop(batch, 0.2, generator, time == 1)


def crop(batch: Batch, most: float, generator: KeyedGenerator, active: Tensor | None = None) -> Batch:
    """Leave out round(T U(0, most)) frames, split at random between start and end; at least one stays."""
    share = most * generator.uniform("crop")
    cut = torch.minimum((batch.lengths * share).round().long(), batch.lengths - 1)
    split = generator.uniform("crop split")
    start = (split * (cut + 1)).long().clamp(max=cut)
    if active is not None:
        cut, start = cut * active, start * active
    return take_frames(batch, start, batch.lengths - cut)


def crop_to(batch: Batch, most: int, generator: KeyedGenerator | None) -> Batch:
    """A random (or, without generator, the middle) stretch of at most ``most`` frames."""
    if int(batch.lengths.max()) <= most:
        return batch
    if generator is None:
        start = (batch.lengths - most).clamp(min=0) // 2
    else:
        start = crop_start(batch.lengths, most, generator)
    return take_frames(batch, start, batch.lengths.clamp(max=most))


def crop_start(lengths: Tensor, most: int, generator: KeyedGenerator) -> Tensor:
    """Where a random stretch of at most ``most`` frames of each recording begins, (B,) int64."""
    excess = (lengths - most).clamp(min=0)
    return (generator.uniform("crop to") * (excess + 1)).long()


def take_frames(batch: Batch, start: Tensor, lengths: Tensor) -> Batch:
    """Frames [start, start + length) of each recording."""
    longest = int(lengths.max())
    place = torch.arange(longest, device=start.device)
    index = (start[:, None] + place).clamp(max=batch.positions.shape[2] - 1)
    inside = place < lengths[:, None]
    rows = torch.arange(len(start), device=start.device)[:, None]
    positions = batch.positions.transpose(1, 2)[rows, index].transpose(1, 2)
    valid = (batch.valid.transpose(1, 2)[rows, index] & inside[:, :, None, None]).transpose(1, 2)
    return Batch(positions.masked_fill(~valid[..., None], 0.0), valid, lengths)


def retimed(lengths: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """New lengths (B,) of recordings played at ``factor``, and the old time of each new frame, (B, T)."""
    fewer = (((lengths - 1) / factor).round().long() + 1).clamp(min=1)
    step = (lengths - 1) / (fewer - 1).clamp(min=1)
    return fewer, torch.arange(int(fewer.max()), device=lengths.device) * step[:, None]


def change_speed(batch: Batch, factor: Tensor) -> Batch:
    """Play each recording faster (factor > 1) or slower by linear interpolation between frames.

    A joint at a new time is valid if it was seen in both neighboring frames.
    """
    lengths, when = retimed(batch.lengths, factor)
    positions, valid = batch.positions.transpose(1, 2), batch.valid.transpose(1, 2)  # (B, T, P, J, C)
    values, seen = interpolate(positions, valid, when, (batch.lengths - 1)[:, None])
    inside = torch.arange(when.shape[1], device=when.device) < lengths[:, None]
    seen = seen & inside[:, :, None, None]
    values = values.masked_fill(~seen[..., None], 0.0)
    return Batch(values.transpose(1, 2), seen.transpose(1, 2), lengths)
