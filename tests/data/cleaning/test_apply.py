"""A cleaned store keeps all that is known, says what was done, and has the raw values inside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import assert_same, make

from hitrs.data import Recording, Segment, Store, inspect_store, write_store
from hitrs.data.cleaning import FillGaps, Resample, ToMeters, TurnUp, apply, clean_store
from hitrs.errors import DataError
from hitrs.skeleton import get_layout


def items() -> list[Recording]:
    holes = make("holes", frames=8, persons=2, seed=1)
    valid = holes.valid.copy()
    valid[3, 1, 5] = False
    holes.positions[4, 1, 5] = holes.positions[2, 1, 5]
    return [
        replace(holes, valid=valid, subject="ann", camera="1", fps=30.0, label="walk", notes=("one ghost",)),
        make("whole", frames=6, subject="ben", fps=30.0, source="b/whole.csv"),
        make("cut", frames=7, fps=30.0, segments=(Segment(0, 3, "walk"), Segment(3, 7, "fall"))),
    ]


@pytest.fixture
def raw(tmp_path: Path) -> Store:
    return write_store(
        tmp_path / "raw",
        items(),
        layout=get_layout("kinect20"),
        classes=("walk", "fall"),
        protocols={"p": lambda r: {"holes": "train", "whole": "test", "cut": None}[r.name]},
        meta={"dataset": "own", "units": "millimeters", "quarantined": [{"source": "x", "reason": "bad"}]},
    )


def test_everything_that_is_known_stays(raw: Store, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    store = clean_store(raw.path, tmp_path / "clean", [FillGaps(3)], progress=lambda *n: done.append(n))
    assert done == [(1, 3), (2, 3), (3, 3)]
    for before, after in zip(raw, store, strict=True):
        if before.name != "holes":
            assert_same(before, after)
        assert after.source == before.source
        assert (after.label, after.subject, after.camera) == (before.label, before.subject, before.camera)
        assert after.notes[: len(before.notes)] == before.notes
    assert store.notes(0) == ("one ghost", "1 joints in gaps of at most 3 frames filled by interpolation")
    for name in ("classes", "subject_names", "camera_names", "protocols"):
        assert getattr(store, name) == getattr(raw, name)
    for part in ("train", "test"):
        np.testing.assert_array_equal(store.split("p", part), raw.split("p", part))
    step = {"operation": "fill-gaps", "options": {"frames": 3}, "recordings": 1, "values": 1}
    assert store.meta == {**raw.meta, "cleaning": [step]}
    assert store.valid(0).all()
    assert inspect_store(store).cleaning == ("fill-gaps 3: 1 joints in 1 recordings changed",)
    assert Store.open(store.path, verify=True).fingerprint == store.fingerprint


def test_raw_values_are_the_first_ones(raw: Store, tmp_path: Path) -> None:
    once = clean_store(raw.path, tmp_path / "once", [ToMeters("mm")])
    twice = clean_store(once.path, tmp_path / "twice", [TurnUp("z"), Resample(15)])
    assert [step["operation"] for step in twice.meta["cleaning"]] == ["unit", "up", "fps"]
    assert "units" not in twice.meta
    for store in (once, twice):
        inside = store.raw
        assert inside is not None
        assert inside.fingerprint == raw.fingerprint
        assert Store.open(inside.path, verify=True).raw is None
        for one, other in zip(inside, raw, strict=True):
            assert_same(one, other)
    assert raw.raw is None


def test_raw_values_take_no_space_where_links_are_possible(
    raw: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = clean_store(raw.path, tmp_path / "linked", [FillGaps(1)])
    assert (linked.path / "raw" / "store.json").samefile(raw.path / "store.json")

    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(apply.os, "link", refuse)
    copied = clean_store(raw.path, tmp_path / "copied", [FillGaps(1)])
    assert not (copied.path / "raw" / "store.json").samefile(raw.path / "store.json")
    assert copied.raw is not None
    assert copied.raw.fingerprint == raw.fingerprint


def test_shards(raw: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "SHARD_RECORDINGS", 2)
    store = clean_store(raw.path, tmp_path / "clean", [FillGaps(3)])
    assert sorted(folder.name for folder in (store.path / "shards").iterdir()) == ["00000", "00001"]
    assert [recording.name for recording in store] == ["holes", "whole", "cut"]


def test_nothing_is_left_behind(raw: Store, tmp_path: Path) -> None:
    class Interrupted:
        name = "stop"

        def __call__(self, recording: Recording):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clean_store(raw.path, tmp_path / "clean", [Interrupted()])  # type: ignore[list-item]
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_destinations(raw: Store, tmp_path: Path) -> None:
    for place in (raw.path, raw.path / "inside", tmp_path):
        with pytest.raises(DataError, match="choose another destination"):
            clean_store(raw.path, place, [FillGaps(1)], overwrite=True)
    clean_store(raw.path, tmp_path / "clean", [FillGaps(1)])
    with pytest.raises(DataError, match="exists already"):
        clean_store(raw.path, tmp_path / "clean", [FillGaps(1)])
    clean_store(raw.path, tmp_path / "clean", [FillGaps(1)], overwrite=True)
    with pytest.raises(DataError, match="no store at"):
        clean_store(tmp_path / "nothing", tmp_path / "other", [FillGaps(1)])
