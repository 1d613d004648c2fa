"""What readers take for their worst files, and that a limit is told and can be raised."""

import contextlib
import io
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import test_trc
from scipy.io import savemat

from hitrs.cli.main import main
from hitrs.data import Store, read_recording
from hitrs.data.formats import memory
from hitrs.data.formats.memory import memory_limit
from hitrs.data.formats.plain_pickle import load_plain
from hitrs.data.formats.registry import get_format, read_recordings
from hitrs.errors import DataError
from hitrs.skeleton import Layout, get_layout

SIZE = 60_000
"""Bytes of a file. What follows is about multiples of it."""
SLACK = 1_500_000
"""Bytes that a reader takes for any file: layouts, tables of names, buffers."""
BLOCK = {"bvh": 10_000_000, "expmap": 4_000_000}
"""Where frames are computed in blocks, a block takes as much, however long the file is."""
TWO = Layout("two", ("a", "b"), (0, 0), (), (0,), 2)
TRC = test_trc.TEXT.split("\n", 1)[0] + (
    "\nDataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\n30\t30\t{frames}\t{markers}\tmm\nFrame#\tTime\t{names}\n\n"
)


def trc(markers: int) -> str:
    frames = SIZE // 7
    head = TRC.format(frames=frames, markers=markers, names="\t\t\t".join(f"m{n}" for n in range(markers)))
    return head + "".join(f"{n}\t\n" for n in range(frames))


def bvh() -> str:
    root = "ROOT a { OFFSET 0 0 0 CHANNELS 1 Xposition }"
    return f"HIERARCHY\n{root}\nMOTION\nFrames: {4 * SIZE}\nFrame Time: 0.1\n" + "0\n" * (4 * SIZE)


def pose(version: float) -> bytes:
    frames = SIZE // 13
    head = (
        struct.pack("<fHHHH", version, 0, 0, 0, 1)
        + b"\x01\0a\x03\0XYC"
        + struct.pack("<HHH", 1, 0, 0)
        + b"\x01\0p"
    )
    if version == 0:
        return head + struct.pack("<HH", 25, frames) + struct.pack("<Hhfff", 1, 0, 1, 1, 1) * frames
    return head + struct.pack("<fIH", 25, frames, 1) + np.ones(3 * frames, "<f4").tobytes()


