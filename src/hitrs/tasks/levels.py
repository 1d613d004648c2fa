"""What a frozen encoder knows about a body: its video feature, or the features of all levels over time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hitrs.models.hitrs import HiTRS, take_rows

Describe = Callable[[HiTRS, Tensor, Tensor, Tensor], Tensor]
"""Positions (S, T, J, C), valid (S, T, J) and lengths (S,) of bodies to one feature each, (S, ...)."""


def video_feature(encoder: HiTRS, positions: Tensor, valid: Tensor, lengths: Tensor) -> Tensor:
    """The paper's: V-TRS's fusion token, (S, 4D)."""
    return encoder(positions, valid, lengths).video


def all_levels(encoder: HiTRS, positions: Tensor, valid: Tensor, lengths: Tensor) -> Tensor:
    """The video feature, and mean and deviation over time of what every level says, (S, 16D + 2JD).

    Pre-training gives each level a task of its own, so a probe of the top alone leaves unread what poses and
    clips were learned to be: V-TRS's feature per clip (4D), C-TRS's clip features (2D), F-TRS's joints (J D).
    """
    frames = encoder.encode_frames(positions, valid, lengths)
    clips = encoder.all_clips(frames, lengths)
    videos = encoder.encode_videos(clips.features, clips.slots, want_clips=True)
    assert videos.clips is not None
    present = clips.slots >= 0
    sequence, _ = (frames.rows >= 0).nonzero(as_tuple=True)
    order = frames.rows[frames.rows >= 0]
    joints = frames.features.float() * frames.valid[..., None]  # unseen joints have no feature
    mean, deviation = _over_rows(joints.flatten(1)[order], sequence, len(lengths))
    return torch.cat(
        [
            videos.video.float(),
            *_over_time(videos.clips.float(), present),
            *_over_time(take_rows(clips.features, clips.slots).float(), present),
            mean,
            deviation,
        ],
        dim=1,
    )


def _over_time(values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of (S, N, D) over the places that are present (S, N)."""
    sequence, place = present.nonzero(as_tuple=True)
    return _over_rows(values[sequence, place], sequence, len(values))


def _over_rows(rows: Tensor, sequence: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation (count, D) of packed rows (Q, D) by the sequence that each belongs to."""
    zeros = rows.new_zeros(count, rows.shape[1])
    number = rows.new_zeros(count, 1).index_add(0, sequence, rows.new_ones(len(rows), 1)).clamp(min=1)
    mean = zeros.index_add(0, sequence, rows) / number
    square = zeros.index_add(0, sequence, (rows - mean[sequence]) ** 2) / number
    return mean, square.sqrt()
