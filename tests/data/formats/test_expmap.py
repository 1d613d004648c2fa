"""Exponential maps: what lines become, the published reference, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hitrs.data.formats.expmap import FORMAT, read_expmap
from hitrs.data.formats.format import Head
from hitrs.errors import DataError
from hitrs.skeleton import get_layout
from hitrs.skeleton.kinematics import get_tree


def write(path: Path, rows: np.ndarray) -> Path:
    path.write_text("\n".join(",".join(f"{value:.9g}" for value in row) for row in rows) + "\n")
    return path


@pytest.mark.parametrize(("columns", "layout", "fps"), [(117, "cmu38", 120), (99, "h36m32", 50)])
def test_without_rotations_the_bones_stand_as_published(
    tmp_path: Path, columns: int, layout: str, fps: float
) -> None:
    rows = np.zeros((3, columns))
    rows[:, :6] = np.random.default_rng(0).normal(size=(3, 6))  # global movement is left out
    path = write(tmp_path / "walking_1.txt", rows)
    assert FORMAT.matches(Head.of(path))
    recording = read_expmap(path)
    assert (recording.layout, recording.fps, recording.name) == (get_layout(layout), fps, "walking_1")
    assert recording.valid.all()
    assert any("left out" in note for note in recording.notes)
    bones = recording.positions[:, 0] - recording.positions[:, 0, list(recording.layout.parents)]
    np.testing.assert_allclose(bones, np.tile(get_tree(layout).offsets, (3, 1, 1)), atol=1e-6)


def test_rotation_of_a_knee_moves_only_what_lies_below(tmp_path: Path) -> None:
    rows = np.zeros((1, 117))
    layout = get_layout("cmu38")
    knee = layout.index("left_knee")
    rest = read_expmap(write(tmp_path / "a.txt", rows)).positions[0, 0]
    rows[0, 3 + 3 * knee] = 0.5
    bent = read_expmap(write(tmp_path / "b.txt", rows)).positions[0, 0]
    moved = {layout.joints[j] for j in np.flatnonzero(np.abs(bent - rest).max(-1) > 1e-6)}
    assert moved == {"left_ankle", "left_foot", "left_toe"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "117"),
        ("1,2,3\n", "3 comma-separated columns"),
        (",".join(["0"] * 117) + "\n" + ",".join(["0"] * 116) + "\n", r"line 2 \(frame 1\): 116 numbers"),
        ("\n" + ",".join(["0"] * 98 + ["x"]) + "\n", r"line 2 \(frame 0\): 'x' in column 99"),
        (",".join(["0"] * 98 + ["nan"]) + "\n", "finite"),
        (",".join(["1e308"] * 99) + "\n", "too large|finite"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "walking_1.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_expmap(path)


def test_other_files_are_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    for content in (b"", b"1,2,3\n", b"\xff\xfe" * 50, (b"a," * 98) + b"a\n"):
        path.write_bytes(content)
        assert not FORMAT.matches(Head.of(path))
    path.write_bytes(b"0," * 98 + b"\xff")
    with pytest.raises(DataError, match="UTF-8"):
        read_expmap(path)
    with pytest.raises(DataError, match="cannot read"):
        read_expmap(tmp_path / "none.txt")
    with pytest.raises(DataError, match="asked for"):
        read_expmap(write(tmp_path / "b.txt", np.zeros((1, 99))), get_layout("cmu38"))


def test_reference(hitrs_data: Callable[[str], Path]) -> None:
    folder = hitrs_data("cmu_expmap")
    reference = folder.parent.parent / "reference" / "cmu_expmap_xyz.npz"
    if not reference.is_file():
        pytest.skip(f"there is no {reference.name} in a folder 'reference' beside HITRS_DATA")
    with np.load(reference, allow_pickle=False) as expected:
        assert len(expected.files) == 6
        for action in expected.files:
            found = read_expmap(folder / "test" / action / f"{action}_1.txt").positions[:20, 0]
            np.testing.assert_allclose(found * 1000.0, expected[action], atol=1e-3)
