"""Augmentation of a batch; what is drawn for a recording is shared by its bodies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from hitrs.errors import ConfigError
from hitrs.transforms.batch import Batch
from hitrs.transforms.choices import check_choices
from hitrs.transforms.draws import Draws
from hitrs.transforms.preprocess import yaw_matrix


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to a recording in training."""

    policy: Literal["none", "paper", "views"] = "paper"
    """paper: Hi-TRS's own; views: random camera, size, speed, crop and noise by the ranges below."""
    yaw: float = 60.0
    """views: turn about the up axis by up to this many degrees either way."""
    tilt: float = 15.0
    """views: turn about each ground axis by up to this many degrees either way."""
    stretch: float = 0.2
    """views: scale each axis by 1 +- this, and all of them together by the same range once more."""
    speed: float = 0.3
    """views: play faster or slower by a factor of up to 1 + this."""
    crop: float = 0.2
    """views: leave out up to this share of the frames, split at random between start and end."""
    noise: float = 0.01
    """views: metres of white noise on every coordinate (standard deviation, itself drawn up to this)."""
    drop: float = 0.05
    """views: share of joints that are taken as unseen for the whole recording."""
    mirror: float = 0.0
    """views: probability of swapping left and right; only where no class depends on the side."""

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("crop", "drop", "mirror", "stretch"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"augment.{name} must lie in [0, 1], got {getattr(self, name)}")
        if min(self.yaw, self.tilt, self.speed, self.noise) < 0:
            raise ConfigError("augment.yaw, tilt, speed and noise must not be negative")


def augment(
    batch: Batch, config: AugmentConfig, draws: Draws, up: int, mirror: Tensor, in_time: bool = True
) -> Batch:
    """A changed copy of the batch.

    Args:
        draws: of the recordings.
        up: index of the up axis.
        mirror: (J,) int64, the layout's left/right exchange.
        in_time: False: no crop and no other speed, so that labels of frames stay those of their frames.
    """
    if config.policy == "none":
        return batch
    if config.policy == "paper":
        return paper_augment(batch, draws, in_time)
    count, device = len(batch.lengths), batch.positions.device
    coords = batch.positions.shape[-1]

    def symmetric(name: str, *shape: int) -> Tensor:
        return 2 * draws.uniform(name, *shape) - 1

    matrix = torch.eye(coords, device=device).expand(count, -1, -1)
    if coords == 3:
        for axis in range(3):
            limit = math.radians(config.yaw if axis == up else config.tilt)
            matrix = yaw_matrix(symmetric(f"turn {axis}") * limit, axis) @ matrix
    size = (1 + config.stretch * symmetric("stretch", coords)) * (1 + config.stretch * symmetric("size", 1))
    matrix = size[:, :, None] * matrix
    positions = torch.einsum("bptjc,bdc->bptjd", batch.positions, matrix)
    valid = batch.valid
    if config.mirror:
        flip = draws.uniform("mirror") < config.mirror
        side = positions.new_ones(coords)
        side[0 if up != 0 else coords - 1] = -1
        positions = torch.where(flip[:, None, None, None, None], positions[..., mirror, :] * side, positions)
        valid = torch.where(flip[:, None, None, None], valid[..., mirror], valid)
    batch = Batch(positions, valid, batch.lengths)
    if config.crop and in_time:
        batch = crop(batch, config.crop, draws)
    if config.speed and in_time:
        batch = change_speed(batch, torch.exp(symmetric("speed") * math.log1p(config.speed)))
    positions, valid = batch.positions, batch.valid
    if config.noise:
        level = config.noise * draws.uniform("noise level", 1, 1, 1, 1)
        positions = positions + level * draws.normal("noise", *positions.shape[1:])
    if config.drop:
        kept = draws.uniform("drop", 1, 1, valid.shape[-1]) >= config.drop
        fewer = valid & kept
        # a body must not vanish altogether
        valid = torch.where(fewer.flatten(2).any(2)[:, :, None, None], fewer, valid)
    return Batch(positions.masked_fill(~valid[..., None], 0.0), valid, batch.lengths)


def paper_augment(batch: Batch, draws: Draws, in_time: bool = True) -> Batch:
    """The authors' augmentation: with p = 0.5 a change of space (scale, offsets, shear) and one of time.

    Without ``in_time`` the former alone.
    """
    positions, valid, lengths = batch.positions, batch.valid, batch.lengths
    count, _, frames, joints, coords = positions.shape
    device = positions.device

    def uniform(name: str, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * draws.uniform(name, *shape)

    active = draws.uniform("active") < 0.5
    space = torch.where(active, uniform("space", 0, 3).long(), -1)
    time = torch.where(active, uniform("time", 0, 2).long(), -1)

    def where(choice: Tensor) -> Tensor:
        return choice[:, None, None, None, None]

    scaled = positions * uniform("scale", 0.8, 1.2)[:, None, None, None, None]
    picked = torch.zeros(count, joints, device=device)
    order = draws.uniform("offset joints", joints).argsort(1)[:, :5]
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
    share = draws.uniform("share")[:, None, None, None, None]
    moved = positions + share * (positions.gather(2, index) - positions)
    positions = torch.where(where(time == 0) & both[..., None], moved, positions)
    batch = Batch(positions.masked_fill(~valid[..., None], 0.0), valid, lengths)
    return crop(batch, 0.2, draws, time == 1)


def crop(batch: Batch, most: float, draws: Draws, active: Tensor | None = None) -> Batch:
    """Leave out round(T U(0, most)) frames, split at random between start and end; at least one stays."""
    share = most * draws.uniform("crop")
    cut = torch.minimum((batch.lengths * share).round().long(), batch.lengths - 1)
    split = draws.uniform("crop split")
    start = (split * (cut + 1)).long().clamp(max=cut)
    if active is not None:
        cut, start = cut * active, start * active
    return take_frames(batch, start, batch.lengths - cut)


def crop_to(batch: Batch, most: int, draws: Draws | None) -> Batch:
    """A random (or, without draws, the middle) stretch of at most ``most`` frames."""
    if int(batch.lengths.max()) <= most:
        return batch
    if draws is None:
        start = (batch.lengths - most).clamp(min=0) // 2
    else:
        start = crop_start(batch.lengths, most, draws)
    return take_frames(batch, start, batch.lengths.clamp(max=most))


def crop_start(lengths: Tensor, most: int, draws: Draws) -> Tensor:
    """Where a random stretch of at most ``most`` frames of each recording begins, (B,) int64."""
    excess = (lengths - most).clamp(min=0)
    return (draws.uniform("crop to") * (excess + 1)).long()


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

    A joint at a new time is valid if it was seen in both neighbouring frames.
    """
    lengths, when = retimed(batch.lengths, factor)
    longest, device = when.shape[1], when.device
    low = when.floor().long()
    part = (when - low)[:, :, None, None, None]
    low = torch.minimum(low, (batch.lengths - 1)[:, None])
    high = torch.minimum(low + 1, (batch.lengths - 1)[:, None])
    rows = torch.arange(len(lengths), device=device)[:, None]
    positions, valid = batch.positions.transpose(1, 2), batch.valid.transpose(1, 2)  # (B, T, P, J, C)
    values = torch.lerp(positions[rows, low], positions[rows, high], part)
    seen = valid[rows, low] & (valid[rows, high] | (part[..., 0] == 0))
    seen = seen & (torch.arange(longest, device=device) < lengths[:, None])[:, :, None, None]
    values = values.masked_fill(~seen[..., None], 0.0)
    return Batch(values.transpose(1, 2), seen.transpose(1, 2), lengths)
