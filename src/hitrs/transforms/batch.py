"""A batch of recordings as tensors, and the bodies in it as the tokens that a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hitrs.data.interpolation import interpolate
from hitrs.skeleton.layout import Layout
from hitrs.transforms.config import PreprocessingConfig, Stream

MOTION_SCALE = 10.0
"""Joints move some centimeters from frame to frame, and stand some decimeters from the center."""


@dataclass(frozen=True)
class Batch:
    """Recordings padded to one shape. What is padding, absent or unseen is not valid and 0."""

    positions: Tensor
    """(B, P, T, J, C) float32."""
    valid: Tensor
    """(B, P, T, J) bool."""
    lengths: Tensor
    """(B,) int64, real frames."""

    @classmethod
    def from_bodies(cls, positions: Tensor, valid: Tensor) -> Batch:
        """Sequences of one length, (S, T, J, C) and valid (S, T, J), as recordings of one person each."""
        lengths = torch.full((len(positions),), positions.shape[1], device=positions.device)
        return cls(positions.masked_fill(~valid[..., None], 0.0)[:, None], valid[:, None], lengths)

    def to(self, device: torch.device) -> Batch:
        return Batch(self.positions.to(device), self.valid.to(device), self.lengths.to(device))


@dataclass(frozen=True)
class Bodies:
    """The bodies of a batch, each a sequence of its own, of frames or of groups of frames (``tubelets``)."""

    positions: Tensor
    """(S, T, J, C)."""
    valid: Tensor
    """(S, T, J)."""
    lengths: Tensor
    """(S,)."""
    recording: Tensor
    """(S,) int64: the recording of the batch that each body belongs to."""
    person: Tensor
    """(S,) int64: the body slot it stands in."""


def collate(arrays: Sequence[tuple[np.ndarray, np.ndarray]]) -> Batch:
    """Pad recordings, each positions (T, P, J, C) and valid (T, P, J), to a batch."""
    frames = max(p.shape[0] for p, _ in arrays)
    persons = max(p.shape[1] for p, _ in arrays)
    joints, coords = arrays[0][0].shape[2:]
    positions = np.zeros((len(arrays), persons, frames, joints, coords), np.float32)
    valid = np.zeros((len(arrays), persons, frames, joints), bool)
    for b, (p, v) in enumerate(arrays):
        positions[b, : p.shape[1], : p.shape[0]] = p.swapaxes(0, 1)
        valid[b, : p.shape[1], : p.shape[0]] = v.swapaxes(0, 1)
    positions[~valid] = 0.0
    lengths = torch.tensor([p.shape[0] for p, _ in arrays], dtype=torch.int64)
    return Batch(torch.from_numpy(positions), torch.from_numpy(valid), lengths)


def stream_bodies(
    batch: Batch, settings: PreprocessingConfig, layout: Layout, slots: int | None = None
) -> Bodies:
    """The bodies of a batch as a model sees them: resampled, in its stream, as tubelets.

    A body that is never seen is left out, and so is one without a single bone or motion (a body of one frame
    does not move). With ``slots`` there are that many bodies of each recording, seen or not; those past them
    are left out. This form is the paper's: an absent body takes part as zeros.

    >>> bodies = stream_bodies(batch, PreprocessingConfig(stream="motion"), layout)
    >>> encoder(bodies.positions, bodies.valid, bodies.lengths).video.shape
    torch.Size([3, 512])
    """
    if slots is None:
        keep = batch.valid.flatten(2).any(-1)  # (B, P)
        positions, valid = batch.positions, batch.valid
    else:
        missing = max(0, slots - batch.positions.shape[1])
        positions = torch.nn.functional.pad(batch.positions, (0, 0, 0, 0, 0, 0, 0, missing))[:, :slots]
        valid = torch.nn.functional.pad(batch.valid, (0, 0, 0, 0, 0, missing))[:, :slots]
        keep = torch.ones(valid.shape[:2], dtype=torch.bool, device=valid.device)
    recording, person = keep.nonzero(as_tuple=True)
    positions, valid, lengths = positions[keep], valid[keep], batch.lengths[recording]
    positions, valid, lengths = to_tokens(positions, valid, lengths, settings, layout)
    if slots is None:
        seen = valid.flatten(1).any(1)
        positions, valid, lengths = positions[seen], valid[seen], lengths[seen]
        recording, person = recording[seen], person[seen]
    return Bodies(positions, valid, lengths, recording, person)


def to_tokens(
    positions: Tensor, valid: Tensor, lengths: Tensor, settings: PreprocessingConfig, layout: Layout
) -> tuple[Tensor, Tensor, Tensor]:
    """Preprocessed bodies as the encoder takes them: resampled, in the model's stream, as tubelets.

    Args:
        positions: (S, T, J, C); valid: (S, T, J); lengths: (S,).
    Returns:
        positions, valid and lengths in tokens.
    """
    if settings.frames:
        positions, valid, lengths = resample(positions, valid, lengths, settings.frames)
    positions, valid = take_stream(positions, valid, settings.stream, layout)
    if settings.tubelet > 1:
        positions, valid, lengths = tubelets(positions, valid, lengths, settings.tubelet)
    return positions, valid, lengths


def resample(positions: Tensor, valid: Tensor, lengths: Tensor, frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sequences at ``frames`` evenly spread times from their first to their last frame; unseen joints are 0.

    A joint that was seen in one of the two frames around such a time, but not in both, stands where it was
    seen: a short recording would else lose most of a joint that flickers.

    Args:
        positions: (S, T, J, C); valid: (S, T, J); lengths: (S,).
    Returns:
        positions (S, F, J, C), valid (S, F, J) and lengths (S,), all F.
    """
    last = (lengths - 1)[:, None]
    times = torch.linspace(0, 1, frames, device=positions.device) * last  # (S, F)
    nearest = torch.where(times - times.floor() < 0.5, times.floor(), times.ceil())
    values, seen = interpolate(positions[:, :, None], valid[:, :, None], times, last)
    held, held_seen = interpolate(positions[:, :, None], valid[:, :, None], nearest, last)
    values = torch.where(seen[..., None], values, held)[:, :, 0]
    seen = (seen | held_seen)[:, :, 0]
    return values.masked_fill(~seen[..., None], 0.0), seen, torch.full_like(lengths, frames)


