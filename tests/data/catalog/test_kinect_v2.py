"""NTU RGB+D and PKU-MMD from files to stores: classes, splits, labels, samples without skeletons."""

from __future__ import annotations

from pathlib import Path

import pytest
from ntu_files import ntu_text, person, pku_text

from hitrs.data import Segment, Store, import_dataset
from hitrs.data.catalog.lists import read_list
from hitrs.data.catalog.ntu import SUBJECTS_60, SUBJECTS_120
from hitrs.errors import DataError

BODY = ntu_text({"1": person(range(12))}, 12)


def ntu(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.skeleton").write_text(BODY)
    return folder


def parts(store: Store, protocol: str) -> dict[str, str]:
    return {store.name(int(i)): part for part in ("train", "test") for i in store.split(protocol, part)}


def test_published_numbers() -> None:
    assert (len(SUBJECTS_60), len(SUBJECTS_120)) == (20, 53)
    assert len(read_list("ntu120_classes")) == 120
    assert (len(read_list("ntu60_missing_skeletons")), len(read_list("ntu120_missing_skeletons"))) == (
        302,
        535,
    )
    train, test = (read_list(f"pku_mmd1_cross_subject_{part}") for part in ("train", "test"))
    assert (len(train), len(test), len(set(train) & set(test))) == (944, 132, 0)


def test_ntu60(tmp_path: Path) -> None:
    missing = read_list("ntu60_missing_skeletons")[0]
    names = ("S001C001P001R001A001", "S001C002P003R001A060", "S017C003P008R002A007")
    folder = ntu(tmp_path / "src" / "nturgb+d_skeletons", *names, missing)
    store = import_dataset(folder.parent, tmp_path / "store")
    assert store.meta["dataset"] == "ntu60"
    assert [(r.name, r.label, r.subject, r.camera) for r in store] == [
        (names[0], "drink water", "1", "1"),
        (names[1], read_list("ntu120_classes")[59], "3", "2"),
        (names[2], read_list("ntu120_classes")[6], "8", "3"),
    ]
    assert len(store.classes) == 60
    assert parts(store, "cross-subject") == {names[0]: "train", names[1]: "test", names[2]: "train"}
    assert parts(store, "cross-view") == {names[0]: "test", names[1]: "train", names[2]: "train"}
    assert any("1 sequences on the authors' list" in note for note in store.meta["notes"])


def test_ntu120(tmp_path: Path) -> None:
    names = ("S001C001P001R001A001", "S018C002P045R001A061", "S032C003P106R002A120")
    store = import_dataset(ntu(tmp_path / "src", *names), tmp_path / "store")
    assert store.meta["dataset"] == "ntu120"
    assert len(store.classes) == 120
    assert parts(store, "cross-subject") == {names[0]: "train", names[1]: "train", names[2]: "test"}
    assert parts(store, "cross-setup") == {names[0]: "test", names[1]: "train", names[2]: "train"}


def test_files_without_a_body_are_set_aside(tmp_path: Path) -> None:
    folder = ntu(tmp_path / "src", "S001C001P001R001A001", "S001C001P002R001A002")
    (folder / "S001C001P002R001A002.skeleton").write_text("2\n0\n0\n")
    store = import_dataset(folder, tmp_path / "store")
    assert len(store) == 1
    (left_out,) = store.meta["quarantined"]
    assert left_out["source"] == "S001C001P002R001A002.skeleton"
    assert "no body is seen" in left_out["reason"]


def pku(folder: Path, names: dict[str, str]) -> Path:
    for kind in ("skeletons", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, labels in names.items():
        (folder / "skeletons" / f"{name}.txt").write_text(pku_text([person(range(60))], 60))
        if labels:
            (folder / "labels" / f"{name}.txt").write_text(labels)
    return folder


def test_pku_mmd(tmp_path: Path) -> None:
    folder = pku(
        tmp_path / "src", {"0002-L": "3,41,60,1\n10,1,20,2\n", "0291-M": "51,31,70,2\n", "0003-R": ""}
    )
    store = import_dataset(folder, tmp_path / "store")
    assert store.meta["dataset"] == "pku-mmd1"
    assert [r.name for r in store] == ["0002-L", "0003-R", "0291-M"]
    assert store.segments(0) == (Segment(0, 20, "10"), Segment(40, 60, "3"))
    assert store.segments(2) == (Segment(30, 60, "51"),)
    assert "cut by 10 frames" in store.notes(2)[0]
    assert parts(store, "cross-view") == {"0002-L": "test", "0003-R": "train", "0291-M": "train"}
    assert parts(store, "cross-subject") == {"0002-L": "train", "0003-R": "train", "0291-M": "test"}
    assert any("1 sequences have no label file" in note for note in store.meta["notes"])


def test_pku_mmd_2(tmp_path: Path) -> None:
    store = import_dataset(
        pku(tmp_path / "src", {"A01N01-L": "1,1,5,1", "A26N08-R": "2,1,5,1"}), tmp_path / "s"
    )
    assert store.meta["dataset"] == "pku-mmd2"
    assert store.protocols == ("cross-view",)


@pytest.mark.parametrize(
    ("labels", "message"),
    [("52,1,5,1", "no class 52"), ("1,200,210,1", "but the skeletons have 60 frames"), ("1,5", "line 1")],
)
def test_bad_pku_labels(tmp_path: Path, labels: str, message: str) -> None:
    folder = pku(tmp_path / "src", {"0002-L": labels})
    with pytest.raises(DataError, match=message):
        import_dataset(folder, tmp_path / "store", strict=True)
