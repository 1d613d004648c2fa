"""Recordings of any length through a detector, with no more memory than a few numbers a frame.

The lower two levels look at a frame and at the window round it, so a recording goes through them stretch by
stretch; only what they say of each frame (H numbers) and each clip (2 D) is kept, and then goes through the
rest as a whole. The result is that of the recording in one piece.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hitrs.models.hitrs import Clips, slot_table
from hitrs.tasks.detection.model import DetectionModel
from hitrs.transforms.batch import Batch, Bodies
from hitrs.transforms.windows import padding, window_table

FRAMES = 2048
"""Frames of a stretch, about; in the paper's size some 50 MB a body."""


def long_scores(model: DetectionModel, batch: Batch, frames: int = FRAMES) -> Tensor:
    """Scores (1, T, K + 1) of one preprocessed recording, as ``model(batch)`` gives them.

    Args:
        batch: with a single recording.
        frames: length of a stretch.
    """
    length, stride = batch.positions.shape[2], model.settings.stride
    step = max(frames // stride, 1) * stride  # every stretch begins with a clip
    if length <= step:
        return model(batch)
    found = model.bodies(batch)
    parts = [_stretch(model, found, start, start + step) for start in range(0, length, step)]
    poses, seen, features, sequences, places = zip(*parts, strict=True)
    slots = slot_table(torch.cat(sequences), torch.cat(places), len(found.lengths))
    clips = Clips(torch.cat(features), slots)
    return model.scores(found, batch.lengths, torch.cat(poses, 1), torch.cat(seen, 1), clips)


def _stretch(model: DetectionModel, found: Bodies, start: int, stop: int) -> tuple[Tensor, ...]:
    """Of frames [start, stop): poses (S, t, H), where they were seen, and of the clips centered on them
    features, sequences and places."""
    config, stride = model.encoder.config, model.settings.stride
    length, pad = found.positions.shape[1], padding(config.window, config.dilation)
    low, high = max(0, start - max(pad, 1)), min(length, stop + pad)  # motion needs the frame before
    part = Bodies(
        found.positions[:, low:high],
        found.valid[:, low:high],
        torch.full_like(found.lengths, high - low),
        found.recording,
        found.person,
    )
    frames = model.encoder.encode_frames(part.positions, part.valid, part.lengths)
    pose, seen = model.poses(frames, part)
    own = slice(start - low, min(stop, length) - low)
    table = window_table(length, config.window, stride, config.dilation)
    first, last = start // stride, stop // stride if stop < length else len(table)
    windows = torch.from_numpy(table[first:last] - low).to(frames.rows.device)  # (n, W)
    some = (frames.rows[:, windows] >= 0).any(-1)  # (S, n): windows in which something was seen
    sequences, places = some.nonzero(as_tuple=True)
    features = model.encoder.encode_clips(frames, sequences, windows[places])
    return pose[:, own], seen[:, own], features, sequences, places + first