def tubelets(positions: Tensor, valid: Tensor, lengths: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Groups of ``size`` successive frames: the coordinates of a joint in all of them are one token.

    A joint is valid in a group if it was seen in one of its frames; where it was not it is 0.

    Args:
        positions: (S, T, J, C); valid: (S, T, J); lengths: (S,).
    Returns:
        positions (S, ceil(T / size), J, size C), valid, and lengths (S,), counted in groups.
    """
    count = (positions.shape[1] + size - 1) // size
    missing = count * size - positions.shape[1]
    positions = torch.nn.functional.pad(positions, (0, 0, 0, 0, 0, missing)).unflatten(1, (count, size))
    valid = torch.nn.functional.pad(valid, (0, 0, 0, missing)).unflatten(1, (count, size))
    groups = torch.div(lengths + size - 1, size, rounding_mode="floor")
    return positions.transpose(2, 3).flatten(3), valid.any(2), groups


def take_stream(positions: Tensor, valid: Tensor, stream: Stream, layout: Layout) -> tuple[Tensor, Tensor]:
    """Joints as they are, bones (joint minus parent, root 0) or motion (frame minus previous frame, first 0).

    A bone needs both ends seen, a motion both frames; else it is not valid and 0. Fused: the three side by
    side, motion times ``MOTION_SCALE``, (..., T, J, 3C), valid where the joint is; bone or motion may be 0.

    Args:
        positions: (..., T, J, C); valid: (..., T, J).
    """
    if stream == "fused":
        bone, _ = take_stream(positions, valid, "bone", layout)
        motion, _ = take_stream(positions, valid, "motion", layout)
        fused = torch.cat([positions, bone, MOTION_SCALE * motion], dim=-1)
        return fused.masked_fill(~valid[..., None], 0.0), valid
    if stream == "joint":
        return positions, valid
    if stream == "bone":
        parents = torch.as_tensor(layout.parents, device=positions.device)
        seen = valid & valid[..., parents]
        values = positions - positions[..., parents, :]
    else:
        before = torch.cat([positions[..., :1, :, :], positions[..., :-1, :, :]], dim=-3)
        seen = valid & torch.cat([valid[..., :1, :], valid[..., :-1, :]], dim=-2)
        values = positions - before
    return values.masked_fill(~seen[..., None], 0.0), seen
