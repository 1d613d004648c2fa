"""Metrics against loops and cases that can be worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import LAYOUT
from hitrs.skeleton.kinematics import axis_rotations, rotations_of_expmaps
from hitrs.tasks.prediction.metrics import angle_errors, bone_angles, by_action, euler_angles
from hitrs.tasks.prediction.poses import bone_drift, bone_lengths, joint_errors, keep_bone_lengths

RNG = np.random.default_rng(0)


def poses(frames: int = 5, persons: int = 2) -> tuple[np.ndarray, np.ndarray]:
    shape = (frames, persons, LAYOUT.n_joints)
    return RNG.normal(size=(*shape, 3)), RNG.random(shape) < 0.8


def test_joint_errors_against_a_loop() -> None:
    (predicted, valid), (truth, _) = poses(), poses()
    valid[3] = False
    errors = joint_errors(predicted, truth, valid)
    for h in range(5):
        distances = [
            math.dist(predicted[h, p, j], truth[h, p, j])
            for p in range(2)
            for j in range(LAYOUT.n_joints)
            if valid[h, p, j]
        ]
        assert errors[h] == pytest.approx(np.mean(distances)) if distances else math.isnan(errors[h])


def test_bone_angles_of_turned_poses() -> None:
    truth, _ = poses()
    turned = truth @ axis_rotations("y", np.radians(30)).T
    valid = np.ones(truth.shape[:-1], bool)
    flat = truth * [1, 0, 1]
    assert bone_angles(flat @ axis_rotations("y", np.radians(30)).T, flat, valid, LAYOUT) == pytest.approx(
        np.full(5, 30.0)
    )
    assert (bone_angles(turned, truth, valid, LAYOUT) <= 30 + 1e-6).all()
    assert (bone_angles(truth, truth, valid, LAYOUT) < 1e-5).all()


@given(st.tuples(*[st.floats(-1.5, 1.5)] * 3))
def test_euler_angles_give_the_rotation_back(angles: tuple[float, float, float]) -> None:
    x, y, z = (axis_rotations(axis, np.array(-angle)) for axis, angle in zip("xyz", angles, strict=True))
    matrix = x @ y @ z  # the transpose of Rz Ry Rx
    assert euler_angles(matrix) == pytest.approx(np.array(angles), abs=1e-6)


def test_angle_errors_leave_out_root_and_what_stands_still() -> None:
    maps = RNG.normal(size=(10, 4, 3)) * 0.3
    maps[:, 2] = 0.1  # never moves
    changed = maps.copy()
    changed[:, 0] += 1.0
    changed[:, 2] += 1.0
    local = [rotations_of_expmaps(each) for each in (maps, changed)]
    assert angle_errors(local[1], local[0]) == pytest.approx(np.zeros(10), abs=1e-9)
    changed[:, 1] += 0.2
    off = rotations_of_expmaps(changed)
    errors = angle_errors(off, local[0])
    by_hand = np.linalg.norm(euler_angles(off[:, 1]) - euler_angles(local[0][:, 1]), axis=-1)
    assert errors == pytest.approx(by_hand)


def test_actions_weigh_the_same_however_many_windows_they_have() -> None:
    errors = [np.array([1.0, 2.0]), np.array([3.0, np.nan]), np.array([10.0, 20.0])]
    means, mean = by_action(errors, ["a", "a", "b"])
    assert means["a"] == pytest.approx([2.0, 2.0])
    assert mean == pytest.approx([6.0, 11.0])


def test_bones_keep_their_lengths() -> None:
    (last, _), (predicted, _) = poses(1, 2), poses(4, 2)
    valid = np.ones((2, LAYOUT.n_joints), bool)
    assert (bone_drift(predicted, last[0], valid, LAYOUT) > 0.1).all()
    kept = keep_bone_lengths(predicted, last[0], valid, LAYOUT)
    assert bone_drift(kept, last[0], valid, LAYOUT) == pytest.approx(np.zeros(4), abs=1e-9)
    assert bone_angles(kept, predicted, np.ones((4, 2, LAYOUT.n_joints), bool), LAYOUT).max() < 1e-5
    np.testing.assert_allclose(keep_bone_lengths(last, last[0], valid, LAYOUT), last)
    assert bone_lengths(last, LAYOUT).shape == (1, 2, LAYOUT.n_joints - 1)


def test_angle_error_of_zero_velocity_against_a_loop() -> None:
    maps = 0.3 * np.sin(np.arange(35)[:, None] / 9 + np.arange(96)).reshape(35, 32, 3)
    rotations = rotations_of_expmaps(maps)
    still, truth = np.repeat(rotations[9:10], 25, axis=0), rotations[10:]
    errors = angle_errors(still, truth)
    for h in range(25):
        total = 0.0
        for joint in range(1, 32):
            off = euler_angles(still[h, joint]) - euler_angles(truth[h, joint])
            total += float((off**2).sum())
        assert abs(errors[h] - total**0.5) < 1e-9
