"""Layouts: the named ones, own ones from a file, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from hitrs.errors import LayoutError
from hitrs.skeleton import Layout, get_layout, list_layouts

SMALL = {"name": "small", "center": "pelvis", "joints": [["pelvis", "pelvis"], ["left_hand", "pelvis"]]}


def test_the_named_layouts() -> None:
    shapes = {name: (get_layout(name).n_joints, get_layout(name).dims) for name in list_layouts()}
    assert shapes.pop("ntu25") == (25, 3)
    assert shapes.pop("kinect20") == shapes.pop("utd20") == (20, 3)
    assert (shapes["penn13"], shapes["coco17"]) == ((13, 2), (17, 2))
    flat = {name: shapes[name] for name in ("openpose18", "openpose25", "halpe26")}
    assert flat == {"openpose18": (18, 2), "openpose25": (25, 2), "halpe26": (26, 2)}
    solid = {name: shapes[name][0] for name in ("mediapipe33", "hand21", "h36m17", "smpl22", "smpl24")}
    assert shapes["mediapipe33_2d"] == (33, 2)
    assert get_layout("mediapipe33_2d").joints == get_layout("mediapipe33").joints
    assert solid == {"mediapipe33": 33, "hand21": 21, "h36m17": 17, "smpl22": 22, "smpl24": 24}
    assert shapes["plugin_gait39"] == (39, 3)
    assert (shapes["cmu31"], shapes["cmu38"], shapes["h36m32"]) == ((31, 3), (38, 3), (32, 3))


@pytest.mark.parametrize("name", list_layouts())
def test_a_named_layout_is_a_whole_body(name: str) -> None:
    layout = get_layout(name)
    sides = [joint for joint in layout.joints if "left" in joint or "right" in joint]
    assert len(layout.pairs) * 2 == len(sides)
    for left, right in layout.pairs:
        assert layout.joints[left].replace("left", "right") == layout.joints[right]
    # The tree is symmetric: mirroring a bone gives a bone.
    mirror = layout.mirror
    assert {(mirror[child], mirror[parent]) for child, parent in layout.bones()} == set(layout.bones())
    assert len(layout.bones()) == layout.n_joints - 1
    assert sorted(mirror[list(layout.center)]) == sorted(layout.center)
    np.testing.assert_array_equal(mirror[mirror], np.arange(layout.n_joints))


def test_ntu_bones_are_those_of_the_method() -> None:
    pairs = (
        "1-2 2-21 3-21 4-3 5-21 6-5 7-6 8-7 9-21 10-9 11-10 12-11 13-1 14-13 15-14 16-15 17-1 18-17 19-18 "
        "20-19 22-23 23-8 24-25 25-12"
    )
    expected = {tuple(int(joint) - 1 for joint in pair.split("-")) for pair in pairs.split()}
    layout = get_layout("ntu25")
    assert set(layout.bones()) == expected
    assert layout.root == 20


def test_file_orders_of_the_kinect_layouts() -> None:
    kinect, utd = get_layout("kinect20"), get_layout("utd20")
    assert kinect.joints[:4] == ("pelvis", "spine", "spine_shoulder", "head")
    assert utd.joints[:4] == ("head", "spine_shoulder", "spine", "pelvis")
    assert kinect.joints[4:] == utd.joints[4:]
    assert kinect.joints[kinect.root] == utd.joints[utd.root] == "pelvis"


@pytest.mark.parametrize("name", list_layouts())
def test_dict_round_trip(name: str) -> None:
    layout = get_layout(name)
    # Through a YAML file whose writer sorts keys: the order of the joints must survive that.
    assert Layout.from_dict(yaml.safe_load(yaml.safe_dump(layout.to_dict()))) == layout


def test_own_layout_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    joints = [["hip", "hip"], ["left_toe", "hip"], ["right_toe", "hip"]]
    file.write_text(yaml.safe_dump({"name": "mine", "dims": 2, "center": "hip", "joints": joints}))
    layout = get_layout(file)
    assert layout == Layout("mine", ("hip", "left_toe", "right_toe"), (0, 0, 0), ((1, 2),), 0, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": []}, "no joint|center|does not list"),
        ({"joints": [["pelvis", "pelvis"], ["pelvis", "pelvis"]]}, "more than once"),
        ({"joints": [["pelvis", "pelvis"], ["hand", "pelvi"]]}, "did you mean 'pelvis'"),
        ({"joints": [["pelvis", "pelvis"], ["hand", "hand"]]}, "exactly one root"),
        ({"joints": [["pelvis", "pelvis"], ["a", "b"], ["b", "a"]]}, "never reaches the root"),
        ({"joints": ["pelvis", "hand"]}, r"list of \[joint, parent\]"),
        ({"center": "hips"}, "'hips'"),
        ({"dims": 4}, "dims must be 2 or 3"),
        ({"dims": [3]}, "dims must be 2 or 3, not a list"),
        ({"name": ["a"]}, "a list stands where a name should"),
        ({"joints": [[str(n), "0"] for n in range(1001)]}, "more than 1000"),
        ({"pairs": [["pelvis", "pelvis"]]}, "one left/right pair"),
        ({"centr": "pelvis"}, "did you mean 'center'"),
    ],
)
def test_malformed_layouts(change: dict[str, object], message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        Layout.from_dict({**SMALL, **change})


def test_missing_key() -> None:
    with pytest.raises(LayoutError, match="no key 'joints'"):
        Layout.from_dict({"name": "x", "center": "y"})


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="did you mean 'kinect20'"):
        get_layout("kinect-20")
    with pytest.raises(LayoutError, match=r"nowhere\.yaml"):
        get_layout(tmp_path / "nowhere.yaml")
    (tmp_path / "broken.yaml").write_text("joints: [")
    with pytest.raises(LayoutError, match=r"broken\.yaml is not valid YAML"):
        get_layout(tmp_path / "broken.yaml")
    with pytest.raises(LayoutError, match="no joint 'heed'; did you mean 'head'"):
        get_layout("ntu25").index("heed")


def test_a_center_between_joints() -> None:
    layout = get_layout("mediapipe33")
    assert [layout.joints[joint] for joint in layout.center] == ["left_hip", "right_hip"]
    assert layout.to_dict()["center"] == ["left_hip", "right_hip"]
    assert Layout.from_dict(layout.to_dict()) == layout
    assert get_layout("ntu25").to_dict()["center"] == "pelvis"
