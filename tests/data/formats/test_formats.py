"""Readers: what a good file gives, and what is said about each kind of bad one."""

from __future__ import annotations

import errno
import json
import pickle
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import assert_same, make, recordings
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from hitrs.data import Store, read_recording, write_npz, write_store
from hitrs.data.formats import read_csv, read_npz, read_nw_ucla, read_utd_mhad
from hitrs.errors import DataError, LayoutError
from hitrs.skeleton import Layout, get_layout, list_layouts

KINECT = get_layout("kinect20")
STICK = Layout("stick", ("head", "pelvis"), (1, 1), (), 1)


# npz


@settings(max_examples=25)
@given(st.sampled_from(list_layouts()).flatmap(recordings))
def test_npz_and_store_round_trip(recording: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.npz"
        write_npz(recording, path)  # type: ignore[arg-type]
        back = read_npz(path)
        assert_same(recording, back)  # type: ignore[arg-type]
        labels = {back.label, *(segment.label for segment in back.segments)} - {None}
        store = write_store(
            Path(folder) / "s",
            [back],
            layout=back.layout,
            classes=sorted(map(str, labels)),
            protocols={},
            meta={},
        )
        assert_same(recording, Store.open(store.path)[0])  # type: ignore[arg-type]
        del store


def test_npz_as_people_write_it(tmp_path: Path) -> None:
    joints = np.arange(2 * 20 * 3).reshape(2, 20, 3)  # one person, whole numbers
    np.savez(tmp_path / "walk.npz", joints=joints, layout="kinect20", label=3, subject="anna", fps=30)
    recording = read_npz(tmp_path / "walk.npz")
    assert recording.positions.shape == (2, 1, 20, 3)
    assert recording.valid.all()
    np.testing.assert_array_equal(recording.positions[:, 0], joints)
    facts = (recording.name, recording.label, recording.subject, recording.camera, recording.fps)
    assert facts == ("walk", "3", "anna", None, 30.0)
    assert recording.source == "walk.npz"


def test_nan_in_npz_means_not_seen(tmp_path: Path) -> None:
    positions = np.ones((3, 2, 20, 3))
    positions[1, 0, 4, 2] = np.nan
    valid = np.ones((3, 2, 20), bool)
    valid[2, 1] = False
    np.savez(tmp_path / "a.npz", positions=positions, valid=valid)
    recording = read_npz(tmp_path / "a.npz", KINECT)
    expected = valid.copy()
    expected[1, 0, 4] = False
    np.testing.assert_array_equal(recording.valid, expected)
    np.testing.assert_array_equal(recording.positions, expected[..., None] * np.ones(3))


def test_an_array_is_written_as_a_recording(tmp_path: Path) -> None:
    positions = np.ones((5, 20, 3))
    positions[2, 4] = np.nan
    write_npz(positions, tmp_path / "walk.npz", layout="kinect20", fps=30, label="walk", session="monday")
    recording = read_recording(tmp_path / "walk.npz")
    assert (recording.name, recording.fps, recording.label, recording.session) == (
        "walk",
        30,
        "walk",
        "monday",
    )
    assert np.argwhere(~recording.valid).tolist() == [[2, 0, 4]]
    with pytest.raises(DataError, match="has its own layout and metadata"):
        write_npz(recording, tmp_path / "walk.npz", label="run")
    with pytest.raises(DataError, match="'walk' has 20 joints"):
        write_npz(positions, tmp_path / "walk.npz", layout="ntu25")


def test_a_layout_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", positions=np.ones((5, 20, 3)))
    assert read_recording(tmp_path / "a.npz", "utd20").layout.name == "utd20"
    assert read_npz(tmp_path / "a.npz", "utd20").layout.name == "utd20"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "needs one key 'positions'"),
        ({"positions": np.ones((2, 20, 3)), "joints": np.ones((2, 20, 3))}, "needs one key 'positions'"),
        ({"positions": np.ones((20, 3))}, "expected \\(T, P, J, C\\)"),
        ({"positions": np.ones((2, 20, 3)).astype(str)}, "expected numbers"),
        ({"positions": np.ones((0, 20, 3))}, "is empty"),
        ({"positions": np.ones((2, 19, 3))}, "has 19 joints, but layout 'kinect20' has 20"),
        ({"positions": np.ones((2, 20, 2))}, "is 2-D, but layout 'kinect20' is 3-D"),
        ({"positions": np.full((2, 20, 3), np.inf)}, "frame 0, person 0, joint 'pelvis' .*inf"),
        ({"positions": np.ones((2, 20, 3)), "valid": np.ones((2, 19), bool)}, "valid is bool of shape"),
        ({"positions": np.ones((2, 20, 3)), "valid": np.ones((2, 20))}, "valid is float64"),
        ({"positions": np.ones((2, 20, 3)), "fps": "fast"}, "'fps' is .* expected one number"),
        ({"positions": np.ones((2, 20, 3)), "fps": 0}, "frame rate of 0"),
        ({"positions": np.ones((2, 20, 3)), "label": ["a", "b"]}, "'label' is .* expected one text"),
        ({"positions": np.ones((2, 20, 3)), "labels": "a"}, "unknown key 'labels'"),
        ({"positions": np.ones((2, 20, 3)), "layout": "ntu25"}, "has layout 'ntu25', but 'kinect20'"),
        ({"positions": np.ones((2, 20, 3)), "layout": "{"}, "layout is not valid JSON"),
        ({"positions": np.ones((2, 20, 3)), "layout": "../a.yaml"}, "layout is the path"),
        ({"positions": np.ones((2, 20, 3)), "segments": [[0, 1]]}, "segments need"),
        ({"positions": np.ones((2, 20, 3)), "segments": [[0, 1]], "segment_labels": "a"}, "segments need"),
        (
            {"positions": np.ones((2, 20, 3)), "segments": [[0, 4]], "segment_labels": ["a"]},
            "within its 2 frames",
        ),
        ({"positions": np.array([None])}, "pickled objects"),
        (
            {"positions": np.ones((2, 20, 3)), "label": np.array([0x110000], np.uint32).view("U1")},
            "'label' holds characters that do not exist",
        ),
    ],
)
def test_bad_npz(tmp_path: Path, content: dict[str, object], message: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **content)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message) as caught:
        read_npz(path, KINECT)
    assert str(path) in str(caught.value)


