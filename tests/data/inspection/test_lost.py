"""Joints that a tracker has lost are found, and what only looks like it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bodies import KINECT, people
from hitrs.data import Recording, import_dataset, summarize_import, write_npz, write_store
from hitrs.data.cleaning import MaskLost, clean_store
from hitrs.data.inspection.lost import find_lost, flat_axes
from hitrs.skeleton import get_layout

WRIST, PELVIS = KINECT.index("left_wrist"), KINECT.index("pelvis")


def lost_of(positions: np.ndarray, valid: np.ndarray) -> dict[str, int]:
    lost = find_lost(positions, valid, KINECT)
    return {kind: int(getattr(lost, kind).sum()) for kind in ("together", "zero", "stuck")}


def nothing() -> dict[str, int]:
    return {"together": 0, "zero": 0, "stuck": 0}


def test_people_in_motion_have_lost_nothing() -> None:
    assert lost_of(*people(60, persons=2)) == nothing()


@pytest.mark.parametrize("place", [0.0, 1.3])
def test_a_body_at_one_point(place: float) -> None:
    positions, valid = people(30, persons=2)
    positions[4:9, 1] = place
    assert lost_of(positions, valid) == {**nothing(), "together": 5 * 20}
    assert find_lost(positions, valid, KINECT).together[4:9, 1].all()


def test_most_of_a_body_at_one_point_leaves_the_rest() -> None:
    positions, valid = people(30)
    positions[4, 0, :12] = positions[4, 0, 0]
    assert lost_of(positions, valid) == {**nothing(), "together": 12}
    positions[4, 0, 5:12] = people(30, seed=1)[0][4, 0, 5:12]  # five of twenty may meet
    assert lost_of(positions, valid) == nothing()


def test_a_recording_at_one_point_throughout() -> None:
    positions, valid = people(8)
    assert lost_of(np.ones_like(positions), valid)["together"] == valid.size
    assert lost_of(np.zeros_like(positions), valid)["together"] == valid.size


def test_zeros_now_and_then_or_far_away() -> None:
    positions, valid = people(30)
    positions[..., 2] += 3  # in front of a camera
    positions[7, 0, WRIST] = 0
    assert lost_of(positions, valid) == {**nothing(), "zero": 1}
    positions[:, 0, WRIST] = 0
    assert lost_of(positions, valid) == {**nothing(), "zero": 30}


def test_the_center_of_centered_data_is_not_lost_but_a_hand_there_is() -> None:
    positions, valid = people(30)
    positions = positions - positions[:, :, [PELVIS]]
    assert lost_of(positions, valid) == nothing()
    positions[7, 0, WRIST] = 0
    assert lost_of(positions, valid) == {**nothing(), "zero": 1}


def test_a_root_that_starts_at_the_origin_is_not_lost() -> None:
    positions, valid = walking(60)
    positions = positions - positions[0, 0, PELVIS]
    assert not positions[0, 0, PELVIS].any()
    assert lost_of(positions, valid)["zero"] == 0


def walking(frames: int = 40) -> tuple[np.ndarray, np.ndarray]:
    positions, valid = people(frames)
    positions[..., 0] += np.linspace(0, 3, frames, dtype=np.float32)[:, None, None]
    return positions, valid


def test_a_joint_that_is_left_behind_is_stuck() -> None:
    positions, valid = walking()
    positions[10:30, 0, WRIST] = positions[10, 0, WRIST]
    assert lost_of(positions, valid) == {**nothing(), "stuck": 20}
    assert find_lost(positions, valid, KINECT).stuck[10:30, 0, WRIST].all()


def test_a_foot_on_the_floor_is_not_stuck() -> None:
    positions, valid = people(40)
    for part in ("left_foot", "right_foot"):  # in rounded coordinates it keeps its exact place
        positions[:, 0, KINECT.index(part)] = positions[0, 0, KINECT.index(part)]
    assert lost_of(positions, valid) == nothing()


def test_in_images_bones_shorten_and_nothing_is_called_stuck() -> None:
    layout = get_layout("coco17")
    rng = np.random.default_rng(0)
    positions = np.cumsum(rng.normal(0, 5, (40, 1, 17, 2)), axis=0)
    positions[5:30, 0, 3] = positions[5, 0, 3]
    assert not find_lost(positions, np.ones((40, 1, 17), bool), layout).any_kind.any()


def test_a_coordinate_that_never_changes() -> None:
    positions, valid = people(10)
    assert flat_axes(positions, valid) == ""
    positions[..., 2] = 4
    assert flat_axes(positions, valid) == "z"
    assert flat_axes(positions, np.zeros_like(valid)) == ""


def files(folder: Path) -> Path:
    """One recording that is fine, one with five frames at one point, one of zeros."""
    folder.mkdir()
    for number, name in enumerate(("fine", "met", "zeros")):
        positions, valid = people(20, seed=number)
        if name == "met":
            positions[3:8] = 1
        if name == "zeros":
            positions[:] = 0
        write_npz(Recording(positions, valid, KINECT, name), folder / f"{name}.npz")
    return folder


def test_an_import_marks_them_says_so_and_can_leave_them(tmp_path: Path) -> None:
    source = files(tmp_path / "files")
    store = import_dataset(source, tmp_path / "store")
    seen = {store.name(n): int(store.valid(n).sum()) for n in range(3)}
    assert seen == {"fine": 400, "met": 300, "zeros": 0}
    assert store.notes(1) == ("lost joints: 100 at one point; they count as not seen",)
    text = "\n".join(summarize_import(store).lines())
    assert "! lost      in 2 recordings joints that the tracker had lost count as not seen" in text
    assert "--keep-lost" in text
    kept = import_dataset(source, tmp_path / "kept", keep_lost=True)
    assert kept.joints_seen == kept.joints_total
    assert "! lost" not in "\n".join(summarize_import(kept).lines())


def test_two_processes_mark_the_same(tmp_path: Path) -> None:
    source = files(tmp_path / "files")
    one, two = (import_dataset(source, tmp_path / str(n), workers=n) for n in (1, 2))
    assert one.fingerprint == two.fingerprint


def test_cleaning_marks_them_in_a_store_that_is_there(tmp_path: Path) -> None:
    positions, valid = people(20)
    positions[3:8] = 1
    write_store(tmp_path / "store", [Recording(positions, valid, KINECT)])
    cleaned = clean_store(tmp_path / "store", tmp_path / "cleaned", [MaskLost()])
    assert not cleaned.valid(0)[3:8].any()
    assert cleaned.valid(0)[8:].all()
    assert cleaned.meta["cleaning"] == [{"operation": "lost", "options": {}, "recordings": 1, "values": 100}]
    assert cleaned.repairs == ["lost"]
    assert cleaned.raw is not None
    assert cleaned.raw.valid(0).all()
