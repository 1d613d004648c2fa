"""Predictions in the coordinates, unit and joints of the recording itself: a model's, and the baselines'.

``predict`` is what validation, evaluation and deployment use.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hitrs.errors import not_finite
from hitrs.skeleton.layout import Layout
from hitrs.skeleton.mapping import map_positions
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.tasks.prediction.poses import Frames, in_layout
from hitrs.transforms.batch import Batch
from hitrs.transforms.preprocessing import fit_preprocessing

BATCH = 64


@torch.no_grad()
def predict(model: PredictionModel, windows: Sequence[Frames], layout: Layout) -> list[Frames]:
    """Continue every body of some windows.

    Joints of another layout than the model's are told by ``in_layout``.

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
    frames, own = model.head_config.predicted, model.card.layout
    futures = [np.zeros((frames, p.shape[1], own.n_joints, own.dims), np.float32) for p, _ in windows]
    for first in range(0, len(bodies), BATCH):
        chunk = bodies[first : first + BATCH]
        arrays = [_mapped(windows[w][0][:, p], windows[w][1][:, p], layout, own) for w, p in chunk]
        for (w, p), future in zip(chunk, _predict_bodies(model, arrays), strict=True):
            if not np.isfinite(future).all():
                raise not_finite(f"window {w}", "the predicted positions are")
            futures[w][:, p] = future
    model.train(was_training)
    return [in_layout(future, *window, layout, own) for future, window in zip(futures, windows, strict=True)]


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
