"""TRC: units, gaps, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from hitrs.data.formats.format import Head
from hitrs.data.formats.trc import FORMAT, read_trc
from hitrs.errors import DataError
from hitrs.skeleton import Layout

TEXT = """PathFileType\t4\t(X/Y/Z)\ttake.trc
DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames
60.00\t60.00\t3\t2\tmm\t60.00\t1\t3
Frame#\tTime\tR.Knee\t\t\tL.Knee\t\t
\t\tX1\tY1\tZ1\tX2\tY2\tZ2

1\t0.000\t1000\t2000\t3000\t1\t2\t3
2\t0.017\t1000\t2000\t3000\t\t\t
3\t0.033\tNaN\t2000\t3000\t1\t2\t3
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "take.trc"
    path.write_text(text)
    return path


def test_a_small_file(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)
    assert FORMAT.matches(Head.of(path))
    recording = read_trc(path)
    assert recording.layout.joints == ("R.Knee", "L.Knee")
    assert recording.layout.pairs == ((1, 0),)
    assert (recording.fps, recording.notes) == (60.0, ())
    assert recording.valid[:, 0].tolist() == [[True, True], [True, False], [False, True]]
    np.testing.assert_allclose(recording.positions[0, 0], [[1, 2, 3], [0.001, 0.002, 0.003]])


def test_without_blank_line_and_with_cut_off_gaps(tmp_path: Path) -> None:
    text = TEXT.replace("\n\n1", "\n1").replace("3000\t\t\t\n", "3000\n").replace("\n", "\r\n")
    recording = read_trc(written(tmp_path, text))
    np.testing.assert_array_equal(recording.positions, read_trc(written(tmp_path, TEXT)).positions)


def test_what_is_not_known_is_told(tmp_path: Path) -> None:
    text = (
        TEXT.replace("\tmm\t", "\tpt\t").replace("60.00\t60.00\t3", "0\t60.00\t3").replace("\n2\t", "\n9\t")
    )
    recording = read_trc(written(tmp_path, text))
    assert recording.fps is None
    assert recording.positions[0, 0, 0].tolist() == [1000, 2000, 3000]
    told = " ".join(recording.notes)
    assert "'pt' is not known" in told
    assert "no frame rate" in told
    assert "jump in 2 places, first at frame 1" in told


def test_own_layout(tmp_path: Path) -> None:
    own = Layout("own", ("L.Knee",), (0,), (), 0)
    recording = read_trc(written(tmp_path, TEXT), own)
    assert recording.layout == own
    np.testing.assert_allclose(recording.positions[0, 0], [[0.001, 0.002, 0.003]])
    with pytest.raises(DataError, match=r"no joint 'l\.kneecap'"):
        read_trc(tmp_path / "take.trc", Layout("own", ("l.kneecap",), (0,), (), 0))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\t3\t2\tmm", "\t900000000000\t2\tmm", "declares 900000000000 frames, but has 3"),
        ("\t3\t2\tmm", "\t3\t99999\tmm", "declares 99999 markers, but line 4 names 2"),
        ("\t3\t2\tmm", "\tx\t2\tmm", "line 3: NumFrames is 'x'"),
        ("3000\t\t\t", "3000\t?\t\t", r"line 8 \(frame 1\): '\?' of marker 'L.Knee'"),
        ("3000\t\t\t", "inf\t\t\t", "'inf' of marker 'R.Knee'"),
        ("3000\t\t\t", "1e99\t\t\t", "'1e99' of marker 'R.Knee' is no number, or too large"),
        ("\n2\t", "\ntwo\t", r"line 8 \(frame 1\): the frame number is 'two'"),
        ("3000\t\t\t", "3000\t1\t2\t3\t4", "9 cells, expected 8"),
        ("PathFileType", "Something", "is not a TRC file"),
        ("\tR.Knee\t\t\tL.Knee\t\t", "", "names 0 markers"),
        (TEXT[TEXT.index("\n1\t") + 1 :], "", "no frames"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(DataError, match=message):
        read_trc(written(tmp_path, TEXT.replace(old, new, 1)))


def test_wrong_encoding(tmp_path: Path) -> None:
    path = tmp_path / "take.trc"
    path.write_bytes(TEXT.encode("utf-16"))
    assert not FORMAT.matches(Head.of(path))
    with pytest.raises(DataError, match="UTF-8"):
        read_trc(path)


def test_a_layout_is_found_by_other_names_for_its_joints(tmp_path: Path) -> None:
    knees = Layout("knees", ("left_knee", "right_knee"), (0, 0), ((0, 1),), (0,))
    recording = read_trc(written(tmp_path, TEXT.replace("R.Knee", "RKnee")), knees)
    np.testing.assert_allclose(recording.positions[0, 0], [[0.001, 0.002, 0.003], [1, 2, 3]])
