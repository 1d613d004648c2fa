"""ASF/AMC: units, axes, finding the skeleton, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hitrs.data.formats.asf_amc import CMU_BONES, FORMAT, read_amc
from hitrs.data.formats.format import Head
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

ASF = """# synthetic
:version 1.10
:units
  mass 1.0
  length 0.5
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name larm
    direction 1 0 0
    length 2
    axis 0 0 90 XYZ
    dof rx ry
    limits (-160.0 20.0)
           (-70.0 70.0)
  end
  begin
    id 2
    name lhand
    direction 1 0 0
    length 1
    axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root larm
    larm lhand
  end
"""
AMC = """#!OML:ASF somewhere
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
larm 0 0
2
root 0 0 0 0 0 90
larm 90 0
"""
INCH = 0.0254


def written(folder: Path, amc: str = AMC, asf: str = ASF) -> Path:
    (folder / "02.asf").write_text(asf)
    path = folder / "02_01.amc"
    path.write_text(amc)
    return path


def test_a_small_file(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert FORMAT.matches(Head.of(path))
    recording = read_amc(path)
    assert recording.layout.joints == ("root", "larm", "lhand")
    assert recording.layout.parents == (0, 0, 1)
    assert (recording.fps, recording.name) == (None, "02_01")
    assert any("frame rate" in note for note in recording.notes)
    in_units = recording.positions[:, 0] / (INCH / 0.5)
    # Second frame: the arm turns by 90 degrees about its own x axis, which is the body's y axis (x to -z);
    # the root then turns everything by 90 degrees about z (which leaves z alone).
    expected = [[[1, 2, 3], [3, 2, 3], [4, 2, 3]], [[0, 0, 0], [0, 0, -2], [0, 0, -3]]]
    np.testing.assert_allclose(in_units, expected, atol=1e-5)


def test_radians_and_no_unit(tmp_path: Path) -> None:
    amc = AMC.replace(":DEGREES", ":RADIANS").replace("90", f"{np.pi / 2}")
    turned = read_amc(written(tmp_path, amc, ASF.replace("  length 0.5\n", "", 1)))
    assert any("no unit" in note for note in turned.notes)
    np.testing.assert_allclose(turned.positions[1, 0, 2], [0, 0, -3], atol=1e-5)


def test_order_of_channels_is_the_files(tmp_path: Path) -> None:
    amc = AMC.replace("root 1 2 3 0 0 0", "root 3 2 1 0 0 0").replace(
        "root 0 0 0 0 0 90", "root 0 0 0 90 0 0"
    )
    asf = ASF.replace("TX TY TZ RX RY RZ", "TZ TY TX RZ RY RX")
    one = read_amc(written(tmp_path)).positions
    np.testing.assert_allclose(read_amc(written(tmp_path, amc, asf)).positions, one, atol=1e-6)


def test_which_skeleton_is_taken(tmp_path: Path) -> None:
    path = written(tmp_path)
    other = tmp_path / "03.asf"
    other.write_text("damaged")
    assert read_amc(path).n_frames == 2
    (tmp_path / "02.asf").rename(tmp_path / "x.asf")
    with pytest.raises(DataError, match="2 skeletons"):
        read_amc(path)
    other.unlink()
    assert read_amc(path).n_frames == 2
    (tmp_path / "x.asf").unlink()
    with pytest.raises(DataError, match=r"needs its skeleton.*02_01\.asf"):
        read_amc(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("larm 90 0\n", "", r"line 7 \(frame 1\): bone 'larm' is missing"),
        ("larm 90 0", "larm 90", r"line 9 \(frame 1\): bone 'larm' has 1 values"),
        ("larm 90 0", "larm 90 x", r"line 7 \(frame 1\): 'x' in column 8"),
        ("larm 90 0", "larm 90 nan", "finite"),
        ("larm 90 0", "leg 90 0", "'leg' is no moving bone"),
        ("larm 90 0", "larm 90 0\nlarm 1 1", "twice"),
        ("\n2\n", "\n²\n", "'²' is no moving bone"),
        (":DEGREES", ":SOMETHING", "expected :DEGREES"),
        ("\n1\n", "\n", "before the number of the first frame"),
        (AMC[AMC.index("1\nroot") :], "", "no frames"),
    ],
)
def test_motion_that_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in AMC
    with pytest.raises(DataError, match=message):
        read_amc(written(tmp_path, AMC.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("length 0.5", "length 0", "line 5: a length of 0"),
        ("direction 1 0 0", "direction 1 0", "line 16: '1 0', expected 3"),
        ("dof rx ry", "dof rx tz", "moves along an axis"),
        ("dof rx ry", "dof rx l", "cannot be read"),
        ("90 XYZ", "90 XYY", "no order of axes"),
        ("name lhand", "name larm", "two have the same"),
        ("larm lhand", "", "bone 'lhand' has no parent"),
        ("root larm", "lhand larm", "its own ancestor"),
        ("root larm", "root larm lhand", "two parents"),
        (ASF[ASF.index(":bonedata") :], "", "no bones"),
    ],
)
def test_skeletons_that_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ASF
    with pytest.raises(DataError, match=message):
        read_amc(written(tmp_path, asf=ASF.replace(old, new, 1)))


def test_frame_numbers_that_jump_are_told(tmp_path: Path) -> None:
    recording = read_amc(written(tmp_path, AMC.replace("\n2\n", "\n7\n")))
    assert any("jump in 1 places, first at frame 1" in note for note in recording.notes)


def test_names_of_cmu_stand_for_its_layout() -> None:
    layout = get_layout("cmu31")
    assert len(CMU_BONES) == layout.n_joints
    for bone, joint in (("lfemur", "left_knee"), ("rwrist", "right_wrist"), ("head", "head")):
        assert layout.joints[CMU_BONES.index(bone)] == joint


def test_real_files(hitrs_data: Callable[[str], Path]) -> None:
    files = sorted(hitrs_data("cmu_asf_amc").glob("*.amc"))
    recordings = [read_amc(file) for file in files]
    assert [recording.n_frames for recording in recordings] == [343, 298, 173, 483, 1854]
    for recording in recordings:
        layout, positions = recording.layout, recording.positions[:, 0]
        assert layout == get_layout("cmu31")
        bones = np.linalg.norm(positions - positions[:, list(layout.parents)], axis=-1)
        assert np.ptp(bones, axis=0).max() < 1e-5
        height = positions[:, layout.index("head"), 1] - positions[:, layout.index("left_toe"), 1]
        assert 1.4 < np.median(height) < 1.7


def test_a_comment_in_latin_1(tmp_path: Path) -> None:
    """HDM05's own files name their folder in line 1, umlauts and all."""
    (tmp_path / "02.asf").write_bytes(b"# Universit\xe4t\n" + ASF.encode())
    path = tmp_path / "02_01.amc"
    path.write_bytes(b"#!OML:ASF C:\\M\xfcller\\02.asf\n" + AMC.partition("\n")[2].encode())
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "02.asf").write_text(ASF)
    (tmp_path / "plain" / "02_01.amc").write_text(AMC)
    np.testing.assert_array_equal(
        read_amc(path).positions, read_amc(tmp_path / "plain" / "02_01.amc").positions
    )
