"""Predictions in the frame, unit and joints of the recording itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hitrs.skeleton.layout import Layout
from hitrs.skeleton.mapping import joint_map, map_positions
from hitrs.tasks.prediction.baselines import zero_velocity
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.tasks.prediction.placement import place

TOGETHER = 1e-4
"""Joints no further apart than this (in the recording's unit), or that move less, coincide or stand still."""
BATCH = 64


@torch.no_grad()
def predict_bodies(
    model: PredictionModel, windows: Sequence[tuple[np.ndarray, np.ndarray]], layout: Layout
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Continue every body of some windows.

    A joint that the model does not know takes the place of a predicted one with which it coincided in all
    observed frames; one that never moved stays where it is (CMU's and Human3.6M's protocols say the same of
    their constant and doubled joints); all others are not valid.

    Args:
        windows: observed positions (T, P, J, C), T the model's observed frames, and valid (T, P, J).
        layout: of the windows.
    Returns:
        for each window positions (H, P, J, C) and valid (H, P, J), in the coordinates of the input.
    Raises:
        LayoutError: if the layout has nothing in common with the model's.
    """
    was_training = model.training
    model.eval()
    bodies = [(w, p) for w, (_, valid) in enumerate(windows) for p in np.flatnonzero(valid.any((0, 2)))]
    frames = model.settings.predicted
    found = [
        (np.zeros((frames, *p.shape[1:]), np.float32), np.zeros((frames, *v.shape[1:]), bool))
        for p, v in windows
    ]
    for first in range(0, len(bodies), BATCH):
        chunk = bodies[first : first + BATCH]
        arrays = [
            _mapped(windows[w][0][:, p], windows[w][1][:, p], layout, model.card.layout) for w, p in chunk
        ]
        for (w, p), future in zip(chunk, _predict(model, arrays), strict=True):
            observed, seen = windows[w][0][:, p], windows[w][1][:, p]
            found[w][0][:, p], found[w][1][:, p] = _returned(
                future, observed, seen, layout, model.card.layout
            )
    model.train(was_training)
    return found


def _mapped(
    positions: np.ndarray, valid: np.ndarray, have: Layout, want: Layout
) -> tuple[np.ndarray, np.ndarray]:
    return (positions, valid) if have == want else map_positions(positions, valid, have, want)


def _predict(model: PredictionModel, arrays: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(S, H, J, C) of bodies in the model's layout."""
    device = next(model.parameters()).device
    positions = torch.from_numpy(np.stack([each for each, _ in arrays]).astype(np.float32)).to(device)
    valid = torch.from_numpy(np.stack([each for _, each in arrays])).to(device)
    placement = place(positions, valid, model.card.preprocessing, model.card.layout)
    placed = placement.apply(positions).masked_fill(~valid[..., None], 0.0)
    return placement.undo(model(placed, valid).float()).cpu().numpy()


def _returned(
    future: np.ndarray, observed: np.ndarray, seen: np.ndarray, have: Layout, model: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """From the model's joints (H, Jm, C) back to the recording's: (H, J, C) and valid (H, J)."""
    positions, _ = zero_velocity(observed, seen, len(future))  # (H, J, C)
    known = np.zeros(have.n_joints, bool)
    there = seen.any(0)
    source = np.arange(have.n_joints) if have == model else joint_map(have, model).plain
    given = np.flatnonzero(source >= 0)
    positions[:, source[given]] = future[:, given]
    known[source[given]] = True
    predicted = np.flatnonzero(known & there)
    for joint in np.flatnonzero(~known & there):
        both = seen[:, [joint]] & seen[:, predicted]  # (T, K)
        apart = np.linalg.norm(observed[:, [joint]] - observed[:, predicted], axis=-1)
        twins = both.any(0) & (np.where(both, apart, 0.0).max(0) < TOGETHER)
        own = observed[seen[:, joint], joint]
        if twins.any():
            positions[:, joint] = positions[:, predicted[twins.argmax()]]
            known[joint] = True
        elif np.ptp(own, axis=0).max() < TOGETHER:
            known[joint] = True
    valid = np.repeat((known & there)[None], len(future), axis=0)
    return np.where(valid[..., None], positions, 0).astype(np.float32), valid
