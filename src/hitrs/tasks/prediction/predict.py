"""Predictions in the coordinates, unit and joints of the recording itself: a model's, and the baselines'.

``predict`` is what validation, evaluation and deployment use.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hitrs.errors import DataError
from hitrs.skeleton.kinematics import downwards
from hitrs.skeleton.layout import Layout
from hitrs.skeleton.mapping import joint_map, map_positions
from hitrs.tasks.prediction.model import PredictionModel, forward_fill
from hitrs.transforms.batch import Batch
from hitrs.transforms.preprocessing import fit_preprocessing

Frames = tuple[np.ndarray, np.ndarray]
"""Positions (T, P, J, C) and valid (T, P, J)."""
COINCIDENT = 1e-4
"""Joints no further apart than this (in the recording's unit), or that move less, coincide or stand still."""
BATCH = 64


@torch.no_grad()
def predict(model: PredictionModel, windows: Sequence[Frames], layout: Layout) -> list[Frames]:
    """Continue every body of some windows.

    A joint that the model does not know takes the place of a predicted one with which it coincided in all
    observed frames; one that never moved stays where it is (CMU's and Human3.6M's protocols say the same of
    their constant and doubled joints); all others are not valid.

    >>> positions, valid = predict(model, [(observed, seen)], get_layout("ntu25"))[0]

    Args:
        windows: observed positions (T, P, J, C), T the model's observed frames, and valid (T, P, J).
        layout: of the windows.
    Returns:
        for each window positions (H, P, J, C) and valid (H, P, J), in the coordinates of the input.
    Raises:
        LayoutError: if the layout has nothing in common with the model's.
        DataError: if a prediction is not finite.
    """
    was_training = model.training
    model.eval()
    bodies = [(w, p) for w, (_, valid) in enumerate(windows) for p in np.flatnonzero(valid.any((0, 2)))]
    frames = model.head_config.predicted
    futures = [
        (np.zeros((frames, *p.shape[1:]), np.float32), np.zeros((frames, *v.shape[1:]), bool))
        for p, v in windows
    ]
    for first in range(0, len(bodies), BATCH):
        chunk = bodies[first : first + BATCH]
        arrays = [
            _mapped(windows[w][0][:, p], windows[w][1][:, p], layout, model.card.layout) for w, p in chunk
        ]
        for (w, p), future in zip(chunk, _predict_bodies(model, arrays), strict=True):
            observed, seen = windows[w][0][:, p], windows[w][1][:, p]
            if not np.isfinite(future).all():
                raise DataError(
                    f"window {w}: the predicted positions are not finite; the coordinates are too large for "
                    "the model (another unit?), or the weights are"
                )
            futures[w][0][:, p], futures[w][1][:, p] = _to_layout(
                future, observed, seen, layout, model.card.layout
            )
    model.train(was_training)
    return futures


def zero_velocity(positions: np.ndarray, valid: np.ndarray, predicted: int) -> Frames:
    """The last observed pose, ``predicted`` times.

    Args:
        positions: observed, (T, ..., J, C); valid: (T, ..., J).
    Returns:
        positions (H, ..., J, C) and valid (H, ..., J): joints that were seen at all.
    """
    filled, seen = _forward_filled(positions, valid)
    return np.repeat(filled[-1:], predicted, axis=0), np.repeat(seen[None], predicted, axis=0)


def constant_velocity(positions: np.ndarray, valid: np.ndarray, predicted: int) -> Frames:
    """Every joint goes on with its displacement between the last two frames; as :func:`zero_velocity`."""
    filled, seen = _forward_filled(positions, valid)
    velocity = filled[-1] - filled[-2] if len(filled) > 1 else np.zeros_like(filled[-1])
    times = np.arange(1, predicted + 1, dtype=filled.dtype).reshape(-1, *[1] * velocity.ndim)
    return filled[-1] + times * velocity, np.repeat(seen[None], predicted, axis=0)


BASELINES = {"zero velocity": zero_velocity, "constant velocity": constant_velocity}
"""Predictions that need no training, by the names of their rows in tables."""


def keep_bone_lengths(
    predicted: np.ndarray, last: np.ndarray, valid: np.ndarray, layout: Layout
) -> np.ndarray:
    """Predicted poses whose bones have the lengths of the last observed pose; their directions stay.

    From the root down each joint is put at its bone's length from its parent, and everything below moves
    with it. A bone without both ends, or without a length in the prediction, stays as it is.

    Args:
        predicted: (H, ..., J, C).
        last: the last observed pose, (..., J, C).
        valid: (..., J), True for joints that were observed.
    """
    result = predicted.copy()
    for joint in downwards(layout.parents):
        parent = layout.parents[joint]
        if joint == parent:
            continue
        bone = predicted[..., joint, :] - predicted[..., parent, :]
        length = np.linalg.norm(bone, axis=-1)
        wanted = np.linalg.norm(last[..., joint, :] - last[..., parent, :], axis=-1)
        known = (valid[..., joint] & valid[..., parent]) & (length > 1e-9)
        factor = np.where(known, wanted / np.maximum(length, 1e-9), 1.0)
        result[..., joint, :] = result[..., parent, :] + bone * factor[..., None].astype(bone.dtype)
    return result


def _forward_filled(positions: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # copies: torch takes neither read-only arrays nor reversed views
    given, own = (torch.from_numpy(np.array(x, order="C")) for x in (positions, valid))
    filled, seen = forward_fill(given, own)
    return filled.numpy(), seen.numpy()


def _mapped(
    positions: np.ndarray, valid: np.ndarray, have: Layout, want: Layout
) -> tuple[np.ndarray, np.ndarray]:
    return (positions, valid) if have == want else map_positions(positions, valid, have, want)


def _predict_bodies(model: PredictionModel, arrays: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(S, H, J, C) of bodies in the model's layout."""
    device = next(model.parameters()).device
    positions = torch.from_numpy(np.stack([p for p, _ in arrays]).astype(np.float32)).to(device)
    valid = torch.from_numpy(np.stack([v for _, v in arrays])).to(device)
    batch = Batch.from_bodies(positions, valid)
    card = model.card
    fitted = fit_preprocessing(batch.positions, batch.valid, card.preprocessing, card.layout).at_last_frame()
    batch = fitted.apply_to(batch)
    future = model(batch.positions[:, 0], batch.valid[:, 0]).float()
    return fitted.inverse(future[:, None])[:, 0].cpu().numpy()


def _to_layout(
    future: np.ndarray, observed: np.ndarray, seen: np.ndarray, have: Layout, model: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """From the model's joints (H, Jm, C) back to the recording's: (H, J, C) and valid (H, J).

    Args:
        observed: what the recording itself holds, (T, J, C); seen: (T, J).
        have: the recording's layout.
    """
    positions, _ = zero_velocity(observed, seen, len(future))  # (H, J, C)
    known = np.zeros(have.n_joints, bool)
    ever_seen = seen.any(0)
    source = np.arange(have.n_joints) if have == model else joint_map(have, model).plain
    mapped = np.flatnonzero(source >= 0)
    positions[:, source[mapped]] = future[:, mapped]
    known[source[mapped]] = True
    predicted = np.flatnonzero(known & ever_seen)
    for joint in np.flatnonzero(~known & ever_seen):
        both = seen[:, [joint]] & seen[:, predicted]  # (T, K)
        distance = np.linalg.norm(observed[:, [joint]] - observed[:, predicted], axis=-1)
        coincident = both.any(0) & (np.where(both, distance, 0.0).max(0) < COINCIDENT)
        own = observed[seen[:, joint], joint]
        if coincident.any():
            positions[:, joint] = positions[:, predicted[coincident.argmax()]]
            known[joint] = True
        elif np.ptp(own, axis=0).max() < COINCIDENT:
            known[joint] = True
    valid = np.repeat((known & ever_seen)[None], len(future), axis=0)
    return np.where(valid[..., None], positions, 0).astype(np.float32), valid
