"""UI-PRMD: made-up files in its form, and the data set itself where the folder of real data is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hitrs.data import ImportOptions, Store, import_dataset, inspect_store
from hitrs.errors import DataError
from hitrs.skeleton import get_layout, map_positions
from hitrs.skeleton.standing import standing_pose

MARKERS = get_layout("plugin_gait39")
KINECT = get_layout("kinect20")


def put(path: Path, frames: int = 4) -> None:
    """A standing body that moves sideways; z points up, x forward."""
    aside, up = standing_pose(MARKERS).T
    body = np.stack([np.full_like(up, 0.1), aside, up], -1) + 0.01 * np.arange(frames)[:, None, None]
    np.savez(path, markers=(body * 10_000).round().astype(np.int16))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "ui_prmd_vicon"
    folder.mkdir()
    for name in ("m01_s01_e01", "m03_s02_e10", "m10_s09_e02"):
        put(folder / f"{name}.npz")
    return folder


def test_made_up_files(folder: Path, tmp_path: Path) -> None:
    store = import_dataset(folder.parent, tmp_path / "store")
    assert (store.meta["dataset"], store.layout, len(store.classes)) == ("ui-prmd", MARKERS, 10)
    assert [(r.name, r.label, r.subject, r.fps, r.source) for r in store] == [
        ("m01_s01_e01", "deep squat", "1", 50, "ui_prmd_vicon/m01_s01_e01.npz"),
        ("m03_s02_e10", "inline lunge", "2", 50, "ui_prmd_vicon/m03_s02_e10.npz"),
        ("m10_s09_e02", "shoulder scaption", "9", 50, "ui_prmd_vicon/m10_s09_e02.npz"),
    ]
    assert store.protocols == ("odd-even",)
    assert store.split("odd-even", "train").tolist() == [0, 2]
    assert store.split("odd-even", "test").tolist() == [1]
    assert "the whole data set has 990 sequences, 3 are here" in store.meta["notes"]


def test_import_to_the_joints_of_kinect(folder: Path, tmp_path: Path) -> None:
    recording = import_dataset(folder, tmp_path / "store", ImportOptions(to="kinect20"))[0]
    unseen = [
        joint for joint, seen in zip(KINECT.joints, recording.valid.all((0, 1)), strict=True) if not seen
    ]
    assert unseen == ["left_hip", "right_hip"]
    place = dict(zip(KINECT.joints, recording.positions[0, 0], strict=True))
    assert place["head"][2] > place["spine_shoulder"][2] > place["spine"][2] > place["pelvis"][2]
    assert place["left_elbow"][2] > place["left_wrist"][2]
    assert place["left_knee"][1] > place["pelvis"][1] > place["right_knee"][1]


def test_files_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    put(folder / "m11_s01_e01.npz")
    np.savez(folder / "m01_s01_e02.npz", markers=np.zeros((4, 20, 3), np.int16))
    (folder / "m01_s01_e00.npz").write_bytes(b"PK")  # the first one, by which others would be told
    store = import_dataset(folder, tmp_path / "store")
    assert len(store) == 3
    reasons = {each["source"]: each["reason"] for each in store.meta["quarantined"]}
    assert "may be damaged" in reasons["m01_s01_e00.npz"]
    assert "39 markers" in reasons["m01_s01_e02.npz"]
    assert "no action 11; its actions are 1 to 10" in reasons["m11_s01_e01.npz"]
    with pytest.raises(DataError, match="m01_s01_e00"):
        import_dataset(folder, tmp_path / "strict", strict=True)


def test_own_files_of_such_names_are_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    np.savez(own / "m01_s01_e01.npz", positions=np.ones((3, 20, 3)), layout="kinect20")
    assert import_dataset(own, tmp_path / "store").meta["dataset"] == "folder"


@pytest.fixture(scope="module")
def ui_prmd(hitrs_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Store:
    stores = tmp_path_factory.mktemp("stores")
    return import_dataset(hitrs_data("ui_prmd_vicon"), stores / "ui_prmd", strict=True)


def test_counts(ui_prmd: Store) -> None:
    assert (len(ui_prmd), len(ui_prmd.classes), len(ui_prmd.subject_names)) == (990, 10, 10)
    assert (len(ui_prmd.split("odd-even", "train")), len(ui_prmd.split("odd-even", "test"))) == (490, 500)
    assert (ui_prmd.frames.sum(), ui_prmd.frames.min(), ui_prmd.frames.max()) == (121_504, 53, 273)
    repetitions = np.zeros((10, 10), int)
    np.add.at(repetitions, (ui_prmd.labels, ui_prmd.subjects), 1)
    (without,) = np.argwhere(repetitions != 10).tolist()
    assert repetitions[tuple(without)] == 0
    assert (ui_prmd.classes[without[0]], ui_prmd.subject_names[without[1]]) == ("inline lunge", "3")
    assert len(ui_prmd.duplicates("odd-even")) == 0


def test_bodies(ui_prmd: Store) -> None:
    found = inspect_store(ui_prmd)
    assert (found.unit, found.up, found.fps) == ("meters", "z", {"50": 990})
    knees, ankles = (
        [MARKERS.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("knee", "ankle")
    )
    lost = 0
    for number in range(len(ui_prmd)):
        positions, valid = ui_prmd.positions(number)[:, 0], ui_prmd.valid(number)[:, 0]
        lost += (~valid).sum()
        shanks = np.linalg.norm(positions[:, knees] - positions[:, ankles], axis=-1)
        shanks = shanks[valid[:, knees] & valid[:, ankles]]
        assert 0.3 < np.median(shanks) < 0.5
        middle = (positions * valid[..., None]).sum(1) / valid.sum(1)[:, None]
        assert np.linalg.norm(positions - middle[:, None], axis=-1)[valid].max() < 3
        assert positions[valid][:, 2].min() > -0.1  # nobody is under the floor
        assert valid[:, list(MARKERS.center)].all()
    assert lost == 3562


def test_bodies_as_kinect_would_have_seen_them(ui_prmd: Store) -> None:
    head = KINECT.index("head")
    feet = [KINECT.index("left_foot"), KINECT.index("right_foot")]
    headless = []
    for number in range(len(ui_prmd)):
        positions, valid = map_positions(ui_prmd.positions(number), ui_prmd.valid(number), MARKERS, KINECT)
        assert valid.any((0, 1)).sum() >= 15
        assert np.median(valid.sum(-1)) >= 15
        above = positions[..., [head], 2] - positions[..., feet, 2]
        seen = valid[..., [head]] & valid[..., feet]
        if seen.any():
            assert above[seen].min() > 0  # also over the foot of a leg that is raised
            standing = np.where(seen, above, 0).max(-1)[seen.all(-1)]
            assert standing.min(initial=np.inf) > 0.5  # over the other foot, also in a deep squat
        else:
            headless.append(ui_prmd.name(number))
    assert headless == ["m03_s01_e01"]  # one of its four markers was never seen
