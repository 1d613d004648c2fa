"""Import finds public data sets by their files, refuses what makes no sense, and leaves no half stores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from hitrs.data import Store, import_dataset, summarize_import
from hitrs.errors import DataError


def skeletons(seed: int, frames: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, 20, 3)).round(5)


def put_nw_ucla(folder: Path, name: str, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"skeletons": skeletons(seed).tolist(), "label": 1}))


@pytest.fixture
def nw_ucla(tmp_path: Path) -> Path:
    """Four sequences, of which a camera-3 one is an exact duplicate of a camera-2 one."""
    folder = tmp_path / "nw_ucla"
    for seed, name in enumerate(["a01_s01_e00_v01", "a02_s10_e03_v02", "a12_s02_e01_v03"]):
        put_nw_ucla(folder / "all_sqe", name, seed)
    put_nw_ucla(folder / "all_sqe", "a02_s10_e03_v03", 1)
    return folder


@pytest.fixture
def utd_mhad(tmp_path: Path) -> Path:
    folder = tmp_path / "utd_mhad" / "Skeleton"
    folder.mkdir(parents=True)
    for seed, name in enumerate(["a1_s1_t1", "a27_s2_t4", "a10_s8_t2"]):
        savemat(folder / f"{name}_skeleton.mat", {"d_skel": np.moveaxis(skeletons(seed), 0, 2)})
    (folder / "Skeleton_joint_order.txt").write_text("1. head;")
    return folder.parent


def test_nw_ucla(nw_ucla: Path, tmp_path: Path) -> None:
    store = import_dataset(nw_ucla, tmp_path / "stores" / "nw")
    assert [(r.name, r.label, r.subject, r.camera) for r in store] == [
        ("a01_s01_e00_v01", "pick up with one hand", "1", "1"),
        ("a02_s10_e03_v02", "pick up with two hands", "10", "2"),
        ("a02_s10_e03_v03", "pick up with two hands", "10", "3"),
        ("a12_s02_e01_v03", "carry", "2", "3"),
    ]
    assert store.labels.tolist() == [0, 1, 1, 9]
    assert store[0].source == "all_sqe/a01_s01_e00_v01.json"
    assert store.split("cross-view", "train").tolist() == [0, 1]
    assert store.split("cross-view", "test").tolist() == [2, 3]
    assert store.duplicates("cross-view").tolist() == [2]
    assert store.meta["dataset"] == "nw-ucla"
    # The folder of the files itself is found too.
    assert len(import_dataset(nw_ucla / "all_sqe", tmp_path / "stores" / "again")) == 4


def test_utd_mhad(utd_mhad: Path, tmp_path: Path) -> None:
    store = import_dataset(utd_mhad, tmp_path / "store")
    assert [(r.name, r.label, r.subject) for r in store] == [
        ("a10_s8_t2_skeleton", "draw circle counter-clockwise", "8"),
        ("a1_s1_t1_skeleton", "swipe left", "1"),
        ("a27_s2_t4_skeleton", "squat", "2"),
    ]
    assert store.split("odd-even", "train").tolist() == [1]
    assert len(store.classes) == 27
    np.testing.assert_allclose(store.positions(1)[:, 0], skeletons(0), rtol=1e-6)


def test_summary(nw_ucla: Path, tmp_path: Path) -> None:
    lines = summarize_import(import_dataset(nw_ucla, tmp_path / "store")).lines()
    assert "protocol    cross-view: 2 train, 2 test" in lines
    assert "            1 of the test recordings is an exact copy of a training one" in lines
    assert "note        the whole data set has 1484 sequences, 4 are here" in lines
    assert lines[-1] == "recordings  4"
    summary = summarize_import(Store.open(tmp_path / "store"))
    assert summary.lines() == lines
    assert json.loads(json.dumps(summary.to_dict()))["frames"] == 12


def test_missing_or_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        import_dataset(tmp_path / "nowhere", tmp_path / "store")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no files of a known data set"):
        import_dataset(tmp_path / "empty", tmp_path / "store")
    for name in ("nw-ucla", "utd-mhad", "folder"):
        with pytest.raises(DataError, match=f"no files of {name}"):
            import_dataset(tmp_path / "empty", tmp_path / "store", dataset=name)
    with pytest.raises(DataError, match="no data set 'ucla'; did you mean 'nw-ucla'"):
        import_dataset(tmp_path / "empty", tmp_path / "store", dataset="ucla")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", ["a07_s01_e00_v01", "a13_s01_e00_v01"])
def test_unknown_action(nw_ucla: Path, tmp_path: Path, name: str) -> None:
    put_nw_ucla(nw_ucla / "all_sqe", name, 0)
    with pytest.raises(DataError, match="NW-UCLA has no action"):
        import_dataset(nw_ucla, tmp_path / "store", strict=True)


def test_unknown_utd_action(utd_mhad: Path, tmp_path: Path) -> None:
    savemat(utd_mhad / "Skeleton" / "a28_s1_t1_skeleton.mat", {"d_skel": np.ones((20, 3, 2))})
    with pytest.raises(DataError, match="UTD-MHAD has no action 28"):
        import_dataset(utd_mhad, tmp_path / "store", strict=True)


def test_a_damaged_file_leaves_nothing(nw_ucla: Path, tmp_path: Path) -> None:
    file = nw_ucla / "all_sqe" / "a12_s02_e01_v03.json"
    file.write_text(file.read_text()[:-50])
    with pytest.raises(DataError, match=r"a12_s02_e01_v03\.json is not complete JSON"):
        import_dataset(nw_ucla, tmp_path / "stores" / "nw", strict=True)
    assert list((tmp_path / "stores").iterdir()) == []
    store = import_dataset(nw_ucla, tmp_path / "stores" / "nw")
    assert len(store) == 3
    assert "a12_s02_e01_v03.json" in summarize_import(store).quarantined[0][0]


def test_published_data_has_a_fixed_layout_and_split(nw_ucla: Path, tmp_path: Path) -> None:
    for options in ({"layout": "ntu25"}, {"test_subjects": ["1"]}, {"split": "random"}):
        with pytest.raises(DataError, match="fixed layout"):
            import_dataset(nw_ucla, tmp_path / "store", **options)  # type: ignore[arg-type]
    assert len(import_dataset(nw_ucla, tmp_path / "store", layout="kinect20")) == 4


def test_the_destination_is_checked_first(nw_ucla: Path, utd_mhad: Path, tmp_path: Path) -> None:
    import_dataset(nw_ucla, tmp_path / "store")
    with pytest.raises(DataError, match="exists already"):
        import_dataset(utd_mhad, tmp_path / "store")
    assert len(import_dataset(utd_mhad, tmp_path / "store", overwrite=True)) == 3
    with pytest.raises(DataError, match="will not be replaced"):
        import_dataset(nw_ucla, nw_ucla, overwrite=True)
    assert (nw_ucla / "all_sqe").is_dir()
