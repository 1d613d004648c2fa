"""Files of pose-format, versions 0.0 to 0.2, and OpenSim's joint angles, which are no positions."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from hitrs.data import import_dataset, read_recording
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

RNG = np.random.default_rng(0)
BODY = ["Nose", *(f"B{n}" for n in range(24))]
HAND = ["WRIST", "TIP"]


def word(text: str) -> bytes:
    return struct.pack("<H", len(text)) + text.encode()


def header(version: float, form: str = "XYC") -> bytes:
    data = struct.pack("<fHHHH", version, 640, 480, 0, 3)
    for name, points in (("body", BODY), ("left", HAND), ("right", HAND)):
        data += word(name) + word(form) + struct.pack("<HHH", len(points), 1, 1)
        data += b"".join(map(word, points)) + struct.pack("<HH", 0, 1) + struct.pack("<HHH", 1, 2, 3)
    return data


def content(version: float, values: np.ndarray) -> bytes:
    """values (T, P, 29, 3): x, y, confidence."""
    frames, persons = values.shape[:2]
    values = values.astype("<f4")
    if version == 0:
        data = struct.pack("<HH", 25, frames)
        for frame in values:
            data += struct.pack("<H", persons)
            data += b"".join(struct.pack("<h", -1) + person.tobytes() for person in frame)
        return data
    head = (
        struct.pack("<HHH", 25, frames, persons)
        if version == 0.1
        else struct.pack("<fIH", 25, frames, persons)
    )
    return head + values[..., :2].tobytes() + values[..., 2].tobytes()


@pytest.mark.parametrize("version", [0.0, 0.1, 0.2])
def test_pose(tmp_path: Path, version: float) -> None:
    values = RNG.uniform(1, 50, (6, 2, 29, 3)) + [[[[0, 0, 0]]], [[[300, 0, 0]]]][0]
    values[:, 1, :, 0] += 300
    values[2, 0, 4, 2] = 0
    path = tmp_path / "a.pose"
    path.write_bytes(header(version) + content(version, values))
    recording = read_recording(path)
    assert recording.positions.shape == (6, 2, 29, 2)
    assert recording.fps == 25
    assert recording.layout.joints[:25] == get_layout("openpose25").joints
    assert recording.layout.joints[25:] == ("left_WRIST", "left_TIP", "right_WRIST", "right_TIP")
    assert np.argwhere(~recording.valid)[:, [0, 2]].tolist() == [[2, 4]]
    first = int(np.argmin(recording.positions[0, :, 0, 0]))
    np.testing.assert_allclose(recording.positions[1, first], values[1, 0, :, :2], rtol=1e-6)


def test_a_file_cut_short(tmp_path: Path) -> None:
    data = header(0.1) + content(0.1, RNG.uniform(1, 50, (6, 1, 29, 3)))
    path = tmp_path / "a.pose"
    for size in (3, 40, 200, len(data) - 4):
        path.write_bytes(data[:size])
        with pytest.raises(DataError, match=r"cut|no known format"):
            read_recording(path)
    path.write_bytes(struct.pack("<f", 0.3) + data[4:])
    with pytest.raises(DataError, match=r"version 0\.3"):
        read_recording(path, format="pose")


def test_real_files() -> None:
    folder = Path(os.environ.get("HITRS_DATA", "nowhere")) / "samples/pose_format/src/python/tests/data"
    if not folder.is_dir():
        pytest.skip("HITRS_DATA has no samples")
    body = read_recording(folder / "openpose.pose")
    assert body.positions.shape == (93, 1, 137, 2)
    hand = read_recording(folder / "mediapipe_hand_normalized.pose")
    assert hand.positions.shape == (170, 1, 21, 2)
    assert hand.fps == 24
    assert "only x and y" in hand.notes[0]


MOT = "Coordinates\nversion=1\ninDegrees=yes\n\nendheader\ntime\tpelvis_tilt\tknee_r\n0\t1\t2\n"


def test_joint_angles_are_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "walk.mot").write_text(MOT)
    with pytest.raises(
        DataError, match=r"pelvis_tilt, knee_r.*in degrees: joint angles, no positions.*\.trc"
    ):
        read_recording(tmp_path / "walk.mot")


def test_joint_angles_beside_markers_stop_no_import(tmp_path: Path) -> None:
    """OpenSim and OpenCap name both alike."""
    from test_trc import TEXT

    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "walk.mot").write_text(MOT)
    (folder / "walk.trc").write_text(TEXT)
    store = import_dataset(folder, tmp_path / "store")
    assert [each.name for each in store] == ["walk"]
    (left_out,) = store.meta["quarantined"]
    assert left_out["source"] == "walk.mot"
    assert "no positions" in left_out["reason"]
