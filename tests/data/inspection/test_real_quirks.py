"""The known quirks of the real data sets are found (in the folder that HITRS_DATA names)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hitrs.data import Inspection, import_dataset, inspect_store

Inspect = Callable[[str], Inspection]


@pytest.fixture
def inspected(hitrs_data: Callable[[str], Path], tmp_path: Path) -> Inspect:
    return lambda name: inspect_store(import_dataset(hitrs_data(name), tmp_path / name))


def test_nw_ucla(inspected: Inspect) -> None:
    found = inspected("nw_ucla")
    assert found.one_frame == ("a02_s09_e04_v02", "a02_s09_e04_v03")
    assert len(found.duplicates["cross-view"]) == len(found.copies) == 95
    assert {name[:3] for name in found.duplicates["cross-view"]} == {"a02", "a03"}
    assert (found.near_duplicates, found.contradictions) == ({"cross-view": ()}, ())
    assert (found.unit, found.up, found.swaps, found.odd_unit) == ("meters", "y", {}, {})
    assert "! leak          cross-view: 95 test recordings are exact copies of training ones" in found.lines()


def test_utd_mhad(inspected: Inspect) -> None:
    found = inspected("utd_mhad")
    assert (found.unit, found.up, found.copies, found.nobody) == ("meters", "y", (), ())
    assert set(found.classes.values()) == {31, 32}


def test_precog(inspected: Inspect) -> None:
    found = inspected("precog2016")
    assert found.nobody == ("Seq2_10", "Seq4_10")
    assert set(found.glitches) == {"Seq1_10", "Seq6_3"}
    assert (found.unit, found.up, found.copies) == ("meters", "y", ())


def test_penn_action(inspected: Inspect) -> None:
    found = inspected("penn_action")
    assert (found.unit, found.up, found.recordings) == ("pixels", "-y", 2326)
    assert all(0.02 < share < 0.13 for share in found.unseen.values())
    assert len(found.unseen) == 13
    assert any("marked invisible" in note and count == 2104 for note, count in found.notes.items())
    assert found.frozen == ("1516", "1929")


def test_cmu_motion(inspected: Inspect) -> None:
    found = inspected("cmu_expmap")
    assert len(found.breaks) > 80  # the first frame of most files is a calibration pose
    assert (found.unit, found.up) == ("meters", "y")


def test_bvh(inspected: Inspect) -> None:
    found = inspected("cmu_bvh")
    assert (found.unit, found.up, found.fps) == ("centimeters", "y", {"120": 12})
