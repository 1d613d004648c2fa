"""How far a prediction is off: distances of joints, angles between bones, Euler angles of rotations.

MPJPE at a horizon is the distance between predicted and true joints in that frame (not the mean up to it),
averaged over the joints, then the windows of an action, then the actions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitrs.skeleton.layout import Layout

STILL = 1e-4
"""Angles that vary less than this (standard deviation, radians) are not counted, as the literature does."""


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


def bone_angles(predicted: np.ndarray, truth: np.ndarray, valid: np.ndarray, layout: Layout) -> np.ndarray:
    """Mean angle between predicted and true bones in each frame, (H,) degrees.

    Bones without length are left out. This is what positions tell of rotations: the twist of a bone about
    itself does not show in them.

    Args:
        predicted, truth: (H, ..., J, 3), valid: (H, ..., J), as in :func:`joint_errors`.
    """
    child, parent = np.array(layout.bones(), np.int64).reshape(-1, 2).T
    first, second = (x[..., child, :].astype(np.float64) - x[..., parent, :] for x in (predicted, truth))
    length = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    cosine = (first * second).sum(-1) / np.maximum(length, 1e-12)
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).reshape(len(valid), -1)
    counted = (valid[..., child] & valid[..., parent] & (length > 1e-8)).reshape(len(valid), -1)
    number = counted.sum(1)
    return np.where(number > 0, np.where(counted, angle, 0).sum(1) / np.maximum(number, 1), np.nan)


def euler_angles(matrices: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) to Euler angles (..., 3) in radians, the way motion prediction on Human3.6M does.

    With E = (x, y, z): y = -asin(R[0, 2]), x = atan2(R[1, 2], R[2, 2]), z = atan2(R[0, 1], R[0, 0]), both
    divided by cos y; at R[0, 2] = +-1 z is 0 (Martinez et al. 2017). The matrices are those of
    the exponential maps as they are (``hitrs.skeleton.kinematics.rotations_of_expmaps``).
    """
    corner = np.clip(matrices[..., 0, 2], -1.0, 1.0)
    locked = np.abs(corner) == 1.0
    y = -np.arcsin(corner)
    cosine = np.where(locked, 1.0, np.cos(y))
    x = np.arctan2(matrices[..., 1, 2] / cosine, matrices[..., 2, 2] / cosine)
    z = np.arctan2(matrices[..., 0, 1] / cosine, matrices[..., 0, 0] / cosine)
    turn = np.arctan2(matrices[..., 0, 1], matrices[..., 0, 2])  # all that is left when y is a right angle
    return np.stack([np.where(locked, turn, x), y, np.where(locked, 0.0, z)], axis=-1)


def angle_errors(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean angle error of rotations in each frame, (H,) radians, by Human3.6M's convention.

    Euler angles of all joints but the first (the global rotation) are subtracted, without taking 2 pi as 0;
    angles that hardly vary over the true frames are left out; the error of a frame is the Euclidean norm of
    what is left.

    Args:
        predicted, truth: (H, J, 3, 3) local rotations, as :func:`euler_angles` takes them.
    """
    first, second = (euler_angles(x[:, 1:]).reshape(len(x), -1) for x in (predicted, truth))
    moving = second.std(0) > STILL
    return np.linalg.norm((first - second)[:, moving], axis=1)


def by_action(
    errors: Sequence[np.ndarray], actions: Sequence[str]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Means over the windows of each action, (H,) each, and the mean of those; NaN counts for nothing.

    Args:
        errors: one (H,) for each window.
        actions: of each window.
    """
    groups: dict[str, list[np.ndarray]] = {}
    for error, action in zip(errors, actions, strict=True):
        groups.setdefault(action, []).append(error)
    means = {action: _mean(np.stack(group)) for action, group in groups.items()}
    return means, _mean(np.stack(list(means.values())))


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN."""
    known = ~np.isnan(values)
    count = known.sum(0)
    return np.where(count > 0, np.where(known, values, 0).sum(0) / np.maximum(count, 1), np.nan)
