"""Streams: the three views of a movement that are trained apart and added at the end."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hitrs.skeleton.layout import Layout

Stream = Literal["joint", "bone", "motion"]


def take_stream(positions: Tensor, valid: Tensor, stream: Stream, layout: Layout) -> tuple[Tensor, Tensor]:
    """Joints as they are, bones (joint minus parent, root 0) or motion (frame minus previous frame, first 0).

    A bone needs both ends seen, a motion both frames; else it is not valid and 0.

    Args:
        positions: (..., T, J, C); valid: (..., T, J).
    """
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
