"""BVH: reading any hierarchy, and the round trip of rigid motion."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.data.formats.asf_amc import read_amc
from hitrs.data.formats.bvh import FORMAT, read_bvh
from hitrs.data.formats.bvh_writer import write_bvh
from hitrs.data.formats.format import Head
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import Layout, get_layout
from hitrs.skeleton.kinematics import forward, get_tree, rotations_of_expmaps

TEXT = """HIERARCHY
ROOT Hips
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Left Arm
  {
    OFFSET 1 0 0
    CHANNELS 3 Yrotation Zrotation Xrotation
    End Site
    {
      OFFSET 2 0 0
    }
  }
  JOINT Right Arm {
    OFFSET -1 0 0
    CHANNELS 1 Zrotation
    End Site { OFFSET 0 0 0 }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
0 0 0 0 0 0 0 0 0 0
5 6 7 90 0 0 0 90 0 0
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "take.bvh"
    path.write_text(text)
    return path


def test_a_small_file(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)
    assert FORMAT.matches(Head.of(path))
    recording = read_bvh(path)
    layout = recording.layout
    assert layout.joints == ("Hips", "Left_Arm", "Left_Arm_end", "Right_Arm")
    assert layout.parents == (0, 0, 1, 0)
    assert layout.pairs == ((1, 3),)
    assert (recording.fps, recording.name, recording.source) == (30.0, "take", "take.bvh")
    assert "no unit" in recording.notes[0]
    expected = [
        [[0, 0, 0], [1, 0, 0], [3, 0, 0], [-1, 0, 0]],
        [[5, 6, 7], [5, 7, 7], [3, 7, 7], [5, 5, 7]],
    ]
    np.testing.assert_allclose(recording.positions[:, 0], expected, atol=1e-6)


def test_channels_in_any_order(tmp_path: Path) -> None:
    text = TEXT.replace("Yrotation Zrotation Xrotation", "Xrotation Yrotation Zrotation")
    rows = text.replace("5 6 7 90 0 0 0 90 0 0", "0 0 0 0 0 0 90 0 90 0")
    positions = read_bvh(written(tmp_path, rows)).positions[1, 0]
    # z first (innermost, +x to +y), then x (+y to +z)
    np.testing.assert_allclose(positions[2], [1, 0, 2], atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Frames: 2", "Frames: 900000000000", "declares 900000000000 frames, but has 2"),
        ("0 90 0 0\n", "0 90 0\n", r"line 25 \(frame 1\): 9 numbers, expected 10"),
        ("5 6 7", "5 x 7", r"line 25 \(frame 1\): 'x' in column 2"),
        ("5 6 7", "5 inf 7", "finite"),
        ("Frames: 2", "Frames: two", "line 22: 'Frames: two'"),
        ("OFFSET 1 0 0", "OFFSET 1 0 nan", "line 8: 'nan' where a finite number"),
        ("CHANNELS 1 Zrotation", "CHANNELS 1 Wrotation", "line 17: 'Wrotation' is no channel"),
        ("CHANNELS 1", "CHANNELS 99999999", "at most 6"),
        ("JOINT Left Arm\n  {", "JOINT Left Arm\n", "no opening brace"),
        ("MOTION", "", "not closed|ends before|not known"),
        ("ROOT Hips", "JOINT Hips", "JOINT where none may stand"),
        ("HIERARCHY", "SOMETHING", "starts with HIERARCHY"),
        ("}\nMOTION", "}\nROOT b\n{\n}\nMOTION", "one ROOT"),
        ("0 0 0 0 0 0 0 0 0 0\n5 6 7 90 0 0 0 90 0 0\n", "", "no frames"),
        ("OFFSET 2 0 0", "OFFSET 0 0 0 JOINT a { OFFSET 1 1 1 }", "take.bvh: joint .a. stands within an End"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(DataError, match=message):
        read_bvh(written(tmp_path, TEXT.replace(old, new, 1)))


def test_every_cut_is_told(tmp_path: Path) -> None:
    for length in range(0, len(TEXT) - 2, 7):
        with pytest.raises(DataError):
            read_bvh(written(tmp_path, TEXT[:length]))


def test_deep_nesting_and_many_joints(tmp_path: Path) -> None:
    deep = "HIERARCHY\nROOT a { OFFSET 0 0 0 CHANNELS 0 " + "JOINT a { OFFSET 1 0 0 " * 50_000
    with pytest.raises(DataError, match="joints make no sense"):
        read_bvh(written(tmp_path, deep))


@pytest.mark.parametrize("seconds", ["0", "1e-320"])
def test_frame_time_without_sense(tmp_path: Path, seconds: str) -> None:
    recording = read_bvh(written(tmp_path, TEXT.replace("0.0333333", seconds)))
    assert recording.fps is None
    assert any("no frame rate" in note for note in recording.notes)


def rigid(layout: Layout, offsets: np.ndarray, frames: int, seed: int) -> Recording:
    """Rigid bones, joints that turn at random."""
    rng = np.random.default_rng(seed)
    turns = np.cumsum(rng.normal(size=(frames, layout.n_joints, 3)) * 0.3, axis=0)
    root = np.cumsum(rng.normal(size=(frames, 3)) * 0.1, axis=0)
    positions, _ = forward(rotations_of_expmaps(turns), offsets, layout.parents, root)
    return Recording(
        positions[:, None], np.ones((frames, 1, layout.n_joints), bool), layout, name="r", fps=50.0
    )


def back(recording: Recording, path: Path) -> tuple[Recording, float]:
    """The recording after a round trip, joints in the old order; and what writing says was lost."""
    told = write_bvh(recording, path)
    read = read_bvh(path)
    order = [read.layout.index(joint) for joint in recording.layout.joints]
    assert len(order) == read.layout.n_joints
    names = read.layout.joints
    for new, joint in enumerate(recording.layout.joints):
        above = recording.layout.joints[recording.layout.parents[new]]
        assert names[read.layout.parents[names.index(joint)]] == above
    return replace(read, positions=read.positions[:, :, order], layout=recording.layout), told


@given(st.integers(0, 10_000), st.sampled_from(["cmu38", "h36m32"]))
def test_round_trip_of_rigid_motion(tmp_path_factory: pytest.TempPathFactory, seed: int, name: str) -> None:
    recording = rigid(get_layout(name), get_tree(name).offsets, 6, seed)
    read, told = back(recording, tmp_path_factory.mktemp("bvh") / "r.bvh")
    lost = np.linalg.norm(read.positions - recording.positions, axis=-1).max()
    assert told < 1e-4
    assert lost < 1e-4
    assert read.fps == recording.fps


def test_end_sites_come_back_as_end_sites(tmp_path: Path) -> None:
    first = read_bvh(written(tmp_path, TEXT))
    read, told = back(first, tmp_path / "second.bvh")
    assert read.layout == first.layout
    assert told < 1e-4
    np.testing.assert_allclose(read.positions, first.positions, atol=1e-4)


def test_bones_that_move_against_each_other_get_helpers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layout = Layout("t", ("pelvis", "left", "right", "spine", "head"), (0, 0, 0, 0, 3), (), 0)
    body = rotations_of_expmaps(rng.normal(size=(9, 3)))
    spine = body @ rotations_of_expmaps(0.3 * rng.normal(size=(9, 3)))
    positions = np.zeros((9, 5, 3))
    positions[:, 1:3] = np.einsum("tij,bj->tbi", body, [[0.1, 0.1, 0], [-0.1, 0.1, 0]])
    positions[:, 3:] = np.einsum("tij,bj->tbi", spine, [[0, 0.3, 0], [0.1, 0.6, 0]])
    recording = Recording(positions[:, None], np.ones((9, 1, 5), bool), layout, name="r", fps=30.0)
    assert write_bvh(recording, tmp_path / "r.bvh") < 1e-5
    read = read_bvh(tmp_path / "r.bvh")
    assert set(read.layout.joints) - set(layout.joints) == {"spine_base"}
    order = [read.layout.index(joint) for joint in layout.joints]
    np.testing.assert_allclose(read.positions[:, 0, order], positions, atol=1e-5)


def test_what_is_not_rigid_is_told(tmp_path: Path) -> None:
    recording = rigid(get_layout("cmu38"), get_tree("cmu38").offsets, 5, 0)
    positions = recording.positions.copy()
    positions[2, 0, recording.layout.index("head")] *= 1.5
    read, told = back(replace(recording, positions=positions), tmp_path / "r.bvh")
    lost = np.linalg.norm(read.positions - positions, axis=-1).max()
    assert told > 0.05
    assert told == pytest.approx(lost, abs=1e-4)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    recording = rigid(get_layout("cmu38"), get_tree("cmu38").offsets, 3, 0)
    path = tmp_path / "r.bvh"
    valid = recording.valid.copy()
    valid[1, 0, 19] = False
    twice = {"positions": recording.positions.repeat(2, 1), "valid": recording.valid.repeat(2, 1)}
    flat = Layout("flat", ("a", "b"), (0, 0), (), 0, dims=2)
    for changed, message in (
        (replace(recording, valid=valid), "frame 1, joint 'head'"),
        (replace(recording, fps=None), "frame rate"),
        (replace(recording, **twice), "2 persons"),
        (Recording(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2), bool), flat, name="f", fps=1.0), "2-D"),
    ):
        with pytest.raises(DataError, match=message):
            write_bvh(changed, path)
        assert not path.exists()


def test_round_trip_of_real_motion(hitrs_data: Callable[[str], Path], tmp_path: Path) -> None:
    recording = replace(read_amc(hitrs_data("cmu_asf_amc") / "02_01.amc"), fps=120.0)
    told = write_bvh(recording, tmp_path / "r.bvh")
    read = read_bvh(tmp_path / "r.bvh")
    order = [read.layout.index(joint) for joint in recording.layout.joints]
    lost = np.linalg.norm(read.positions[:, :, order] - recording.positions, axis=-1).max()
    assert max(told, lost) < 1e-5


def test_real_files(hitrs_data: Callable[[str], Path]) -> None:
    files = sorted(hitrs_data("cmu_bvh").glob("*.bvh"))
    assert len(files) == 12
    recording = read_bvh(files[0])
    assert (recording.n_frames, recording.fps, recording.layout.n_joints) == (433, 120.0, 57)
