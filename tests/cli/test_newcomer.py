"""From files, as people have them, to a recognized action, with commands of the README."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

LABELS = ("rest", "shake")


def motion(label: str, joints: int, dims: int, seed: int) -> np.ndarray:
    """(30, J, C): bodies that shake or do not; the same whichever tests ran before."""
    rest = np.arange(joints * dims).reshape(joints, dims) % 7 / 5
    swing = 0.5 * np.sin(np.arange(30))[:, None, None] * (label == "shake")
    return rest + swing + 0.01 * np.random.default_rng(seed).normal(size=(30, joints, dims))


def numbers(path: Path, label: str, seed: int) -> None:
    np.savetxt(path.with_suffix(".txt"), motion(label, 20, 3, seed).reshape(30, 60), fmt="%.5f")


def array(path: Path, label: str, seed: int) -> None:
    np.save(path.with_suffix(".npy"), motion(label, 25, 3, seed))


def mice(path: Path, label: str, seed: int) -> None:
    parts = ["nose", "left_ear", "right_ear", "tail"]
    names = [f"{part},{part},{part}" for part in parts]
    xy = 100 * motion(label, 4, 2, seed)
    lines = ["scorer" + ",net" * 12, ",".join(["bodyparts", *names]), "coords" + ",x,y,likelihood" * 4]
    for frame, points in enumerate(xy):
        lines.append(",".join([str(frame), *(f"{x:.3f},{y:.3f},0.95" for x, y in points)]))
    path.with_suffix(".csv").write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("write", "options", "again"),
    [
        (numbers, ["--layout", "kinect20", "--columns", "x,y,z"], ["--columns", "x,y,z"]),
        (array, ["--layout", "ntu25"], []),
        (mice, [], []),
    ],
    ids=["numbers", "arrays", "DeepLabCut"],
)
def test_from_files_to_a_recognized_action(
    tmp_path: Path,
    quick: str,
    said: Callable[..., str],
    write: Callable,
    options: list[str],
    again: list[str],
) -> None:
    for part in ("mine", "new"):
        for n in range(8 if part == "mine" else 2):
            label = LABELS[n % 2]
            folder = tmp_path / part / label if part == "mine" else tmp_path / part
            folder.mkdir(parents=True, exist_ok=True)
            write(folder / f"{label}{n}", label, n + 8 * (part == "new"))
    store, found = tmp_path / "mine.store", tmp_path / "found.csv"
    assert "recordings  8" in said("import", tmp_path / "mine", store, *options, "--split", "random")
    said("pretrain", store, "--config", quick, "--out", tmp_path / "pretrained")
    said("probe", store, tmp_path / "pretrained", "--config", quick, "--out", tmp_path / "recognizer")
    said("recognize", tmp_path / "recognizer", tmp_path / "new", *again, "--out", found)
    with found.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [str(path) for path in sorted((tmp_path / "new").iterdir())]
    assert [row["label"] for row in rows] == ["rest", "shake"]
