"""A batch of recordings as tensors, and the bodies in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Recordings padded to one shape. What is padding, absent or unseen is not valid and 0."""

    positions: Tensor
    """(B, P, T, J, C) float32."""
    valid: Tensor
    """(B, P, T, J) bool."""
    lengths: Tensor
    """(B,) int64, real frames."""

    def to(self, device: torch.device) -> Batch:
        return Batch(self.positions.to(device), self.valid.to(device), self.lengths.to(device))


@dataclass(frozen=True)
class Bodies:
    """The bodies of a batch, each a sequence of its own."""

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


def bodies(batch: Batch, slots: int | None = None) -> Bodies:
    """The bodies in which at least one joint was seen; with ``slots`` that many per recording, seen or not.

    The second form is the paper's: an absent body takes part as zeros. Bodies past ``slots`` are left out.
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
    return Bodies(positions[keep], valid[keep], batch.lengths[recording], recording, person)
