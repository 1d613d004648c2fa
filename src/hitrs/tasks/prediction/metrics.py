"""Errors of predictions: distances of joints, angles and lengths of bones, Euler angles of rotations.

MPJPE at a horizon is the distance between predicted and true joints in that frame (not the mean up to it),
averaged over the joints, then the windows of an action, then the actions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hitrs.data.inspection.body import UNITS
from hitrs.data.store import Store
from hitrs.skeleton.layout import Layout
from hitrs.tasks.prediction.config import Span
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.tasks.prediction.poses import BASELINES, Frames, bone_drift, joint_errors
from hitrs.tasks.prediction.predict import predict
from hitrs.tasks.prediction.windows import Window, cut_out

HORIZONS = (2, 4, 8, 10, 14, 25)
"""Predicted frames that are reported, counted from 1: 80, 160, 320, 400, 560 and 1000 ms at 25 per second."""
UNSCORED = {"human36m": (0, 1, 6, 11, 16, 20, 23, 24, 28, 31)}
"""Joints that a data set's protocol leaves out of the mean: they do not move, or coincide with others."""
MILLIMETERS = 1000.0
STILL = 1e-4
"""Angles that vary less than this (standard deviation, radians) are not counted, as the literature does."""


def horizons_of(predicted: int) -> tuple[int, ...]:
    """The literature's horizons as far as they are predicted, and the last predicted frame."""
    return (*(h for h in HORIZONS if h < predicted), predicted)


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


def model_metrics(model: PredictionModel, store: Store, windows: Sequence[Window]) -> dict[str, Any]:
    """:func:`prediction_metrics` of what a model predicts, in the store's own layout."""
    return prediction_metrics(
        store, windows, model.head_config.span, lambda observed: predict(model, observed, store.layout)
    )


def prediction_metrics(
    store: Store,
    windows: Sequence[Window],
    span: Span,
    predict_windows: Callable[[Sequence[Frames]], Sequence[Frames]],
) -> dict[str, Any]:
    """MPJPE at every horizon, its means per action, bone drift and bone angles; and the baselines'.

    MPJPE and drift are in millimeters for 3-D stores (whose unit is taken for meters where it is not clear),
    in pixels for 2-D ones. A true joint that was not seen does not count, nor one that the model does not
    predict, for the prediction and the baselines alike.

    Args:
        predict_windows: observed frames of some windows, in the store's layout, to predicted ones.
    Returns:
        JSON values: "windows", "horizons", "ms" (None if the frame rate is unknown), "mpjpe@h",
        "bone_drift@h", "bone_angle@h" (degrees, 3-D only), "actions" (action -> "mpjpe@h") and "baselines"
        (name -> the same).
    """
    frames = [cut_out(store, window, span) for window in windows]
    observed = [(positions, valid) for positions, valid, _, _ in frames]
    futures = [(positions, valid) for _, _, positions, valid in frames]
    actions = [window.action for window in windows]
    scored = np.ones(store.layout.n_joints, bool)
    scored[list(UNSCORED.get(store.meta.get("dataset", ""), ()))] = False
    predictions = predict_windows(observed)
    counted = [valid & scored for _, valid in predictions]
    horizons = horizons_of(span.predicted)
    unit = MILLIMETERS / UNITS.get(store.space.unit, 1.0) if store.layout.dims == 3 else 1.0

    def metrics_of(predictions: Sequence[Frames]) -> dict[str, Any]:
        return _metrics(store.layout, observed, predictions, futures, counted, actions, horizons, unit)

    rates = np.unique(store.fps[[window.recording for window in windows]])
    fps = float(rates[0]) / span.frame_step if len(rates) == 1 and np.isfinite(rates[0]) else None
    return {
        "windows": len(windows),
        "horizons": list(horizons),
        "ms": None if fps is None else [round(1000 * h / fps, 1) for h in horizons],
        **metrics_of(predictions),
        "baselines": {
            name: metrics_of([baseline(*window, span.predicted) for window in observed])
            for name, baseline in BASELINES.items()
        },
    }


def _metrics(
    layout: Layout,
    observed: Sequence[Frames],
    predictions: Sequence[Frames],
    futures: Sequence[Frames],
    counted: Sequence[np.ndarray],
    actions: Sequence[str],
    horizons: Sequence[int],
    unit: float,
) -> dict[str, Any]:
    rows = np.array(horizons) - 1
    errors, drifts, angles = [], [], []
    for (past, seen), (predicted, _), (truth, valid), window_counted in zip(
        observed, predictions, futures, counted, strict=True
    ):
        counts = window_counted & valid
        errors.append(unit * joint_errors(predicted, truth, counts)[rows])
        drifts.append(unit * bone_drift(predicted, past[-1], seen[-1] & counts.all(0), layout)[rows])
        if layout.dims == 3:
            angles.append(bone_angles(predicted, truth, counts, layout)[rows])
    action_errors, error = by_action(errors, actions)
    _, drift = by_action(drifts, actions)
    metrics = {**_named("mpjpe", horizons, error), **_named("bone_drift", horizons, drift)}
    if angles:
        metrics |= _named("bone_angle", horizons, by_action(angles, actions)[1])
    return {
        **metrics,
        "actions": {action: _named("mpjpe", horizons, values) for action, values in action_errors.items()},
    }


def _named(name: str, horizons: Sequence[int], values: np.ndarray) -> dict[str, float | None]:
    return {
        f"{name}@{h}": None if np.isnan(value) else round(float(value), 2)
        for h, value in zip(horizons, values, strict=True)
    }


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN."""
    known = ~np.isnan(values)
    count = known.sum(0)
    return np.where(count > 0, np.where(known, values, 0).sum(0) / np.maximum(count, 1), np.nan)
