"""What recordings are measured in: guessed on import, written down, told, and followed by cleaning."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bodies import KINECT, people
from hitrs.data import Recording, Store, import_dataset, summarize_import, write_npz, write_store
from hitrs.data.cleaning import ToMeters, TurnUp, clean_store
from hitrs.data.cleaning.operations import TURNS
from hitrs.data.conversion import convert
from hitrs.data.space import SAMPLE, Space, measure_space, sample, typical_space
from hitrs.data.writer import header_checksum
from hitrs.errors import DataError
from hitrs.skeleton import get_layout


def body(factor: float = 1.0, up: str = "y", seed: int = 0) -> Recording:
    """A person of 1.7 m whose coordinates are in another unit, and turned so that another axis points up."""
    positions, valid = people(12, seed=seed)
    if up != "y":
        positions = positions @ TURNS[up]  # the inverse: TURNS bring that axis to y
    return Recording(positions * np.float32(factor), valid, KINECT, name=f"body-{seed}")


@pytest.mark.parametrize(
    ("factor", "unit"), [(1, "meters"), (100, "centimeters"), (1000, "millimeters"), (20, "unclear")]
)
@pytest.mark.parametrize("up", ["y", "-y", "z", "x"])
def test_a_store_knows_its_unit_up_axis_and_bones(tmp_path: Path, factor: float, unit: str, up: str) -> None:
    store = write_store(tmp_path / "store", [body(factor, up, seed) for seed in range(3)])
    space = Store.open(store.path).space
    assert (space.unit, space.up, space.lying) == (unit, up, ())
    assert space.bone_length == pytest.approx(factor * 0.2, rel=0.2)
    assert store.meta["space"]["unit"] == unit


def test_most_recordings_decide_and_others_are_named() -> None:
    spaces = [measure_space(r.positions, r.valid, KINECT) for r in (body(), body(), body(), body(up="x"))]
    space = typical_space([*spaces, Space()])
    assert (space.up, space.lying) == ("y", ("x",))
    assert typical_space([Space()]) == Space()


def spaces_of(ups: str, unit: str = "meters") -> list[Space]:
    return [Space(unit, "unclear" if up == "u" else up, (0.2,)) for up in ups]


@pytest.mark.parametrize(("ups", "up"), [
    ("xxzz", "unclear"),
    ("xxzzyy", "unclear"),
    ("xuuuuu", "unclear"),  # the others suggest nothing
    ("xxz", "x"),
    ("xxuu", "x"),
    ("x", "x"),
])  # fmt: skip
def test_a_few_that_agree_by_chance_do_not_decide(ups: str, up: str) -> None:
    space = typical_space(spaces_of(ups))
    assert space.up == up
    assert set(space.lying) == {each for each in ups if each not in ("u", up)}
    units = [*spaces_of("yy"), *spaces_of("yy", "centimeters"), *spaces_of("y", "unclear")]
    assert typical_space(units).unit == "unclear"


def test_recordings_that_do_not_agree_are_not_turned_and_it_is_told() -> None:
    disagreed = typical_space(spaces_of("xxzz"))
    conversion = convert(disagreed, Space("meters", "y", (0.2,)))
    assert not conversion.changes
    assert conversion.notes == (
        "which axis points up is unclear (by some recordings x or z, y in the training data): none is turned",
    )
    assert "up axis unclear (by some recordings x or z)" in disagreed.describe()


def test_noise_has_no_up_axis(tmp_path: Path) -> None:
    """The recordings of the README, of which two happened to suggest an axis, which then turned all."""

    def walk(seed: int) -> Recording:
        positions = np.random.default_rng(seed).normal(size=(40, 25, 3)).cumsum(0) / 100
        return Recording(positions, layout="ntu25", name=str(seed))

    store = write_store(tmp_path / "store", [walk(seed) for seed in range(24)])
    assert store.space.up == "unclear"
    assert "do not agree on the axis that points up" in "\n".join(summarize_import(store).lines())


def test_a_store_of_before_is_measured_when_asked(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", [body(100, seed=seed) for seed in range(3)])
    file = store.path / "store.json"
    header = json.loads(file.read_text(encoding="utf-8"))
    del header["meta"]["space"]
    header["sha256"] = header_checksum(header)
    file.write_text(json.dumps(header), encoding="utf-8")
    old = Store.open(store.path)
    assert "space" not in old.meta
    assert old.space == store.space


def test_an_import_says_what_it_found_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for number in range(3):
        write_npz(body(1000, "z", number), tmp_path / "files" / f"{number}.npz")
    store = import_dataset(tmp_path / "files", tmp_path / "store")
    text = "\n".join(summarize_import(store).lines())
    assert "! bodies    millimeters, z points up" in text
    assert "--unit mm --up=z" in text


def test_cleaning_brings_it_up_to_date(tmp_path: Path) -> None:
    write_store(tmp_path / "store", [body(100, "z", seed) for seed in range(3)])
    cleaned = clean_store(tmp_path / "store", tmp_path / "cleaned", [ToMeters("cm"), TurnUp("z")])
    assert (cleaned.space.unit, cleaned.space.up) == ("meters", "y")
    assert cleaned.space.bone_length == pytest.approx(0.2, rel=0.2)
    assert cleaned.space.cleaning() == ""


def test_bodies_without_limbs_suggest_no_unit() -> None:
    layout = get_layout("hand21")
    hand = np.random.default_rng(0).uniform(0, 190, (10, 1, 21, 3))  # a hand in millimeters, not a body in cm
    space = measure_space(hand, np.ones((10, 1, 21), bool), layout)
    assert space.unit == "unclear"
    assert space.bone_length > 0


def test_nobody_seen() -> None:
    space = measure_space(np.zeros((5, 1, 20, 3)), np.zeros((5, 1, 20), bool), KINECT)
    assert not space.known
    assert np.isnan(space.bone_length)
    assert Space.from_dict(space.to_dict()) == space
    assert "no body" in space.describe()


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "yards"},
        {"up": 3},
        {"bones": ["a"]},
        {"bones": [-1.0]},
        {"bones": 4},
        {"lying": ["w"]},
        {"up": ["y"]},
        {"seen": 2},
        {"sides": "left"},
        {"bones": [10**400]},
    ],
)
def test_what_is_no_space_is_refused(change: dict[str, object]) -> None:
    recording = body()
    values = measure_space(recording.positions, recording.valid, KINECT).to_dict()
    assert Space.from_dict(json.loads(json.dumps(values))).to_dict() == values
    with pytest.raises(DataError):
        Space.from_dict({**values, **change})


def test_a_sample_is_spread_evenly_and_small() -> None:
    assert list(sample(3)) == [0, 1, 2]
    assert len(sample(100_000)) == SAMPLE
    assert (sample(100_000)[0], sample(100_000)[-1]) == (0, 99_999)
