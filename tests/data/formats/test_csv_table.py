"""Tables as scripts around MediaPipe and others write them (the plain form: test_formats)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hitrs.data.formats import read_csv
from hitrs.errors import DataError
from hitrs.skeleton import Layout, get_layout

POSE = get_layout("mediapipe33")


def points(frames: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(frames, 33, 3)).round(5)


def write(path: Path, header: list[str], rows: list[list[object]], between: str = ",") -> Path:
    path.write_text("\n".join(between.join(map(str, row)) for row in [header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("between", [",", ";", "\t"])
@pytest.mark.parametrize(
    "names",
    [
        [f"{joint}_{axis}" for joint in POSE.joints for axis in "xyz"],
        [f"{joint.upper()}_{axis.upper()}" for joint in POSE.joints for axis in "xyz"],
        [f"{axis}{n}" for n in range(33) for axis in "xyz"],
        [f"{axis}_{n + 1}" for n in range(33) for axis in "xyz"],
        [f"landmark_{n:02}_{axis}" for n in range(33) for axis in "xyz"],
    ],
)
def test_one_row_a_frame(tmp_path: Path, names: list[str], between: str) -> None:
    xyz = points()
    found = read_csv(write(tmp_path / "a.csv", names, xyz.reshape(4, -1).tolist(), between))
    assert found.layout == POSE
    np.testing.assert_allclose(found.positions[:, 0], xyz, rtol=1e-6)
    assert found.valid.all()


@pytest.mark.parametrize("number", [False, True])
def test_one_row_a_joint(tmp_path: Path, number: bool) -> None:
    xyz = points()
    rows: list[list[object]] = [
        [frame + 5, n if number else joint, *xyz[frame, n], 0.2 if n == 7 else 0.9]
        for frame in (1, 0, 3)
        for n, joint in enumerate(POSE.joints)
    ]
    path = write(tmp_path / "a.csv", ["frame", "landmark", "x", "y", "z", "visibility"], rows)
    found = read_csv(path)
    assert found.valid[:, 0].any(-1).tolist() == [True, True, False, True]
    assert not found.valid[:, 0, 7].any()
    np.testing.assert_allclose(found.positions[3, 0, 8], xyz[3, 8], rtol=1e-6)
    assert "3 joints count as not seen" in found.notes[0]
    with pytest.raises(DataError, match=r"line 101: frame 6 occurs twice"):
        read_csv(write(path, ["frame", "landmark", "x", "y", "z", "visibility"], [*rows, rows[0]]))


def test_visibility(tmp_path: Path) -> None:
    header = [f"{what}{n}" for n in range(33) for what in ("x", "y", "z", "v")]
    values = np.concatenate([points(), np.ones((4, 33, 1))], axis=-1)
    values[2, 3, 3], values[1, 0, 3] = 0.4, 0.6
    found = read_csv(write(tmp_path / "a.csv", header, values.reshape(4, -1).tolist()))
    assert np.argwhere(~found.valid).tolist() == [[2, 0, 3]]


@pytest.mark.parametrize(
    ("name", "times", "fps", "note"),
    [
        ("time", [0, 0.04, 0.08, 0.12], 25, "by the time stamps"),
        ("timestamp", [1000, 1033, 1067, 1100], 30.303, "by the time stamps"),
        ("timestamp_ms", [0, 20, 80, 100], None, "irregular, 0.02 to 0.06 s"),
        ("time", [3, 2, 1, 0], None, "do not rise"),
    ],
)
def test_time_stamps(tmp_path: Path, name: str, times: list[float], fps: float | None, note: str) -> None:
    header = [name, *(f"{axis}{n}" for n in range(33) for axis in "xyz")]
    rows = [[time, *row] for time, row in zip(times, points().reshape(4, -1).tolist(), strict=True)]
    found = read_csv(write(tmp_path / "a.csv", header, rows))
    assert found.fps == fps
    assert note in found.notes[0]


def test_numbers_of_no_layout(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["x0", "y0", "z0", "x1", "y1", "z1"], [[1, 2, 3, 4, 5, 6]])
    with pytest.raises(DataError, match="numbers its 2 joints"):
        read_csv(path)
    path = write(tmp_path / "a.csv", ["landmark", "x", "y", "z"], [["nose", 2, 3, 4]])
    with pytest.raises(DataError, match="needs the column 'frame'"):
        read_csv(path, POSE)


def test_columns_by_other_names_for_the_same_joints(tmp_path: Path) -> None:
    layout = get_layout("kinect20")
    names = {"pelvis": "HipCenter", "spine": "Spine", "spine_shoulder": "ShoulderCenter", "head": "Head"}
    for joint in layout.joints:
        side, _, part = joint.partition("_")
        names.setdefault(joint, f"{part.capitalize()}{side.capitalize()}")  # ShoulderLeft
    header = [f"{names[joint]}_{axis}" for joint in layout.joints[::-1] for axis in "XYZ"]
    values = np.arange(120).reshape(2, 20, 3)
    file = write(tmp_path / "kinect.csv", header, values[:, ::-1].reshape(2, -1).tolist())
    for given in (None, layout):
        found = read_csv(file, given)
        assert found.layout == layout
        np.testing.assert_array_equal(found.positions[:, 0], values)


def test_rows_of_joints_by_other_names(tmp_path: Path) -> None:
    layout = Layout("arm", ("left_shoulder", "left_elbow", "left_wrist"), (0, 0, 1), (), 0)
    joints = ("LShoulder", "LElbow", "LWrist")
    rows = [[frame, joint, frame, n, 0] for frame in range(3) for n, joint in enumerate(joints)]
    found = read_csv(write(tmp_path / "arm.csv", ["frame", "joint", "x", "y", "z"], rows), layout)
    np.testing.assert_array_equal(found.positions[1, 0], [[1, 0, 0], [1, 1, 0], [1, 2, 0]])


def test_a_name_that_means_nothing_is_still_refused(tmp_path: Path) -> None:
    layout = Layout("arm", ("left_shoulder", "left_elbow"), (0, 0), (), 0)
    header = [f"{joint}_{axis}" for joint in ("LShoulder", "LElbo") for axis in "xyz"]
    with pytest.raises(DataError, match=r"(lelbo|LElbo)_x"):
        read_csv(write(tmp_path / "arm.csv", header, [range(6)]), layout)
