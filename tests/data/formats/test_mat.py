"""MATLAB files: Penn Action, names in the head, and files that declare more than they hold."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from hitrs.data import import_dataset
from hitrs.data.formats.mat import load_mat, mat_names
from hitrs.data.formats.penn_action import read_penn_action
from hitrs.errors import DataError


def penn(path: Path, frames: int = 5, **changes: object) -> Path:
    rng = np.random.default_rng(0)
    content = {
        "x": rng.uniform(5, 300, (frames, 13)),
        "y": rng.uniform(5, 300, (frames, 13)),
        "visibility": np.ones((frames, 13), np.uint8),
        "action": "squat",
        "train": -1,
        "nframes": frames,
    }
    content.update(changes)
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {key: value for key, value in content.items() if value is not None}, do_compression=True)
    return path


def test_penn_action(tmp_path: Path) -> None:
    x, visible = np.full((5, 13), 20.0), np.ones((5, 13), np.uint8)
    visible[1, 2] = visible[3, 4] = 0  # hidden, but where the annotators thought it is
    x[3, 4] = 1
    y = np.where(x == 1, 1, 30.0)
    found = read_penn_action(penn(tmp_path / "0001.mat", x=x, y=y, visibility=visible))
    assert np.argwhere(~found.valid).tolist() == [[3, 0, 4]]
    assert (found.label, found.part, found.layout.name, found.fps) == ("squat", "test", "penn13", None)
    assert found.notes == ("2 joints are marked invisible, 1 of them without coordinates",)
    np.testing.assert_array_equal(found.positions[1, 0, 2], [20, 30])


def test_penn_action_as_a_data_set(tmp_path: Path) -> None:
    for number in range(1, 5):
        penn(tmp_path / "src" / "labels" / f"{number:04}.mat", train=1 if number % 2 else -1)
    store = import_dataset(tmp_path / "src", tmp_path / "store", strict=True)
    assert (store.meta["dataset"], len(store.classes)) == ("penn-action", 15)
    assert store.split("train-test", "train").tolist() == [0, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": None}, "no variable 'x'"),
        ({"action": None}, "no variable 'action'"),
        ({"x": np.ones((5, 12))}, "x is float64 of shape"),
        ({"y": np.ones((4, 13))}, "y is float64 of shape"),
        ({"visibility": "yes"}, "visibility is"),
        ({"train": 0}, r"train is \[0\]"),
        ({"x": np.zeros((0, 13)), "y": np.zeros((0, 13)), "visibility": np.zeros((0, 13))}, "empty"),
    ],
)
def test_bad_penn_action(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = penn(tmp_path / "0001.mat", **changes)
    with pytest.raises(DataError, match=message) as caught:
        read_penn_action(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
def test_names_in_the_head(tmp_path: Path, compressed: bool) -> None:
    savemat(tmp_path / "a.mat", {"one": np.ones((9, 9)), "two": "text"}, do_compression=compressed)
    data = (tmp_path / "a.mat").read_bytes()
    assert mat_names(data) == {"one", "two"}
    assert mat_names(data[:300]) <= {"one", "two"}
    assert mat_names(b"") == mat_names(b"MATLAB" * 40) == frozenset()


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(kind: int, dims: tuple[int, ...], name: bytes, rest: bytes) -> bytes:
    head = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack(f"<{len(dims)}i", *dims))
    return element(14, head + element(1, name) + rest)


HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (matrix(6, (1 << 20, 1 << 20), b"x", element(9, bytes(8))), "declares 1099511627776 values"),
        (matrix(1, (1 << 15, 1 << 15), b"x", b""), "of MATLAB's class 1"),
        (matrix(6, (1, 1), b"x", element(99, bytes(8))), "of type 99"),  # scipy would crash
        (matrix(6 | 0x800, (1, 1), b"x", element(9, bytes(8))), "expected a plain array"),  # complex
        (matrix(6, (-5, 3), b"x", b""), "shape"),
        (struct.pack("<II", 14, 1 << 31), "ends within an element"),
        (element(15, zlib.compress(struct.pack("<II", 14, 1 << 30) + bytes(64))), "cut, or all have more"),
        (element(15, b"not zlib"), "cannot be read|can be read"),
    ],
)
def test_declarations_that_are_not_true(tmp_path: Path, body: bytes, message: str) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(HEADER + body)
    with pytest.raises(DataError, match=message):
        load_mat(path, ["x"])


def test_flags_that_we_and_scipy_read_otherwise(tmp_path: Path) -> None:
    """As one small element they are of a known class, as a long one of none, where scipy has no answer."""
    data = bytearray(HEADER + matrix(6, (1, 1), b"x", element(9, bytes(8))))
    data[139], data[142], data[144] = 16, 2, 70
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(DataError, match="is not a MATLAB file that can be read"):
        load_mat(tmp_path / "a.mat", ["x"])


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(64))
    with pytest.raises(DataError, match=r"MATLAB 7\.3"):
        load_mat(path, ["x"])
    path.write_bytes(b"hello")
    with pytest.raises(DataError, match="not a MATLAB file"):
        load_mat(path, ["x"])
    with pytest.raises(DataError, match="there is no file"):
        load_mat(tmp_path / "b.mat", ["x"])