WORST = {
    "csv": [
        ("a.csv", "a_x,a_y,b_x,b_y\n" + "0,0,0,0\n" * (SIZE // 8)),
        ("a.csv", "a_x,a_y,b_x,b_y\n" + ",,,\n" * (SIZE // 4)),
        ("a.csv", "frame,a_x,a_y,b_x,b_y\n" + "".join(f"{10 * n},,,,\n" for n in range(SIZE // 10))),
        ("a.csv", "frame,landmark,x,y\n" + "".join(f"{n // 2},{'ab'[n % 2]},,\n" for n in range(SIZE // 8))),
    ],
    "table": [("a.txt", "0 0 0 0\n" * (SIZE // 8)), ("a.txt", "0 0\n" * (SIZE // 4))],
    "deeplabcut": [
        ("a.csv", "scorer,n,n\nbodyparts,a,a\ncoords,x,y\n" + "".join(f"{n},,\n" for n in range(SIZE // 8)))
    ],
    "trc": [("a.trc", trc(1)), ("a.trc", trc(200))],
    "bvh": [("a.bvh", bvh()), ("a.bvh", "HIERARCHY ROOT " + "a " * SIZE)],
    "nw-ucla": [
        ("a.json", '{"skeletons":[' + ",".join(["[]"] * (SIZE // 3)) + "]}"),
        ("a.json", '{"skeletons":[' + ",".join(['{"":0}'] * (SIZE // 7)) + "]}"),
    ],
    "ntu": [("a.skeleton", f"{SIZE // 2}\n" + "0\n" * (SIZE // 2))],
    "pku-mmd": [("0002-L.txt", (" ".join(["0"] * 150) + "\n") * (SIZE // 300))],
    "expmap": [("walking_1.txt", (",".join(["0"] * 99) + "\n") * (SIZE // 20))],
    "pose": [("a.pose", pose(0.0)), ("a.pose", pose(0.2))],
}


def peak_of(path: Path, format: str) -> tuple[int, int]:
    """Bytes at most while a file is read, and joints times frames that came out."""
    columns = "x,y" if format == "table" else None
    layout = TWO if format in ("csv", "table") else None
    joints = 0
    tracemalloc.start()
    with contextlib.suppress(DataError):  # what is refused took memory, too
        for recording in read_recordings(path, layout, None if columns else format, columns):
            joints += recording.valid.size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, joints


@pytest.mark.parametrize(
    ("format", "name", "content"),
    [(format, *case) for format, cases in WORST.items() for case in cases],
    ids=[f"{format}-{n}" for format, cases in WORST.items() for n in range(len(cases))],
)
def test_a_reader_keeps_to_its_bound(tmp_path: Path, format: str, name: str, content: str | bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    bound = get_format(format).memory or 40  # DeepLabCut states its own, which is for CSV only
    peak, joints = peak_of(path, format)
    assert peak <= bound * path.stat().st_size + memory._PER_JOINT * joints + BLOCK.get(format, 0) + SLACK


@pytest.mark.parametrize("kind", [np.uint8, np.float64])
@pytest.mark.parametrize("suffix", ["npz", "npy", "mat"])
def test_arrays_keep_to_their_bound(tmp_path: Path, kind: type, suffix: str) -> None:
    path = tmp_path / f"a1_s1_t1_skeleton.{suffix}"
    count = 60 * 5000
    if suffix == "mat":
        savemat(path, {"d_skel": np.zeros((20, 3, 5000), kind)})
        each = 40
    else:
        array = np.zeros((5000, 20, 3), kind)
        np.savez_compressed(path, positions=array) if suffix == "npz" else np.save(path, array)
        each = np.dtype(kind).itemsize + memory.PER_NUMBER
    tracemalloc.start()
    read_recording(path, None if suffix == "mat" else get_layout("kinect20"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= each * count + SLACK


@pytest.mark.parametrize("byte", [b"]", b"}", b"(", b"N"])
def test_pickles_keep_to_their_bound(tmp_path: Path, byte: bytes) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(b"\x80\x04(" + byte * SIZE + b"l.")
    tracemalloc.start()
    with contextlib.suppress(DataError):
        load_plain(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= (2 + 96) * path.stat().st_size + SLACK


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    """4.6 MB of uint8 took 6.3 GB."""
    file = io.BytesIO()
    np.savez_compressed(file, positions=np.zeros((10_000, 20, 3), np.uint8), layout="kinect20")
    path = tmp_path / "a.npz"
    path.write_bytes(file.getvalue())
    assert read_recording(path).n_frames == 10_000
    tracemalloc.start()
    with memory_limit(8_000_000), pytest.raises(DataError, match=r"a\.npz: 'positions'.*--max-memory"):
        read_recording(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400_000


def test_a_new_track_id_every_second_makes_few_persons(tmp_path: Path) -> None:
    """Tracks are people, joined by place and time, not columns: this file asked for 3.8 GB."""
    rows = ["frame,track_id,a_x,a_y,b_x,b_y"]
    for frame in range(3000):
        for lane in (0, 1):
            rows.append(f"{frame},{2 * (frame // 30) + lane},{100 * lane},0,{100 * lane},10")
    path = tmp_path / "a.csv"
    path.write_text("\n".join(rows))
    recording = read_recording(path, TWO)
    assert recording.positions.shape == (3000, 2, 2, 2)
    assert recording.valid.all()
    assert set(np.ptp(recording.positions[:, :, 0, 0], axis=0)) == {0.0}  # each stays where it is
    assert "200 ids are 2 persons" in recording.notes[0]


def test_one_line_as_long_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bvh"
    path.write_text("HIERARCHY ROOT " + "a " * 2_000_000)
    with pytest.raises(DataError, match="line 1 has more than 2,097,152 characters"):
        read_recording(path)


def test_millions_of_variables_and_instructions(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a1_s1_t1_skeleton.mat"
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 1, 0) * 20_000)
    with pytest.raises(DataError, match="more than 10000 variables"):
        read_recording(path, format="utd-mhad")
    monkeypatch.setattr("hitrs.data.formats.plain_pickle.FREE_STEPS", 1000)
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04(" + b"]" * 2000 + b"l.")
    with pytest.raises(DataError, match="more than 1,125 instructions"):
        load_plain(tmp_path / "a.pkl")


def test_a_file_over_the_limit_is_left_out_and_an_option_raises_it(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for name, frames in (("large", 2000), ("small", 10)):
        np.savez(folder / f"{name}.npz", positions=np.zeros((frames, 20, 3)) + 1, layout="kinect20")
    assert main(["import", str(folder), str(tmp_path / "a"), "--max-memory", "0.001"]) == 0
    assert [each.name for each in Store.open(tmp_path / "a")] == ["small"]
    assert "large.npz" in capsys.readouterr().out
    assert main(["import", str(folder), str(tmp_path / "b"), "--max-memory", "0.1"]) == 0
    assert len(Store.open(tmp_path / "b")) == 2
    assert main(["import", str(folder), str(tmp_path / "c"), "--max-memory", "0"]) == 1
    assert "0 bytes" in capsys.readouterr().err
