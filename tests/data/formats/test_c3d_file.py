"""C3D: files written with the library come back in meters, and damage is told."""

import random
import struct
from contextlib import suppress
from pathlib import Path

import c3d
import numpy as np
import pytest

from hitrs.data.formats.c3d_file import FORMAT, read_c3d
from hitrs.data.formats.format import Head
from hitrs.errors import DataError
from hitrs.skeleton import Layout, get_layout

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:c3d")


def write(
    path: Path, points: np.ndarray, labels: list[str], units: str = "mm  ", rate: float = 100.0, scale=-1.0
) -> Path:
    """``points`` (T, J, 5): x, y, z, residual, cameras."""
    writer = c3d.Writer(point_rate=rate, point_units=units, point_scale=scale)
    writer.set_point_labels(labels)
    writer.add_frames([(frame, np.array([[]])) for frame in points])
    with path.open("wb") as file:
        writer.write(file)
    return path


def points(frames: int = 4, joints: int = 3) -> np.ndarray:
    values = np.zeros((frames, joints, 5), np.float32)
    values[..., :3] = np.random.default_rng(0).normal(size=(frames, joints, 3)) * 1000
    return values


def test_markers_in_meters(tmp_path: Path) -> None:
    values = points()
    values[2, 1] = (1, 1, 1, -1, -1)
    path = write(tmp_path / "take.c3d", values, ["LFHD", "RFHD", "C7"])
    assert FORMAT.matches(Head.of(path))
    recording = read_c3d(path)
    assert recording.layout.joints == ("LFHD", "RFHD", "C7")
    assert recording.layout.parents == (0, 0, 0)
    assert recording.layout.pairs == ((0, 1),)
    assert (recording.fps, recording.name) == (100.0, "take")
    assert np.argwhere(~recording.valid).tolist() == [[2, 0, 1]]
    seen = recording.valid[:, 0]
    np.testing.assert_allclose(recording.positions[:, 0][seen], values[..., :3][seen] / 1000, atol=1e-6)


@pytest.mark.parametrize(("units", "scale"), [("m   ", 1.0), ("cm  ", 0.01), ("in  ", 0.0254)])
def test_units(tmp_path: Path, units: str, scale: float) -> None:
    values = points()
    recording = read_c3d(write(tmp_path / "a.c3d", values, ["a", "b", "c"], units))
    np.testing.assert_allclose(recording.positions[:, 0], values[..., :3] * scale, rtol=1e-6)
    assert not recording.notes


def test_unknown_unit_is_told(tmp_path: Path) -> None:
    values = points()
    recording = read_c3d(write(tmp_path / "a.c3d", values, ["a", "b", "c"], "feet"))
    np.testing.assert_allclose(recording.positions[:, 0], values[..., :3], rtol=1e-6)
    assert "'feet' is not known" in recording.notes[0]


def test_subject_and_layout_by_name(tmp_path: Path) -> None:
    joints = get_layout("kinect20").joints
    recording = read_c3d(write(tmp_path / "a.c3d", points(2, 20), [f"Anna:{joint}" for joint in joints]))
    assert recording.layout == get_layout("kinect20")
    with pytest.raises(DataError, match=r"no joint 'neck' of layout .ntu25. that was asked for"):
        read_c3d(tmp_path / "a.c3d", get_layout("ntu25"))


def test_own_layout_names_markers(tmp_path: Path) -> None:
    values = points()
    own = Layout("own", ("C7", "LFHD"), (0, 0), (), 0)
    recording = read_c3d(write(tmp_path / "a.c3d", values, ["LFHD", "RFHD", "C7"]), own)
    assert recording.layout == own
    assert "1 of 3 markers are not in layout 'own'" in recording.notes[0]
    np.testing.assert_allclose(recording.positions[:, 0], values[:, [2, 0], :3] / 1000, atol=1e-6)


def test_nan_is_not_seen(tmp_path: Path) -> None:
    values = points()
    values[1, 2, 0] = np.nan
    values[1, 1, 0] = np.inf
    recording = read_c3d(write(tmp_path / "a.c3d", values, ["a", "b", "c"]))
    assert np.argwhere(~recording.valid[:, 0]).tolist() == [[1, 1], [1, 2]]


def test_damage_is_told(tmp_path: Path) -> None:
    good = write(tmp_path / "a.c3d", points(200, 3), ["a", "b", "c"]).read_bytes()
    path = tmp_path / "b.c3d"
    for content, message in (
        (b"", "not a C3D file"),
        (good[:700], "not a C3D file|room|markers"),
        (good[: len(good) - 2048], "declares 200 frames of 48 bytes, but has room for"),
        (b"\x02\x51" + good[2:], "not a C3D file"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            read_c3d(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_c3d(tmp_path / "none.c3d")


def test_huge_counts(tmp_path: Path) -> None:
    good = write(tmp_path / "a.c3d", points(), ["a", "b", "c"]).read_bytes()
    path = tmp_path / "b.c3d"
    place = good.index(b"ACTUAL_END_FIELD") + len("ACTUAL_END_FIELD") + 2 + 2 + 1
    path.write_bytes(good[:place] + struct.pack("<HH", 65535, 65535) + good[place + 4 :])
    with pytest.raises(DataError, match="but has room for"):
        read_c3d(path)


def test_any_flipped_byte_gives_a_recording_or_a_data_error(tmp_path: Path) -> None:
    good = write(tmp_path / "a.c3d", points(), ["a", "b", "c"]).read_bytes()
    rng, path = random.Random(0), tmp_path / "b.c3d"
    for _ in range(300):  # no other error comes out
        content = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(1200)] = rng.randrange(256)
        path.write_bytes(content)
        FORMAT.matches(Head.of(path))
        with suppress(DataError):
            read_c3d(path)
