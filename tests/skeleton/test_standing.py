"""The pose in which layouts are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from hitrs.skeleton import Layout, get_layout, list_layouts
from hitrs.skeleton.standing import standing_pose


@pytest.mark.parametrize("name", list_layouts())
def test_every_joint_of_a_named_layout_has_its_place(name: str) -> None:
    layout = get_layout(name)
    pose = standing_pose(layout)
    if layout.pairs:  # symmetric, the midline in the middle; a hand has no other side
        np.testing.assert_allclose(pose[layout.mirror], pose * (-1, 1))
    apart = np.linalg.norm(pose[:, None] - pose, axis=-1) + np.eye(layout.n_joints)
    for joint, other in np.argwhere(apart < 0.02):  # only joints that always coincide stand in one place
        assert layout.joints[joint].rstrip("_23") == layout.joints[other].rstrip("_23")


def test_a_body_stands_with_its_head_up_and_its_left_on_the_left() -> None:
    layout = get_layout("smpl24")
    pose = dict(zip(layout.joints, standing_pose(layout), strict=True))
    for lower, upper in (("foot", "ankle"), ("ankle", "knee"), ("knee", "hip"), ("hip", "shoulder")):
        assert pose[f"left_{lower}"][1] < pose[f"left_{upper}"][1]
    assert pose["head"][1] > pose["neck"][1] > pose["pelvis"][1]
    assert pose["left_hand"][0] > 0 > pose["right_hand"][0]


def test_joints_of_unknown_names_continue_the_bone_above() -> None:
    own = Layout(
        "own", ("Hips", "Spine", "tail", "tail_tip", "horn", "other_horn"), (0, 0, 0, 2, 1, 1), (), 0
    )
    pose = standing_pose(own)
    known = get_layout("ntu25")
    np.testing.assert_array_equal(pose[0], standing_pose(known)[known.index("pelvis")])
    assert len(np.unique(pose.round(6), axis=0)) == own.n_joints
    np.testing.assert_allclose(pose[3] - pose[2], pose[2] - pose[0])
