"""Names of joints: what is anatomical stays, what others call them is understood."""

from __future__ import annotations

import numpy as np
import pytest

from hitrs.skeleton import Layout, get_layout, list_layouts
from hitrs.skeleton.mapping import joint_map
from hitrs.skeleton.names import anatomical_names, find_joints


@pytest.mark.parametrize("name", list_layouts())
def test_names_of_the_layouts_mean_themselves(name: str) -> None:
    joints = get_layout(name).joints
    for joint, found in zip(joints, anatomical_names(joints), strict=True):
        assert found in (None, joint)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("HipCenter", "ShoulderLeft", "HandTipRight"), ("pelvis", "left_shoulder", "right_hand_tip")),
        (("L_Hip", "R_Knee", "l_ankle"), ("left_hip", "right_knee", "left_ankle")),
        (("LeftShoulder", "LeftArm"), ("left_collar", "left_shoulder")),
        (("LeftShoulder", "LeftElbow"), ("left_shoulder", "left_elbow")),
        (("hand_L", "thigh.R", "forearm.R"), ("left_wrist", "right_hip", "right_elbow")),
        (("Hips", "pelvis", "tail"), ("pelvis", None, None)),
        (
            ("RShoulder", "LHip", "LBigToe", "RSmallToe", "LHeel", "CHip"),
            ("right_shoulder", "left_hip", "left_big_toe", "right_small_toe", "left_heel", "pelvis"),
        ),
        (
            ("r_shoulder_study", "L_knee_study", "RHJC_study", "midHip"),
            ("right_shoulder", "left_knee", None, "pelvis"),
        ),
        (("R.Acromium", "L.ASIS", "Top.Head"), ("right_shoulder", "left_pelvis_front", "head_top")),
        (
            ("lhip", "rhip", "rear"),
            ("left_hip", "right_hip", None),
        ),  # the rear of an animal has no other side
        (("anna_LKNE", "anna:RASI", "LKNE", "lkne"), ("left_knee", "right_pelvis_front", None, None)),
    ],
)
def test_names_of_others(names: tuple[str, ...], expected: tuple[str | None, ...]) -> None:
    assert anatomical_names(names) == expected


def test_markers_of_plugin_gait_in_their_order() -> None:
    markers = (
        "LFHD RFHD LBHD RBHD C7 T10 CLAV STRN RBAK LSHO LUPA LELB LFRM LWRA LWRB LFIN RSHO RUPA RELB RFRM "
        "RWRA RWRB RFIN LASI RASI LPSI RPSI LTHI LKNE LTIB LANK LHEE LTOE RTHI RKNE RTIB RANK RHEE RTOE"
    )
    assert anatomical_names(markers.split()) == get_layout("plugin_gait39").joints


def test_joints_are_found_as_they_are_and_by_what_they_mean() -> None:
    assert find_joints(("pelvis", "left_knee", "tail"), ("LKnee", "CHip")) == [1, 0, None]
    rig = ("LeftShoulder", "LeftArm", "LeftForeArm")
    assert find_joints(("LeftShoulder", "left_shoulder"), rig) == [0, 1]


def test_openpose_in_three_dimensions_fills_most_of_a_kinect_skeleton() -> None:
    names = (
        "CHip RHip RKnee RAnkle RBigToe RSmallToe RHeel LHip LKnee LAnkle LBigToe LSmallToe LHeel Neck Head "
        "Nose RShoulder RElbow RWrist LShoulder LElbow LWrist"
    )
    pose2sim = Layout("pose2sim", tuple(names.split()), (0,) * 22, (), (0,))
    masked = joint_map(pose2sim, get_layout("kinect20")).masked
    assert [get_layout("kinect20").joints[j] for j in np.flatnonzero(masked)] == [
        "left_hand", "right_hand", "left_foot", "right_foot",
    ]  # fmt: skip
