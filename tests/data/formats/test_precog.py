"""PRECOG tables: frames, labels, zeros, and what is said about bad ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hitrs.data.formats.precog import read_precog
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

NAMES = (
    "HipCenter; Spine; ShoulderCenter; Head; ShoulderLeft; ElbowLeft; WristLeft; HandLeft; ShoulderRight; "
    "ElbowRight; WristRight; HandRight; HipLeft; KneeLeft; AnkleLeft; FootLeft; HipRight; KneeRight; "
    "AnkleRight; FootRight"
)


def table(path: Path, joints: np.ndarray, labels: list[object], header: str = NAMES) -> Path:
    rows = [
        ";".join(" ".join(map(str, point)) for point in frame) + f";{label}"
        for frame, label in zip(joints.tolist(), labels, strict=True)
    ]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def body(frames: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(frames, 20, 3)).round(5)


def test_frames_and_segments(tmp_path: Path) -> None:
    joints = body(8)
    joints[2] = 0
    found = read_precog(table(tmp_path / "Seq1_1.csv", joints, [0, 1, 1, 2, 2, 0, 2, 8]))
    np.testing.assert_allclose(found.positions[:, 0], joints, rtol=1e-6)
    assert found.layout == get_layout("kinect20")
    assert np.flatnonzero(~found.valid.any((1, 2))).tolist() == [2]
    assert [(each.start, each.stop, each.label) for each in found.segments] == [
        (1, 3, "right punch"),
        (3, 5, "left punch"),
        (6, 7, "left punch"),
        (7, 8, "elbow strike"),
    ]


def test_columns_in_another_order(tmp_path: Path) -> None:
    names = NAMES.split("; ")
    joints = body(3)
    found = read_precog(table(tmp_path / "a.csv", joints[:, ::-1], [0, 0, 0], "; ".join(names[::-1])))
    np.testing.assert_allclose(found.positions[:, 0], joints, rtol=1e-6)


def test_all_zero(tmp_path: Path) -> None:
    found = read_precog(table(tmp_path / "Seq2_10.csv", np.zeros((4, 20, 3)), [0] * 4))
    assert not found.valid.any()
    assert "zero" in found.notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "line 1: expected the names"),
        (lambda text: text.replace("Spine", "Spin", 1), "line 1: expected the names"),
        (lambda text: text.split("\n")[0], "empty sequence"),
        (lambda text: text[:-40], "line 4"),
        (lambda text: text.replace(";3\n", ";9\n"), "frame 1 has the label 9"),
        (lambda text: text.replace(";3\n", ";1.5\n"), "frame 1 has the label 1.5"),
        (lambda text: text.replace(";3\n", ";x\n"), "line 3"),
    ],
)
def test_bad_tables(tmp_path: Path, change: Callable[[str], str], message: str) -> None:
    path = table(tmp_path / "Seq1_1.csv", body(3), [0, 3, 0])
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message) as caught:
        read_precog(path)
    assert str(path) in str(caught.value)
