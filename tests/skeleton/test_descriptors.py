"""Numbers that say what a joint is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hitrs.skeleton import Layout, get_layout, list_layouts
from hitrs.skeleton.descriptors import joint_descriptors


@pytest.mark.parametrize("name", list_layouts())
def test_joints_of_every_layout_have_finite_descriptors_that_differ_by_place(name: str) -> None:
    layout = get_layout(name)
    numbers = joint_descriptors(layout)
    assert numbers.shape == (layout.n_joints, 23)
    assert np.isfinite(numbers).all()
    plain = [n for n, joint in enumerate(layout.joints) if joint[-2:] not in ("_2", "_3", "_4")]
    distance = np.linalg.norm(numbers[plain, None] - numbers[None, plain], axis=-1) + np.eye(len(plain))
    assert distance.min() > 0.4  # joints that stand at one place have several names (left_wrist_2)


def test_the_same_joint_has_the_same_numbers_in_two_layouts() -> None:
    kinect, ntu = get_layout("kinect20"), get_layout("ntu25")
    one, other = joint_descriptors(kinect), joint_descriptors(ntu)
    for joint in ("left_elbow", "right_knee", "head"):
        ours, theirs = one[kinect.index(joint)], other[ntu.index(joint)]
        np.testing.assert_allclose(np.delete(ours, 19), np.delete(theirs, 19), atol=1e-6)
        assert ours[19] == pytest.approx(theirs[19], abs=0.1)  # the chain may be longer there


def test_sides_mirror_each_other_and_limbs_are_told_apart() -> None:
    layout = get_layout("kinect20")
    numbers = dict(zip(layout.joints, joint_descriptors(layout), strict=True))
    left, right = numbers["left_hand"], numbers["right_hand"]
    np.testing.assert_array_equal(left[[0, 1, 18]], right[[0, 1, 18]] * [-1, 1, -1])
    assert left[18] == 1
    assert numbers["left_hand"][20:].tolist() == [0, 1, 0]
    assert numbers["left_foot"][20:].tolist() == [0, 0, 1]
    assert numbers["pelvis"][19:].tolist() == [0, 1, 1, 1]


def test_order_and_unknown_names_do_not_matter() -> None:
    layout = get_layout("kinect20")
    turned = Layout(
        "turned",
        layout.joints[::-1],
        tuple(19 - layout.parents[19 - n] for n in range(20)),
        tuple((19 - a, 19 - b) for a, b in layout.pairs),
        tuple(19 - joint for joint in layout.center),
    )
    np.testing.assert_array_equal(joint_descriptors(turned), joint_descriptors(layout)[::-1])
    odd = dataclasses.replace(layout, joints=tuple(f"joint_{n:02}x" for n in range(20)))
    assert np.isfinite(joint_descriptors(odd)).all()
