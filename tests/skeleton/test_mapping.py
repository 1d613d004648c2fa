"""Mapping by joint name: what is there arrives unchanged, what is not there is not valid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.errors import LayoutError
from hitrs.skeleton import Layout, get_layout, joint_map, list_layouts, map_positions
from hitrs.skeleton.mapping import VIRTUAL, describe_mapping, layout_of_joints

SOLID = [name for name in list_layouts() if get_layout(name).dims == 3 and name != "hand21"]


def _body(layout: Layout, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    valid = rng.random((4, 2, layout.n_joints)) < 0.8
    positions = rng.normal(size=(4, 2, layout.n_joints, layout.dims)).astype(np.float32)
    return positions * valid[..., None], valid


@given(st.sampled_from(SOLID), st.sampled_from(SOLID), st.integers(0, 1000))
def test_joints_keep_their_name(source_name: str, target_name: str, seed: int) -> None:
    source, target = get_layout(source_name), get_layout(target_name)
    positions, valid = _body(source, seed)
    mapped, seen = map_positions(positions, valid, source, target)
    assert mapped.shape == (4, 2, target.n_joints, 3)
    for number, joint in enumerate(target.joints):
        if joint in source.joints:
            old = source.joints.index(joint)
            np.testing.assert_array_equal(mapped[:, :, number], positions[:, :, old])
            np.testing.assert_array_equal(seen[:, :, number], valid[:, :, old])
        elif joint not in VIRTUAL:
            assert not seen[:, :, number].any()
            assert not mapped[:, :, number].any()


def test_kinect_orders_are_permutations_of_each_other() -> None:
    kinect, utd = get_layout("kinect20"), get_layout("utd20")
    positions, valid = _body(kinect, 0)
    there = map_positions(positions, valid, kinect, utd)
    back = map_positions(*there, utd, kinect)
    assert (joint_map(kinect, utd).plain >= 0).all()
    np.testing.assert_array_equal(back[0], positions)
    np.testing.assert_array_equal(back[1], valid)


def test_ntu_has_all_kinect_joints_but_not_the_other_way() -> None:
    ntu, kinect = get_layout("ntu25"), get_layout("kinect20")
    assert (joint_map(ntu, kinect).plain >= 0).all()
    missing = [ntu.joints[j] for j in np.flatnonzero(joint_map(kinect, ntu).masked)]
    assert missing == ["neck", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb"]


def test_the_source_is_left_alone() -> None:
    kinect, utd = get_layout("kinect20"), get_layout("utd20")
    positions, valid = _body(kinect, 0)
    mapped, seen = map_positions(positions, valid, kinect, utd)
    mapped[:], seen[:] = 9, False
    assert valid.any()
    assert not (positions == 9).any()


def test_what_cannot_be_mapped() -> None:
    kinect, penn = get_layout("kinect20"), get_layout("penn13")
    positions, valid = _body(kinect, 0)
    with pytest.raises(LayoutError, match="3-D and 'penn13' is 2-D"):
        map_positions(positions, valid, kinect, penn)
    stick = Layout("stick", ("top", "bottom"), (0, 0), (), 0)
    with pytest.raises(LayoutError, match="no joint name in common"):
        joint_map(kinect, stick)
    with pytest.raises(LayoutError, match="20 joints x 3"):
        map_positions(positions[..., :2], valid, kinect, kinect)
    with pytest.raises(LayoutError, match="valid has shape"):
        map_positions(positions, valid[0], kinect, kinect)


def test_computed_joints_are_the_middle_of_what_defines_them() -> None:
    mediapipe, ntu = get_layout("mediapipe33"), get_layout("ntu25")
    positions, valid = _body(mediapipe, 0)
    mapped, seen = map_positions(positions, valid, mediapipe, ntu)

    def middle(*joints: str) -> tuple[np.ndarray, np.ndarray]:
        places = [mediapipe.index(joint) for joint in joints]
        return positions[:, :, places].mean(2), valid[:, :, places].all(-1)

    hips, shoulders = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
    expected = {"pelvis": hips, "spine_shoulder": shoulders, "spine": hips + shoulders}
    for joint, parts in (expected | {"head": ("left_ear", "right_ear"), "neck": shoulders}).items():
        value, known = middle(*parts)
        place = ntu.index(joint)
        np.testing.assert_array_equal(seen[:, :, place], known)
        np.testing.assert_allclose(mapped[:, :, place], value * known[..., None], atol=1e-6)
    words = dict(describe_mapping(mediapipe, ntu))
    assert words["pelvis"] == "middle of left_hip, right_hip"
    assert (words["left_knee"], words["left_hand"]) == ("left_knee", "masked")


def test_joints_between_markers() -> None:
    markers = (
        "LFHD",
        "RFHD",
        "LBHD",
        "RBHD",
        "LSHO",
        "RSHO",
        "LASI",
        "RASI",
        "LPSI",
        "RPSI",
        "LWRA",
        "LWRB",
        "LKNE",
    )
    source, target = Layout("take", markers, (0,) * len(markers), (), 0), get_layout("kinect20")
    positions, valid = _body(source, 1)
    mapped, seen = map_positions(positions, valid, source, target)

    def middle(*names: str) -> tuple[np.ndarray, np.ndarray]:
        places = [markers.index(name) for name in names]
        return positions[:, :, places].mean(2), valid[:, :, places].all(-1)

    pelvis, pelvis_seen = middle("LASI", "RASI", "LPSI", "RPSI")
    shoulders, shoulders_seen = middle("LSHO", "RSHO")
    expected = {
        "pelvis": (pelvis, pelvis_seen),
        "spine_shoulder": (shoulders, shoulders_seen),
        "spine": ((pelvis + shoulders) / 2, pelvis_seen & shoulders_seen),
        "head": middle("LFHD", "RFHD", "LBHD", "RBHD"),
        "left_wrist": middle("LWRA", "LWRB"),
        "left_knee": middle("LKNE"),
    }
    for joint, (value, known) in expected.items():
        place = target.index(joint)
        np.testing.assert_array_equal(seen[:, :, place], known)
        np.testing.assert_allclose(mapped[:, :, place], value * known[..., None], atol=1e-6)
    words = dict(describe_mapping(source, target))
    assert words["left_wrist"] == "middle of LWRA, LWRB"
    assert words["right_wrist"] == words["left_hip"] == "masked"


def test_the_spine_between_a_real_pelvis_and_computed_shoulders() -> None:
    joints = ("pelvis", "left_shoulder", "right_shoulder")
    source = Layout("y", joints, (0, 0, 0), ((1, 2),), 0)
    target = Layout("t", ("spine", "pelvis"), (1, 1), (), 1)
    positions = np.array([[[0, 0, 0], [1, 1, 0], [-1, 1, 2]]], float)
    mapped, seen = map_positions(positions, np.ones((1, 3), bool), source, target)
    assert seen.all()
    np.testing.assert_allclose(mapped[0, 0], [0, 0.5, 0.5])


def test_a_rig_is_mapped_by_what_its_bones_mean() -> None:
    joints = ("Hips", "mixamorig:LeftUpLeg", "LeftLeg", "LeftFoot", "LeftShoulder", "LeftArm", "LeftForeArm")
    rig = Layout("rig", joints, (0, 0, 1, 2, 0, 4, 5), (), 0)
    words = dict(describe_mapping(rig, get_layout("kinect20")))
    assert words["pelvis"] == "Hips"
    assert words["left_hip"] == "mixamorig:LeftUpLeg"
    assert (words["left_knee"], words["left_ankle"]) == ("LeftLeg", "LeftFoot")
    assert (words["left_shoulder"], words["left_elbow"]) == ("LeftArm", "LeftForeArm")
    assert words["right_hip"] == words["left_hand"] == "masked"


def test_listed_joints_hang_together_as_those_of_another_layout_do() -> None:
    whole = get_layout("ntu25")
    names = ["RightHand", "left_shoulder", "tail", "hips", "left_wrist", "right_shoulder"]
    layout = layout_of_joints(names, whole)
    assert layout.joints == tuple(names)
    parents = {joint: layout.joints[parent] for joint, parent in zip(names, layout.parents, strict=True)}
    assert parents == {
        "hips": "hips",
        "tail": "hips",
        "left_shoulder": "hips",
        "right_shoulder": "hips",
        "left_wrist": "left_shoulder",
        "RightHand": "right_shoulder",
    }
    assert layout.pairs == ((1, 5),)
    assert layout.center == (3,)
    assert layout_of_joints(whole.joints, whole).parents == whole.parents
    assert not joint_map(layout, whole).masked[whole.index("pelvis")]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["tail", "fin"], "none of the joints tail, fin is one of 'ntu25'"),
        (["head", "head"], "names head more than once"),
        (["head", 3], "names of joints must be texts"),
    ],
)
def test_lists_that_are_no_layout(names: list, said: str) -> None:
    with pytest.raises(LayoutError, match=said):
        layout_of_joints(names, get_layout("ntu25"))
