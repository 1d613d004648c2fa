"""Names of joints: what is anatomical stays, what others call them is understood."""

from __future__ import annotations

import pytest

from hitrs.skeleton import get_layout, list_layouts
from hitrs.skeleton.names import anatomical_names


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
