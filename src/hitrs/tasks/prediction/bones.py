"""Bones of a predicted pose: how far their lengths drift, and putting the lengths right."""

from __future__ import annotations

import numpy as np

from hitrs.skeleton.kinematics import downwards
from hitrs.skeleton.layout import Layout


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


def keep_bone_lengths(
    predicted: np.ndarray, last: np.ndarray, valid: np.ndarray, layout: Layout
) -> np.ndarray:
    """Predicted poses whose bones have the lengths of the last observed pose; their directions stay.

    From the root down each joint is put at its bone's length from its parent, and everything below moves
    with it.

    Args:
        predicted: (H, ..., J, C), last: (..., J, C), valid: (..., J) as in :func:`bone_drift`; a bone without
            both ends or without a length in the prediction stays as it is.
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