def test_npz_needs_a_layout(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", positions=np.ones((2, 20, 3)))
    with pytest.raises(DataError, match="does not name its layout"):
        read_npz(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", positions=np.ones((2, 20, 3)), layout="kinekt20")
    with pytest.raises(LayoutError, match="did you mean 'kinect20'"):
        read_npz(tmp_path / "a.npz")


def test_npz_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match="there is no file"):
        read_npz(path)
    write_npz(make(frames=50), path)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:1000], whole[: len(whole) // 2], pickle.dumps([1])):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not an npz file that can be read"):
            read_npz(path)
    with path.open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(DataError, match="single array"):
        read_npz(path)


def test_writing_npz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"must end in \.npz"):
        write_npz(make(), tmp_path / "a.npy")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        write_npz(make(), tmp_path / "file" / "a.npz")
    write_npz(make(frames=2), tmp_path / "a.npz")
    write_npz(make(frames=3), tmp_path / "a.npz")
    assert read_npz(tmp_path / "a.npz").n_frames == 3
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.npz", "file"]

    def full(file: object, **content: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(DataError, match=r"the disk is full: could not finish writing .*a\.npz"):
        write_npz(make(), tmp_path / "a.npz")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.npz", "file"]
    assert read_npz(tmp_path / "a.npz").n_frames == 3


# CSV

HEADER = "head_x,head_y,head_z,pelvis_x,pelvis_y,pelvis_z"


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rec.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_csv(tmp_path: Path) -> None:
    # A byte-order mark as spreadsheets write it, another column order, spaces, a blank line, unseen joints.
    text = (
        "\ufeffpelvis_x, head_x,head_y,head_z,pelvis_y,pelvis_z\n4,1,2,3,5,6\n\n,1, ,nan,,\n1e-1,-2,3,4,5,6\n"
    )
    recording = read_csv(csv(tmp_path, text), STICK)
    assert recording.valid[:, 0].tolist() == [[True, True], [False, False], [True, True]]
    assert recording.positions[0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert not recording.positions[1].any()
    np.testing.assert_allclose(recording.positions[2, 0, 1], [0.1, 5, 6])
    assert (recording.name, recording.source, recording.fps) == ("rec", "rec.csv", None)


def test_csv_with_frames_and_persons(tmp_path: Path) -> None:
    rows = ["12,b,1,1,1,1,1,1", "10,a,2,2,2,2,2,2", "12,a,3,3,3,3,3,3"]
    recording = read_csv(csv(tmp_path, "\n".join([f"frame,person,{HEADER}", *rows])), STICK)
    assert recording.valid.all(-1).tolist() == [[False, True], [False, False], [True, True]]  # slots b, a
    assert recording.positions[2, :, 0, 0].tolist() == [1, 3]


@pytest.mark.parametrize("name", list_layouts())
def test_csv_finds_the_layout(tmp_path: Path, name: str) -> None:
    layout = get_layout(name)
    header = ",".join(f"{joint}_{axis}" for joint in layout.joints for axis in "xyz"[: layout.dims])
    row = ",".join(map(str, range(layout.n_joints * layout.dims)))
    found = read_csv(csv(tmp_path, f"{header}\n{row}\n")).layout
    assert set(found.joints) == set(layout.joints)
    assert found.dims == layout.dims
    assert read_csv(tmp_path / "rec.csv", layout).layout == layout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a comma-separated header"),
        ("1,2,3\n4,5,6", "must be a comma-separated header"),
        (HEADER, "is an empty sequence"),
        (f"{HEADER}\n1,2,3,4,5", "line 2: 5 cells, but the header has 6 columns"),
        (f"{HEADER}\n1,2,3,4,5,6\n1,2,3,4,5,six", "line 3: 'pelvis_z' is 'six', expected a number"),
        (HEADER.replace(",", ";") + "\n1;2;3;4;5;6,5", "'6,5', expected a number. Write decimal points"),
        (f"{HEADER}\n1,2,3,4,5,inf", "line 2: 'pelvis_z' is infinite"),
        (f"{HEADER}\n1,2,3,4,5,1e300", "joint 'pelvis' has coordinates"),
        (f"{HEADER},head_x\n1,2,3,4,5,6,7", "column 'head_x' occurs twice"),
        (f"{HEADER},hand_x\n1,2,3,4,5,6,7", "column 'hand_x' fits no joint .* did you mean 'head_x'"),
        ("head_x,head_y,head_z\n1,2,3", "3 columns of layout 'stick' are missing, the first is 'pelvis_x'"),
        (
            "head_x,head_y,pelvis_x,pelvis_y\n1,2,3,4",
            "2 columns of layout 'stick' are missing, the first is 'head_z'",
        ),
        (f"person,{HEADER}\na,1,2,3,4,5,6", "also needs the column 'frame'"),
        (f"frame,{HEADER}\n0.5,1,2,3,4,5,6", "'frame' is 0.5, expected a whole number"),
        (f"frame,{HEADER}\n,1,2,3,4,5,6", "'frame' is nan, expected a whole number"),
        (f"frame,{HEADER}\n1,1,2,3,4,5,6\n1,1,2,3,4,5,6", "line 3: frame 1 occurs twice; several persons"),
        (f"frame,{HEADER}\n0,1,2,3,4,5,6\n33,1,2,3,4,5,6", "'frame' must count frames"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, message: str) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        read_csv(path, STICK)
    assert str(path) in str(caught.value)


def test_csv_of_unknown_joints_or_bytes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no named layout has exactly these 2 joints in 3-D"):
        read_csv(csv(tmp_path, f"{HEADER}\n1,2,3,4,5,6"))
    flat = [f"{joint}_{axis}" for joint in get_layout("coco17").joints for axis in "xyz"]
    with pytest.raises(DataError, match="no named layout has exactly these 17 joints in 3-D"):
        read_csv(csv(tmp_path, ",".join(flat) + "\n" + ",".join("1" * len(flat))))
    typo = [f"{joint}_{axis}".replace("knee_x", "kne_x") for joint in KINECT.joints for axis in "xyz"]
    typo[-1] = "rihgt_foot_z"
    told = "Nearest is kinect20: it does not know left_kne, right_kne, rihgt_foot; did you mean 'left_knee'?"
    file = csv(tmp_path, ",".join(typo) + "\n" + ",".join("1" * len(typo)))
    with pytest.raises(DataError, match=re.escape(told + " Correct the columns, or give the layout")):
        read_csv(file)
    with pytest.raises(DataError, match="Nearest is kinect20"):  # a model's layout does not make it better
        read_csv(file, STICK)
    other = csv(tmp_path, ",".join(t.replace("kne_", "knee_").replace("rihgt", "right") for t in typo))
    other.write_text(other.read_text() + "\n" + ",".join("1" * len(typo)))
    with pytest.raises(DataError, match="its joints are those of layout 'kinect20', not of 'stick'"):
        read_csv(other, STICK)
    with pytest.raises(DataError, match="cannot read"):
        read_csv(tmp_path / "nowhere.csv")
    (tmp_path / "rec.csv").write_bytes(b"\xff\xfe\x00head_x")
    with pytest.raises(DataError, match="not a CSV text file in UTF-8"):
        read_csv(tmp_path / "rec.csv")


# NW-UCLA and UTD-MHAD


def nw_ucla(path: Path, frames: object) -> Path:
    path.write_text(json.dumps({"file_name": path.stem, "skeletons": frames, "label": 1}))
    return path


def body(frames: int = 3) -> list[list[list[float]]]:
    return np.random.default_rng(0).normal(size=(frames, 20, 3)).tolist()


@pytest.mark.parametrize("frames", [1, 3])
def test_nw_ucla(tmp_path: Path, frames: int) -> None:
    skeletons = body(frames)
    skeletons[0][3] = [0, 0, 0]  # the sensor's own place: lost
    skeletons[0][4] = [0, 1, 2]  # straight ahead of the sensor: a place like any other
    recording = read_nw_ucla(nw_ucla(tmp_path / "a.json", skeletons))
    assert recording.layout == KINECT
    np.testing.assert_allclose(recording.positions[:, 0], skeletons, rtol=1e-6)
    assert np.argwhere(~recording.valid).tolist() == [[0, 0, 3]]
    assert recording.fps is None  # not given, so not invented


def changed(change: Callable[[list[list[list[float]]]], object]) -> list[list[list[float]]]:
    frames = body()
    change(frames)
    return frames


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "empty sequence"),
        (None, "no list 'skeletons'"),
        (changed(lambda frames: frames[1].pop()), "frame 1 has 19 joints, expected 20"),
        (changed(lambda frames: frames.append(5)), "frame 3 has no joints"),  # type: ignore[arg-type]
        (changed(lambda frames: frames[2][3].pop()), "frame 2, joint 'head' is .* expected three numbers"),
        (changed(lambda frames: frames[2].__setitem__(3, ["1", 2, 3])), "frame 2, joint 'head' is"),  # type: ignore[list-item]
        (
            changed(lambda frames: frames[2].__setitem__(3, [1, 2, float("nan")])),
            "frame 2, joint 'head' .*nan",
        ),
        (
            changed(lambda frames: frames[0].__setitem__(0, [float("inf"), 2, 3])),
            "frame 0, joint 'pelvis' .*inf",
        ),
    ],
)
def test_bad_nw_ucla(tmp_path: Path, frames: object, message: str) -> None:
    path = nw_ucla(tmp_path / "a01_s01_e00_v01.json", frames)
    with pytest.raises(DataError, match=message) as caught:
        read_nw_ucla(path)
    assert str(path) in str(caught.value)


