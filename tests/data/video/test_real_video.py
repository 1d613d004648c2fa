"""Real videos through the real process; skipped where `hitrs video-setup` has not made its environment."""

import struct
from pathlib import Path

import numpy as np
import pytest

from hitrs.data import cache, read_recording
from hitrs.data.video import environment
from hitrs.data.video.streams import ask, pictures, video_writer
from hitrs.errors import DataError


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that is there, and a place of its own for what is kept."""
    try:
        python = environment.command()[0]
    except DataError as error:
        pytest.skip(str(error))
    monkeypatch.setenv(environment.PYTHON, python)
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "cache"))


def made(path: Path, frames: int = 20, width: int = 320, height: int = 240, fps: float = 20.0) -> Path:
    """A video of a ball that rolls to the right on gray."""
    with video_writer(path, fps) as writer:
        for number in range(frames):
            picture = np.full((height, width, 3), 120, np.uint8)
            picture[100:130, 8 * number : 8 * number + 30] = (250, 30, 30)
            writer.add(picture)
    return path


def patched(path: Path, box: bytes, offset: int, data: bytes) -> None:
    """Overwrite bytes behind the name of a box of an mp4 file."""
    content = bytearray(path.read_bytes())
    start = content.index(box) + 4 + offset
    content[start : start + len(data)] = data
    path.write_bytes(content)


def with_times(path: Path, durations: list[int]) -> None:
    """Give each frame a duration of its own, in units of the track: a new box stts, and longer parents."""
    content = bytearray(path.read_bytes())
    start = content.index(b"stts") - 4
    (size,) = struct.unpack(">I", content[start : start + 4])
    entries = b"".join(struct.pack(">II", 1, duration) for duration in durations)
    box = struct.pack(">I4sII", 16 + len(entries), b"stts", 0, len(durations)) + entries
    assert content.index(b"mdat") < start  # so that no place in it changes
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = content.index(name) - 4
        (old,) = struct.unpack(">I", content[place : place + 4])
        content[place : place + 4] = struct.pack(">I", old + len(box) - size)
    content[start : start + size] = box
    path.write_bytes(content)


def test_people_are_found(hitrs_data) -> None:
    recording = read_recording(hitrs_data("videos") / "sports2d-demo.mp4")
    assert recording.n_frames == 230
    assert recording.fps == pytest.approx(30, abs=0.01)
    assert recording.valid.any((1, 2)).mean() > 0.8
    shoulders = [recording.layout.joints.index(f"{side}_shoulder") for side in ("left", "right")]
    seen = recording.valid[:, 0, shoulders].all(1)
    wide = np.linalg.norm(np.diff(recording.positions[seen][:, 0, shoulders], axis=1), axis=-1)
    assert 0.1 < np.median(wide) < 0.5  # meters


def test_what_was_written_is_read(tmp_path: Path) -> None:
    seen = list(pictures(made(tmp_path / "ball.mp4")))
    assert [number for _, number, _, _ in seen] == list(range(20))
    assert [seconds for _, _, seconds, _ in seen] == pytest.approx(np.arange(20) / 20)
    size, _, _, picture = seen[10]
    assert size == (320, 240, 20.0, 20)
    assert picture[115, 95, 0] > 200 > 100 > picture[115, 95, 2]  # red first
    assert [number for _, number, _, _ in pictures(tmp_path / "ball.mp4", 17)] == [17, 18, 19]


def test_nobody(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ball.mp4: nobody is seen in any of its 20 frames"):
        read_recording(made(tmp_path / "ball.mp4"))


def test_rotated(tmp_path: Path) -> None:
    path = made(tmp_path / "ball.mp4")
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 240 << 16, 0, 1 << 30)
    patched(path, b"tkhd", 40, quarter)
    size, _, _, picture = next(iter(pictures(path)))
    assert size[:2] == (240, 320)
    assert picture.shape == (320, 240, 3)
    assert picture[15, 125, 0] > 200  # what was left is up now


def test_variable_rate(tmp_path: Path) -> None:
    path = made(tmp_path / "ball.mp4", frames=4)
    content = path.read_bytes()
    (unit,) = struct.unpack(">I", content[content.index(b"mdhd") + 16 : content.index(b"mdhd") + 20])
    with_times(path, [unit // 50, unit // 10, unit // 25, unit // 25])  # 0.2 s in all
    assert [seconds for _, _, seconds, _ in pictures(path)] == pytest.approx([0, 0.02, 0.12, 0.16], abs=0.002)


def test_large(tmp_path: Path) -> None:
    size, _, _, picture = next(iter(pictures(made(tmp_path / "large.mp4", 2, 3840, 2160))))
    assert size[:2] == (3840, 2160)
    assert picture.shape == (720, 1280, 3)


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_cut_short(tmp_path: Path, kept: float) -> None:
    path = made(tmp_path / "ball.mp4")
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(DataError, match=r"ball.mp4: it cannot be opened as a video: it is damaged"):
        read_recording(path)


def test_cut_short_with_its_index(tmp_path: Path, hitrs_data) -> None:
    content = (hitrs_data("videos") / "intel-one-by-one.mp4").read_bytes()
    if content.index(b"moov") > content.index(b"mdat"):
        pytest.skip("its index is at its end")
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: len(content) // 8])
    recording = read_recording(path)
    assert recording.n_frames < 700
    assert any("of the 1394 frames that it announces" in note for note in recording.notes)


def test_there_is_no_camera() -> None:
    with pytest.raises(DataError, match="camera 97: it is not there"):
        next(ask("poses", 97))
