"""UI-PRMD markers: units, lost markers, and what is said about files that are something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hitrs.data.formats.format import Head
from hitrs.data.formats.registry import find_format
from hitrs.data.formats.ui_prmd import FORMAT, read_ui_prmd
from hitrs.errors import DataError
from hitrs.skeleton import get_layout


def markers(frames: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 20_000, (frames, 39, 3)).astype(np.int16)


def put(path: Path, **content: np.ndarray) -> Path:
    np.savez(path, **content)
    return path


@pytest.mark.parametrize("order", ["<i2", ">i2"])
def test_markers_in_meters(tmp_path: Path, order: str) -> None:
    values = markers()
    values[1, 4], values[2, 7] = 0, (0, 0, 5)
    path = put(tmp_path / "m01_s02_e03.npz", markers=values.astype(order))
    assert find_format(path) is FORMAT
    found = read_ui_prmd(path)
    assert (found.name, found.fps, found.layout) == ("m01_s02_e03", 50, get_layout("plugin_gait39"))
    assert np.argwhere(~found.valid).tolist() == [[1, 0, 4]]  # at (0, 0, 0) in all three coordinates only
    np.testing.assert_allclose(found.positions[:, 0], values / 10_000, rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"markers": markers()[:0]}, "no frames"),
        ({"markers": markers()[:, :38]}, r"shape \(3, 38, 3\), expected int16 .*39 markers"),
        ({"markers": markers()[..., :2]}, r"shape \(3, 39, 2\)"),
        ({"markers": markers()[0]}, r"shape \(39, 3\)"),
        ({"markers": markers() / 10}, "is float64 of shape .* tenths of a millimeter"),
        ({"markers": markers().astype(np.uint16)}, "is uint16"),
        ({"markers": markers().astype(np.int32)}, "is int32"),
        ({"marker": markers()}, "no array 'markers', expected int16"),
        ({"markers": np.array(["a", None], object)}, "pickled objects"),
    ],
)
def test_bad_files(tmp_path: Path, content: dict[str, np.ndarray], message: str) -> None:
    path = put(tmp_path / "m01_s01_e01.npz", **content)
    with pytest.raises(DataError, match=message) as caught:
        read_ui_prmd(path)
    assert str(path) in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        read_ui_prmd(tmp_path / "m01_s01_e01.npz")
    path = put(tmp_path / "m01_s01_e01.npz", markers=markers())
    with pytest.raises(DataError, match="'kinect20' was asked for"):
        read_ui_prmd(path, get_layout("kinect20"))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="may be damaged"):
        read_ui_prmd(path)
    other = put(tmp_path / "walk.npz", positions=np.zeros((2, 20, 3)))
    assert not FORMAT.matches(Head.of(other))