def test_truncated_json(tmp_path: Path) -> None:
    path = nw_ucla(tmp_path / "a.json", body())
    path.write_text(path.read_text()[:500])
    with pytest.raises(DataError, match=r"a\.json is not complete JSON .* cut short"):
        read_nw_ucla(path)
    path.write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match=r"a\.json is not complete JSON"):
        read_nw_ucla(path)
    with pytest.raises(DataError, match="cannot read"):
        read_nw_ucla(tmp_path / "b.json")


@pytest.mark.parametrize("frames", [1, 4])
def test_utd_mhad(tmp_path: Path, frames: int) -> None:
    joints = np.random.default_rng(0).normal(size=(20, 3, frames))
    joints[5, :, 0] = 0
    savemat(tmp_path / "a.mat", {"d_skel": joints[..., 0] if frames == 1 else joints})
    recording = read_utd_mhad(tmp_path / "a.mat")
    np.testing.assert_allclose(recording.positions[:, 0], np.moveaxis(joints, 2, 0), rtol=1e-6)
    assert recording.layout == get_layout("utd20")
    assert np.argwhere(~recording.valid).tolist() == [[0, 0, 5]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"skeleton": np.ones((20, 3, 4))}, "no variable 'd_skel'"),
        ({"d_skel": np.ones((19, 3, 4))}, "shape \\(19, 3, 4\\)"),
        ({"d_skel": np.ones((20, 2, 4))}, "shape \\(20, 2, 4\\)"),
        ({"d_skel": np.ones((20, 3, 0))}, "empty sequence"),
        ({"d_skel": "text"}, "expected numbers"),
        ({"d_skel": np.full((20, 3, 4), np.nan)}, "frame 0, joint 'head' .*nan"),
    ],
)
def test_bad_utd_mhad(tmp_path: Path, content: dict[str, object], message: str) -> None:
    path = tmp_path / "a1_s1_t1_skeleton.mat"
    savemat(path, content)
    with pytest.raises(DataError, match=message) as caught:
        read_utd_mhad(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_mat(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "a.mat"
    with pytest.raises(DataError, match="there is no file"):
        read_utd_mhad(path)
    savemat(path, {"d_skel": np.random.default_rng(0).normal(size=(20, 3, 40))}, do_compression=compressed)
    whole = path.read_bytes()
    for size in (0, 3, 100, 130, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"a\.mat"):
            read_utd_mhad(path)


# Any file


def test_read_recording_chooses_by_content(tmp_path: Path) -> None:
    write_npz(make("x"), tmp_path / "x.NPZ.npz")
    nw_ucla(tmp_path / "x.json", body())
    savemat(tmp_path / "x.mat", {"d_skel": np.ones((20, 3, 4))})
    csv(tmp_path, f"{HEADER}\n1,2,3,4,5,6")
    found = [read_recording(tmp_path / name, None).layout.name for name in ("x.NPZ.npz", "x.json", "x.mat")]
    assert found == ["kinect20", "kinect20", "utd20"]
    assert read_recording(tmp_path / "rec.csv", STICK).layout == STICK
    with pytest.raises(DataError, match="has layout 'utd20', but 'kinect20' was asked for"):
        read_recording(tmp_path / "x.mat", KINECT)
    (tmp_path / "x.xyz").write_text("")
    with pytest.raises(DataError, match=r"no reader for '\.xyz' files"):
        read_recording(tmp_path / "x.xyz")


def test_an_npz_may_name_an_own_layout_that_is_given(tmp_path):
    own = Layout("tracker", ("pelvis", "head"), (0, 0), (), 0)
    np.savez(tmp_path / "a.npz", positions=np.zeros((3, 2, 3)), layout="tracker")
    assert read_npz(tmp_path / "a.npz", own).layout == own
