"""Predictions of bodies: in which coordinates and joints they come back; and the baselines."""

import numpy as np
import pytest
import torch

from factories import LAYOUT, sequences
from hitrs.errors import DataError, LayoutError
from hitrs.skeleton import Layout, get_layout
from hitrs.tasks.prediction.poses import constant_velocity, zero_velocity
from hitrs.tasks.prediction.predict import predict
from hitrs.transforms.config import PreprocessingConfig
from predictors import predictor


def observed(count: int, frames: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Windows of one body each: positions (T, count, J, C), valid."""
    positions, valid, _ = sequences([frames] * count)
    return positions.numpy().swapaxes(0, 1), valid.numpy().swapaxes(0, 1)


def test_predictions_turn_and_move_with_the_recording() -> None:
    settings = PreprocessingConfig(center="first", align="yaw")
    model = predictor(preprocessing=settings)
    positions, valid = observed(1)
    turn = np.array([[0.6, 0, 0.8], [0, 1, 0], [-0.8, 0, 0.6]], np.float32)
    first, known = predict(model, [(positions, valid)], LAYOUT)[0]
    moved = positions @ turn + np.float32(2)
    second, _ = predict(model, [(moved, valid)], LAYOUT)[0]
    assert known.all()
    np.testing.assert_allclose(second, first @ turn + 2, atol=1e-4)


def test_joints_that_the_model_does_not_know() -> None:
    """One that coincides with a known joint goes with it, one that stands still stays, others are unknown."""
    names = (*LAYOUT.joints, "left_wrist", "tail", "kite")
    wider = Layout("wider", names, (0, 0, 0, 0, 2, 3, 4, 0, 0), LAYOUT.pairs, (0,))
    positions, valid = observed(1)
    extra = np.stack([positions[..., 4, :], np.ones_like(positions[..., 0, :]), positions[..., 1, :] + 1], -2)
    positions = np.concatenate([positions, extra], axis=2)
    valid = np.ones(positions.shape[:3], bool)
    model = predictor()
    future, known = predict(model, [(positions, valid)], wider)[0]
    narrow, _ = predict(model, [(positions[:, :, :6], valid[:, :, :6])], LAYOUT)[0]
    assert known[0, 0].tolist() == [True] * 8 + [False]
    np.testing.assert_allclose(future[:, :, :6], narrow, atol=1e-5)
    np.testing.assert_array_equal(future[:, :, 6], future[:, :, 4])
    assert (future[:, :, 7] == 1).all()
    with pytest.raises(LayoutError, match="no joint name in common"):
        predict(model, [(positions[:, :, :2], valid[:, :, :2])], Layout("odd", ("a", "b"), (0, 0), (), (0,)))


def test_absent_bodies_are_left_out() -> None:
    positions, valid = observed(2)
    valid = valid.copy()
    valid[:, 1] = False
    future, known = predict(predictor(), [(positions, valid)], LAYOUT)[0]
    assert known[:, 0].all()
    assert not known[:, 1].any()
    assert (future[:, 1] == 0).all()


def test_layouts_of_moving_joints_are_those_of_the_protocols() -> None:
    left_out = {
        "cmu25": ("cmu38", (0, 1, 2, 7, 8, 13, 16, 20, 24, 27, 29, 33, 36)),
        "h36m22": ("h36m32", (0, 1, 6, 11, 16, 20, 23, 24, 28, 31)),
    }
    for name, (whole, unscored) in left_out.items():
        joints = get_layout(whole).joints
        assert get_layout(name).joints == tuple(j for i, j in enumerate(joints) if i not in unscored)


def test_a_prediction_that_is_not_finite_is_none() -> None:
    model = predictor()
    torch.nn.init.constant_(model.decoder.out.weight, 3e38)
    with pytest.raises(DataError, match="the predicted positions are not finite"):
        predict(model, [observed(1)], LAYOUT)


def test_baselines() -> None:
    time = np.arange(6.0)[:, None, None, None]
    moving = np.concatenate([np.full((6, 1, 1, 3), 2.0), 3 * time + np.zeros((1, 1, 1, 3))], axis=2)
    valid = np.ones((6, 1, 2), bool)
    still, _ = zero_velocity(moving, valid, 2)
    assert still[:, 0, :, 0].tolist() == [[2, 15], [2, 15]]
    going, known = constant_velocity(moving, valid, 2)
    assert going[:, 0, :, 0].tolist() == [[2, 18], [2, 21]]
    assert known.all()
    assert (constant_velocity(moving[:1], valid[:1], 3)[0] == moving[0]).all()
    back, _ = zero_velocity(moving[::-1], valid[::-1], 2)
    assert back[:, 0, :, 0].tolist() == [[2, 0], [2, 0]]
