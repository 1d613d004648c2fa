"""Poses that follow others, without a model: baselines, lengths of bones, another layout, errors."""

from __future__ import annotations

import numpy as np

from hitrs.skeleton.layout import Layout, downwards
from hitrs.skeleton.mapping import joint_map

Frames = tuple[np.ndarray, np.ndarray]
"""Positions (T, P, J, C) and valid (T, P, J)."""
COINCIDENT = 1e-4
"""Joints no further apart than this (in the recording's unit), or that move less, coincide or stand still."""


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
    """``hitrs.tasks.prediction.model.forward_fill`` over the first axis."""
    frame = np.arange(len(valid)).reshape(-1, *[1] * (valid.ndim - 1))
    last = np.maximum.accumulate(np.where(valid, frame, -1), axis=0)
    index = np.where(last >= 0, last, valid.argmax(0))
    return np.take_along_axis(positions, index[..., None], axis=0), np.asarray(valid.any(0))


def in_layout(
    future: np.ndarray, observed: np.ndarray, seen: np.ndarray, have: Layout, model: Layout
) -> Frames:
    """What a model predicts of the bodies of a recording, in the recording's joints.

    A joint that the model does not know takes the place of a predicted one with which it coincided in all
    observed frames; one that never moved stays where it is (CMU's and Human3.6M's protocols say the same of
    their constant and doubled joints); all others are not valid.

    Args:
        future: (H, P, Jm, C), in the model's layout; what it holds of joints never seen does not matter.
        observed: what the recording itself holds, (T, P, J, C); seen: (T, P, J).
        have: the recording's layout; model: the model's.
    Returns:
        positions (H, P, J, C) and valid (H, P, J).
    """
    positions = np.zeros((len(future), *observed.shape[1:]), np.float32)
    valid = np.zeros(positions.shape[:-1], bool)
    for body in np.flatnonzero(seen.any((0, 2))):
        positions[:, body], valid[:, body] = _in_layout(
            future[:, body], observed[:, body], seen[:, body], have, model
        )
    return positions, valid


def _in_layout(
    future: np.ndarray, observed: np.ndarray, seen: np.ndarray, have: Layout, model: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """The same of one body: (H, Jm, C), (T, J, C) and (T, J) to (H, J, C) and (H, J)."""
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


def joint_errors(predicted: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Mean distance between joints in each frame, (H,), in the unit of the positions.

    Args:
        predicted, truth: (H, ..., J, C).
        valid: (H, ..., J), True for joints that count; NaN comes back for a frame without any.
    """
    distance = np.linalg.norm(predicted.astype(np.float64) - truth, axis=-1).reshape(len(valid), -1)
    counted = valid.reshape(len(valid), -1)
    number = counted.sum(1)
    total = np.where(counted, distance, 0.0).sum(1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def bone_lengths(positions: np.ndarray, layout: Layout) -> np.ndarray:
    """(..., J, C) -> (..., bones), in the order of ``layout.bones()``."""
    child, parent = np.array(layout.bones(), np.int64).reshape(-1, 2).T
    return np.linalg.norm(positions[..., child, :] - positions[..., parent, :], axis=-1)


def bone_drift(predicted: np.ndarray, last: np.ndarray, valid: np.ndarray, layout: Layout) -> np.ndarray:
    """Mean change of bone lengths against the last observed pose in each frame, (H,), in the unit given.

    Args:
        predicted: (H, ..., J, C).
        last: (..., J, C).
        valid: (..., J), True for joints that were observed.
    """
    child, parent = np.array(layout.bones(), np.int64).reshape(-1, 2).T
    change = np.abs(bone_lengths(predicted, layout) - bone_lengths(last, layout)).reshape(len(predicted), -1)
    counted = (valid[..., child] & valid[..., parent]).reshape(-1)
    return change[:, counted].mean(1) if counted.any() else np.full(len(predicted), np.nan)
