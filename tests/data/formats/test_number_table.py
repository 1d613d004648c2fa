"""Tables without a header: what their columns are is said, and the message about one says what to say."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from hitrs.cli.main import main
from hitrs.data import Store, read_recording
from hitrs.data.formats.number_table import parse_columns
from hitrs.data.formats.registry import read_recordings
from hitrs.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
XYZ = RNG.normal(size=(6, 20, 3)).round(4)


def write(path: Path, rows: np.ndarray, between: str = " ", end: str = "") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(between.join(f"{v:.10g}" for v in row) + end + "\n" for row in rows))
    return path


def read(path: Path, columns: str, layout: str = "kinect20"):
    return read_recording(path, layout, columns=columns)


@pytest.mark.parametrize(("between", "end"), [(" ", ""), (",", ""), (";", ";"), ("\t", ""), (", ", "")])
def test_a_row_per_frame(tmp_path: Path, between: str, end: str) -> None:
    recording = read(write(tmp_path / "a.txt", XYZ.reshape(6, 60), between, end), "x,y,z")
    np.testing.assert_allclose(recording.positions[:, 0], XYZ, rtol=1e-6)
    assert recording.valid.all()
    assert recording.name == "a"


@pytest.mark.parametrize("between", [";", "\t", "; "])
def test_a_decimal_comma_beside_semicolons_or_tabs(tmp_path: Path, between: str) -> None:
    file = write(tmp_path / "a.csv", XYZ.reshape(6, 60), between)
    file.write_text(file.read_text().replace(".", ","))
    np.testing.assert_allclose(read(file, "x,y,z").positions[:, 0], XYZ, rtol=1e-6)
    with pytest.raises(DataError, match=r"60 columns: 20 joints x 3\? Then .*--columns x,y,z"):
        read_recording(file)


def test_a_row_per_joint_with_a_confidence(tmp_path: Path) -> None:
    """MSR Action3D."""
    confidence = np.ones((120, 1))
    confidence[25] = 0
    rows = np.concatenate([XYZ.reshape(120, 3), confidence], 1)
    recording = read(write(tmp_path / "a.txt", rows), "x,y,z,confidence")
    np.testing.assert_allclose(recording.positions[0, 0], XYZ[0], rtol=1e-6)
    assert not recording.valid[1, 0, 5]
    assert recording.valid.sum() == 119
    assert "1 points whose confidence is not above 0" in recording.notes[0]


def test_frame_numbers_with_gaps_and_time(tmp_path: Path) -> None:
    """UTKinect numbers frames of the color camera; here one has nobody in it."""
    frames = np.array([250, 251, 253, 254, 255, 256])
    rows = np.concatenate([frames[:, None], frames[:, None] / 30, XYZ.reshape(6, 60)], 1)
    recording = read(write(tmp_path / "a.txt", rows), "frame,time,x,y,z")
    assert recording.n_frames == 7
    assert recording.valid.all((1, 2)).tolist() == [True, True, False, True, True, True, True]
    assert recording.fps == pytest.approx(30)


def test_the_time_of_rows_of_joints_is_that_of_their_frame(tmp_path: Path) -> None:
    rows = [[frame / 25, joint + 1, *XYZ[frame, joint]] for frame in range(6) for joint in range(20)]
    recording = read(write(tmp_path / "a.txt", np.array(rows)), "time,joint,x,y,z")
    assert recording.n_frames == 6
    assert recording.fps == pytest.approx(25)


def test_rows_of_joints_in_any_order_and_two_persons(tmp_path: Path) -> None:
    rows = [
        [frame, person, joint + 1, *(XYZ[frame, joint] + person)]
        for person in (0, 1)
        for joint in reversed(range(20))
        for frame in range(6)
    ]
    recording = read(write(tmp_path / "a.csv", np.array(rows), ","), "frame,person,joint,x,y,z")
    np.testing.assert_allclose(recording.positions, np.stack([XYZ, XYZ + 1], 1), rtol=1e-5)
    with pytest.raises(DataError, match=r"frame 0 has the joint 'pelvis' twice.*'person'"):
        read(tmp_path / "a.csv", "frame,_,joint,x,y,z")


def test_several_recordings_of_a_file_with_labels(tmp_path: Path) -> None:
    """Florence."""
    rows = [[n // 3 + 1, 7, n // 3 + 4, *XYZ[n].ravel()] for n in range(6)]
    path = write(tmp_path / "all.txt", np.array(rows))
    got = list(read_recordings(path, "kinect20", columns="recording,subject,label,x,y,z"))
    assert [(each.name, each.subject, each.label, each.n_frames) for each in got] == [
        ("1", "7", "4", 3), ("2", "7", "5", 3),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"'label' changes.*column 'recording'"):
        list(read_recordings(path, "kinect20", columns="_,subject,label,x,y,z"))


def test_what_else_stands_there_is_passed_over(tmp_path: Path) -> None:
    """SFINGE: quaternions behind each position; and NaN."""
    xyz = XYZ.copy()
    xyz[2, 3, 1] = np.nan
    rows = np.concatenate([xyz, RNG.normal(size=(6, 20, 4))], 2).reshape(6, 140)
    recording = read(write(tmp_path / "a.txt", rows, ";", ";"), "x,y,z,_,_,_,_")
    np.testing.assert_allclose(recording.positions[0, 0], XYZ[0], rtol=1e-6)
    assert np.argwhere(~recording.valid).tolist() == [[2, 0, 3]]


@pytest.mark.parametrize(
    ("rows", "guess", "columns"),
    [
        (XYZ.reshape(6, 60), "60 columns: 20 joints x 3?", "x,y,z"),
        (np.c_[np.arange(6), XYZ.reshape(6, 60)], "61 columns: a frame number and 20 joints x 3?",
         "frame,x,y,z"),
        (np.c_[XYZ.reshape(120, 3), np.ones(120)], "120 rows: a joint each, 6 frames x 20 joints?",
         "x,y,z,confidence"),
    ],
    ids=["wide", "numbered", "long"],
)  # fmt: skip
def test_the_message_is_the_command(tmp_path: Path, rows, guess: str, columns: str, capsys) -> None:
    path = write(tmp_path / "my files" / "a.txt", rows)
    assert main(["import", str(path.parent), str(tmp_path / "store")]) == 1
    said = capsys.readouterr().err
    assert "table of numbers without a header" in said
    assert guess in said
    assert f"--columns {columns}`" in said
    command = shlex.split(re.search("`hitrs (.*)`", said)[1].replace("my files", "'my files'"))
    assert main([str(tmp_path / "store") if word == "STORE" else word for word in command]) == 0
    np.testing.assert_allclose(Store.open(tmp_path / "store")[0].positions[:, 0], XYZ, rtol=1e-6)


def test_joints_that_no_layout_has(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", RNG.normal(size=(4, 21)), ",")
    with pytest.raises(
        DataError, match=r"21 columns: 7 joints x 3.*--layout LAYOUT --columns x,y,z`.*layout file"
    ):
        read_recording(path)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("x,y,zz", "has 'zz'; known are frame"),
        ("frame,z", "no x and y"),
        ("x,y,z,x,y,z", "'x' twice"),
        ("x,frame,y,z", "'frame' among those of a joint"),
        ("x,y", "layout 'kinect20' is 3-D"),
    ],
)
def test_columns_that_make_no_sense(tmp_path: Path, columns: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(write(tmp_path / "a.txt", XYZ.reshape(6, 60)), columns)


def test_columns_that_do_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", XYZ.reshape(6, 60))
    with pytest.raises(
        DataError, match=r"has 60 columns, but 'x,y,z' makes 75 with the 25 joints.*--layout kinect20"
    ):
        read(path, "x,y,z", "ntu25")
    with pytest.raises(ConfigError, match=r"needs a layout"):
        list(read_recordings(path, columns="x,y,z"))
    with pytest.raises(ConfigError, match=r"--format csv"):
        list(read_recordings(path, "kinect20", "csv", "x,y,z"))
    path.write_text("1 2 3\n1 2 x\n")
    with pytest.raises(DataError, match=r"line 2 .*'x' in column 3"):
        read(path, "x,y,z")


def test_columns_are_parsed() -> None:
    parsed = parse_columns("frame, X,y,z,_,confidence,_,label")
    assert parsed.before == ("frame",)
    assert parsed.group == ("x", "y", "z", "_", "confidence", "_")
    assert parsed.after == ("label",)
