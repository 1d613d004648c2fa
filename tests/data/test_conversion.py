"""From one unit and up axis to another: what is clear is converted and told, what is not is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bodies import KINECT, people
from hitrs.data import Store, write_store
from hitrs.data.cleaning.operations import TURNS
from hitrs.data.conversion import convert
from hitrs.data.space import Space, measure_space

POSITIONS, VALID = people(12)
ADULTS = measure_space(POSITIONS, VALID, KINECT)


def space_of(positions: np.ndarray) -> Space:
    return measure_space(positions, VALID, KINECT)


@pytest.mark.parametrize("factor", [1000, 100, 1000 / 25.4, 10, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("size", [0.8, 1.0, 1.2])
def test_a_factor_that_is_a_unit_is_undone(factor: float, size: float) -> None:
    recorded = POSITIONS * np.float32(factor * size)
    conversion = convert(space_of(recorded), ADULTS)
    assert len(conversion.notes) == 1
    np.testing.assert_allclose(conversion(recorded), POSITIONS * size, rtol=1e-5)


def test_hands_and_animals_are_compared_with_their_own_kind() -> None:
    mouse = Space(bones=tuple(0.02 for _ in ADULTS.bones))
    assert not convert(Space(bones=tuple(0.025 for _ in ADULTS.bones)), mouse).notes
    assert convert(Space(bones=tuple(20.0 for _ in ADULTS.bones)), mouse).divisor == 1000


def test_a_part_of_a_body_is_enough() -> None:
    seen = VALID.copy()
    seen[..., [j for j, name in enumerate(KINECT.joints) if "foot" not in name and "ankle" not in name]] = (
        False
    )
    conversion = convert(measure_space(POSITIONS * 100, seen, KINECT), ADULTS)
    assert conversion.divisor == 100


@pytest.mark.parametrize("factor", [3.3, 0.3, 1e5])
def test_a_size_that_no_unit_explains_is_a_misfit(factor: float) -> None:
    conversion = convert(space_of(POSITIONS * np.float32(factor)), ADULTS)
    assert "no unit explains" in conversion.misfit
    assert not conversion.changes


def test_a_child_and_an_unknown_model_are_left_alone() -> None:
    assert convert(space_of(POSITIONS * np.float32(0.6)), ADULTS).notes == ()
    unknown = convert(space_of(POSITIONS * 1000), Space())
    assert not unknown.changes
    assert not unknown.misfit


def test_a_model_that_scales_bodies_needs_no_unit() -> None:
    conversion = convert(space_of(POSITIONS * 100), ADULTS, scaled=True)
    assert not conversion.changes
    assert not conversion.misfit


@pytest.mark.parametrize("have", ["x", "-x", "-y", "z", "-z"])
@pytest.mark.parametrize("want", ["y", "z"])
def test_bodies_are_turned_without_being_mirrored(have: str, want: str) -> None:
    recorded = POSITIONS @ TURNS[have]
    model = replace(ADULTS, up=want)
    conversion = convert(space_of(recorded), model)
    turned = conversion(recorded)
    assert space_of(turned).up == want
    turn = np.linalg.lstsq(recorded.reshape(-1, 3), turned.reshape(-1, 3), rcond=None)[0]
    assert np.linalg.det(turn) == pytest.approx(1)


def test_who_lies_is_not_turned_where_people_lay_in_training() -> None:
    lying = POSITIONS @ TURNS["x"]
    care = replace(ADULTS, lying=("z",))
    conversion = convert(space_of(lying), care)
    assert not conversion.changes
    assert conversion.notes == ("x seems to point up, but y did in the training data",)
    assert convert(space_of(lying), ADULTS, moment=True).changes is False
    assert convert(space_of(POSITIONS @ TURNS["-y"]), care, moment=True).changes


def test_a_converted_store_is_read_in_the_other_unit(tmp_path: Path) -> None:
    import pickle

    store = write_store(tmp_path / "store", [POSITIONS * 100], layout=KINECT)
    converted = store.converted(convert(store.space, ADULTS))
    np.testing.assert_allclose(converted.positions(0), POSITIONS, rtol=1e-5)
    assert converted.space.unit == "meters"
    again: Store = pickle.loads(pickle.dumps(converted))
    np.testing.assert_array_equal(again.positions(0), converted.positions(0))
