"""Scores of predictions on the test windows of a store, beside those of the baselines on the same windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hitrs.data.store import Store
from hitrs.tasks.prediction.baselines import BASELINES
from hitrs.tasks.prediction.bones import bone_drift
from hitrs.tasks.prediction.metrics import bone_angles, by_action, joint_errors
from hitrs.tasks.prediction.windows import HORIZONS, Span, Window, cut_out

Observed = tuple[np.ndarray, np.ndarray]
"""Positions (T, P, J, C) and valid (T, P, J)."""
Predict = Callable[[Sequence[Observed]], Sequence[Observed]]
"""Observed frames of some windows, in the store's layout, to predicted ones."""
UNSCORED = {"human36m": (0, 1, 6, 11, 16, 20, 23, 24, 28, 31)}
"""Joints that a data set's protocol leaves out of the mean: they do not move, or coincide with others."""
MILLIMETERS = 1000.0


def score(store: Store, windows: Sequence[Window], span: Span, predict: Predict) -> dict[str, Any]:
    """MPJPE at every horizon, its means per action, bone drift and bone angles; and the baselines'.

    MPJPE and drift are in millimeters for 3-D stores (in meters), in pixels for 2-D ones. A true joint that
    was not seen does not count, nor one that a prediction has nothing to say about, for the prediction and
    the baselines alike.

    Returns:
        JSON values: "windows", "horizons", "ms" (None if the frame rate is unknown), "mpjpe@h",
        "bone_drift@h", "bone_angle@h" (degrees, 3-D only), "actions" (action -> "mpjpe@h") and "baselines"
        (name -> the same).
    """
    cut = [cut_out(store, window, span) for window in windows]
    observed = [(positions, valid) for positions, valid, _, _ in cut]
    futures = [(positions, valid) for _, _, positions, valid in cut]
    actions = [window.action for window in windows]
    counted = np.ones(store.layout.n_joints, bool)
    counted[list(UNSCORED.get(store.meta.get("dataset", ""), ()))] = False
    found = predict(observed)
    known = [valid & counted for _, valid in found]
    rates = np.unique(store.fps[[window.recording for window in windows]])
    fps = float(rates[0]) / span.step if len(rates) == 1 and np.isfinite(rates[0]) else None
    horizons = horizons_of(span.predicted)
    result: dict[str, Any] = {
        "windows": len(windows),
        "horizons": list(horizons),
        "ms": None if fps is None else [round(1000 * h / fps, 1) for h in horizons],
        **_figures(store, observed, found, futures, known, actions, horizons),
    }
    result["baselines"] = {
        name: _figures(
            store,
            observed,
            [baseline(*each, span.predicted) for each in observed],
            futures,
            known,
            actions,
            horizons,
        )
        for name, baseline in BASELINES.items()
    }
    return result


def horizons_of(predicted: int) -> tuple[int, ...]:
    """The literature's horizons as far as they are predicted, and the last predicted frame."""
    return (*(h for h in HORIZONS if h < predicted), predicted)


def _figures(
    store: Store,
    observed: Sequence[Observed],
    found: Sequence[Observed],
    futures: Sequence[Observed],
    known: Sequence[np.ndarray],
    actions: Sequence[str],
    horizons: Sequence[int],
) -> dict[str, Any]:
    layout, places = store.layout, np.array(horizons) - 1
    unit = MILLIMETERS if layout.dims == 3 else 1.0
    errors, drifts, angles = [], [], []
    for (past, seen), (predicted, _), (truth, valid), counts in zip(
        observed, found, futures, known, strict=True
    ):
        counts = counts & valid
        errors.append(unit * joint_errors(predicted, truth, counts)[places])
        drifts.append(unit * bone_drift(predicted, past[-1], seen[-1] & counts.all(0), layout)[places])
        if layout.dims == 3:
            angles.append(bone_angles(predicted, truth, counts, layout)[places])
    each, mean = by_action(errors, actions)
    _, drift = by_action(drifts, actions)
    figures = {**_named("mpjpe", horizons, mean), **_named("bone_drift", horizons, drift)}
    if angles:
        figures |= _named("bone_angle", horizons, by_action(angles, actions)[1])
    return {
        **figures,
        "actions": {action: _named("mpjpe", horizons, values) for action, values in each.items()},
    }


def _named(name: str, horizons: Sequence[int], values: np.ndarray) -> dict[str, float | None]:
    return {
        f"{name}@{h}": None if np.isnan(value) else round(float(value), 2)
        for h, value in zip(horizons, values, strict=True)
    }
