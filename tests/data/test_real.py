"""Counts of the real data sets, where the folder that holds them is named by HITRS_DATA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hitrs.data import Store, import_dataset, inspect_store

Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def nw_ucla(hitrs_data: Folder, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset(hitrs_data("nw_ucla"), tmp_path_factory.mktemp("stores") / "nw_ucla")


@pytest.fixture(scope="module")
def utd_mhad(hitrs_data: Folder, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset(hitrs_data("utd_mhad"), tmp_path_factory.mktemp("stores") / "utd_mhad")


def test_nw_ucla_counts(nw_ucla: Store) -> None:
    train, test = nw_ucla.split("cross-view", "train"), nw_ucla.split("cross-view", "test")
    assert (len(nw_ucla), len(train), len(test)) == (1484, 1020, 464)
    assert (len(nw_ucla.classes), len(nw_ucla.subject_names), len(nw_ucla.camera_names)) == (10, 10, 3)
    assert {nw_ucla.camera_names[c] for c in nw_ucla.cameras[test]} == {"3"}
    assert (nw_ucla.frames.min(), nw_ucla.frames.max(), np.median(nw_ucla.frames)) == (1, 201, 31)
    assert (nw_ucla.frames[train] >= 19).sum() == 915


def test_nw_ucla_leak(nw_ucla: Store) -> None:
    duplicates = nw_ucla.duplicates("cross-view")
    rest = np.setdiff1d(nw_ucla.split("cross-view", "test"), duplicates)
    assert (len(duplicates), len(rest)) == (95, 369)
    assert {nw_ucla.classes[k] for k in nw_ucla.labels[duplicates]} == {
        "pick up with two hands",
        "drop trash",
    }


def test_utd_mhad_counts(utd_mhad: Store) -> None:
    assert (len(utd_mhad), len(utd_mhad.classes), len(utd_mhad.subject_names)) == (861, 27, 8)
    assert (len(utd_mhad.split("odd-even", "train")), len(utd_mhad.split("odd-even", "test"))) == (431, 430)
    assert len(utd_mhad.duplicates("odd-even")) == 0


def test_inspection_of_nw_ucla(nw_ucla: Store) -> None:
    found = inspect_store(nw_ucla)
    assert found.one_frame == ("a02_s09_e04_v02", "a02_s09_e04_v03")
    assert (found.short, found.unit, found.fps) == (11, "meters", {})
    assert len(found.duplicates["cross-view"]) == 95
    assert any("369 test recordings remain without them" in line for line in found.lines())
    assert not found.frozen
    assert not found.all_zero
