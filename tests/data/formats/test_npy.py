"""Arrays of numpy, and the dicts of NTU RGB+D that scripts write as such."""

from pathlib import Path

import numpy as np
import pytest

from hitrs.data import read_recording
from hitrs.errors import DataError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("persons", [None, 2])
def test_an_array(tmp_path: Path, persons: int | None) -> None:
    array = RNG.normal(size=(7, 20, 3) if persons is None else (7, persons, 20, 3))
    array[1, ..., 4, :] = np.nan
    np.save(tmp_path / "walk.npy", array)
    recording = read_recording(tmp_path / "walk.npy", "kinect20")
    assert recording.positions.shape == (7, persons or 1, 20, 3)
    assert (~recording.valid).sum() == (persons or 1)
    np.testing.assert_allclose(recording.positions[0].reshape(-1, 3), array[0].reshape(-1, 3), rtol=1e-6)
    with pytest.raises(DataError, match=r"20 joints x 3.*--layout kinect20 .or utd20"):
        read_recording(tmp_path / "walk.npy")


def test_no_layout_fits(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 7, 3)))
    with pytest.raises(DataError, match=r"No known layout has 7 joints x 3.*layout file"):
        read_recording(tmp_path / "a.npy")


def test_bodies_of_ntu(tmp_path: Path) -> None:
    body = RNG.normal(size=(25, 3)) * [0.2, 0.5, 0.2] + np.cumsum(RNG.normal(size=(40, 1, 3)) * 0.05, 0)
    second = np.zeros((40, 25, 3))
    second[10:35] = body[10:35] + np.array([1.5, 0, 0])
    content = {"file_name": "S001C001P001R001A001", "nbodys": [1] * 40, "njoints": 25,
               "skel_body0": body, "skel_body1": second}  # fmt: skip
    path = tmp_path / "S001C001P001R001A001.skeleton.npy"
    np.save(path, content, allow_pickle=True)
    recording = read_recording(path)
    assert recording.name == "S001C001P001R001A001"
    assert recording.layout.name == "ntu25"
    seen = recording.valid.any(-1).sum(0)
    assert sorted(seen.tolist()) == [25, 40]
    whole = int(seen.argmax())
    np.testing.assert_allclose(recording.positions[:, whole], body, rtol=1e-5)


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def test_other_objects_are_never_opened(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.array({"skel_body0": Evil()}, dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"only plain containers"):
        read_recording("a.npy")
    assert not Path("executed").exists()
    np.save("b.npy", np.array({"joints": [1, 2]}, dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"no bodies of NTU"):
        read_recording("b.npy")


def test_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 20, 3)))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"declares an array .4, 20, 3. of float64 in 1,912 bytes"):
        read_recording(path, "kinect20")
    np.save(path, np.zeros((4, 60)))
    with pytest.raises(DataError, match=r"an array \(4, 60\) of float64; expected"):
        read_recording(path, "kinect20")


def test_a_header_that_does_not_end(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 20, 3)))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data.replace(b"}", b" "))
    with pytest.raises(DataError, match="is not an npy file that can be read"):
        read_recording(tmp_path / "a.npy", "kinect20")
