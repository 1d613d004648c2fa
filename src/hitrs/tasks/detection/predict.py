"""Class probabilities of every frame, for evaluation, validation, choice of thresholds and deployment.

A recording of any length needs no more memory than a few numbers a frame: the lower two levels look at a
frame and at the window round it, so they are computed chunk by chunk, and only the features of each frame
(H numbers) and each clip (2 D) are kept and go through the rest as a whole. The result is that of the
recording in one piece.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from hitrs.engine import Step, current_engine
from hitrs.models.encoder import Clips, slot_table
from hitrs.tasks.detection.model import DetectionModel
from hitrs.transforms.batch import Batch, Bodies
from hitrs.transforms.dataset import ModelInputs
from hitrs.transforms.windows import window_table

CHUNK_FRAMES = 2048
"""Frames of a chunk, about; in the paper's size some 50 MB a body."""


def predict(model: DetectionModel, dataset: ModelInputs) -> list[np.ndarray]:
    """Probabilities (T, K + 1) of the frames of every recording of ``dataset``, background last.

    A frame in which nobody has been seen for as many frames as lie between two clips, itself included, is
    background: the scores of the model mean nothing there.
    """
    was_training = model.training
    model.eval()
    probabilities = list(current_engine().map(partial(_of_recording, model, dataset), range(len(dataset))))
    model.train(was_training)
    return probabilities


@torch.no_grad()
def _of_recording(model: DetectionModel, dataset: ModelInputs, i: int, step: Step) -> np.ndarray:
    """Probabilities (T, K + 1) of the frames of one recording."""
    batch = dataset.batch([i])
    scores = chunked_scores(model, batch.to(next(model.parameters()).device))[0].float()
    rows = scores.softmax(-1).cpu().numpy()
    visible = batch.valid[0].any(-1).any(0).numpy()  # (T,)
    rows[without_people(visible, model.clip_times.step)] = background(len(model.card.classes))
    return rows


def without_people(visible: np.ndarray, frames: int) -> np.ndarray:
    """(T,) bool: where nobody was visible (T,) in so many frames in a row or more, this one included."""
    number = np.arange(len(visible))
    last = np.maximum.accumulate(np.where(visible, number, -1))
    return np.asarray(number - last >= frames)


def background(classes: int) -> np.ndarray:
    """Probabilities (K + 1,) float32 of a frame that is background for certain."""
    return np.eye(classes + 1, dtype=np.float32)[-1]


def chunked_scores(model: DetectionModel, batch: Batch, chunk_frames: int = CHUNK_FRAMES) -> Tensor:
    """Scores (1, T, K + 1) of one preprocessed recording, as ``model(batch)`` gives them.

    Args:
        batch: with a single recording.
        chunk_frames: length of a chunk.
    """
    length, stride = batch.positions.shape[2], model.clip_times.step
    step = max(chunk_frames // stride, 1) * stride  # every chunk begins with a clip
    if length <= step:
        return model(batch)
    present = model.bodies(batch)
    chunks = [_encode_chunk(model, present, start, start + step) for start in range(0, length, step)]
    poses, seen, features, sequences, numbers = zip(*chunks, strict=True)
    slots = slot_table(torch.cat(sequences), torch.cat(numbers), len(present.lengths))
    clips = Clips(torch.cat(features), slots)
    return model.scores(present, batch.lengths, torch.cat(poses, 1), torch.cat(seen, 1), clips)


def _encode_chunk(model: DetectionModel, present: Bodies, start: int, stop: int) -> tuple[Tensor, ...]:
    """Of frames [start, stop): pose features (S, t, H) and where a joint was seen (S, t); of the clips
    centered on them features, bodies and numbers."""
    config, size, stride = model.encoder.config, model.token_times.size, model.settings.stride
    length, times = present.positions.shape[1], model.clip_times
    # motion needs the frame before, and a frame lies between the centers of two tokens
    before, after = max(-times.first, size), max(times.first + times.size - size, size)
    low, high = max(0, start - before), min(length, stop + after)
    part = Bodies(
        present.positions[:, low:high],
        present.valid[:, low:high],
        torch.full_like(present.lengths, high - low),
        present.recording,
        present.person,
    )
    tokens = model.tokens(part)
    frames = model.encoder.encode_frames(tokens.positions, tokens.valid, tokens.lengths)
    poses, seen = model.pose_features(frames, part)
    own = slice(start - low, min(stop, length) - low)
    table = window_table(-(-length // size), config.window, stride, config.dilation, config.padding)
    first, last = start // times.step, stop // times.step if stop < length else len(table)
    windows = torch.from_numpy(table[first:last] - low // size).to(frames.rows.device)  # (n, W)
    visible = (frames.rows[:, windows] >= 0).any(-1)  # (S, n): windows in which a joint was seen
    sequences, numbers = visible.nonzero(as_tuple=True)
    features = model.encoder.encode_clips(frames, sequences, windows[numbers])
    return poses[:, own], seen[:, own], features, sequences, numbers + first
