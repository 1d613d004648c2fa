"""Bones, unit and up axis are told from whole bodies and from parts of them."""

from __future__ import annotations

import numpy as np
import pytest

from bodies import KINECT, people
from hitrs.data.inspection.body import guess_unit, guess_up, measure_bones
from hitrs.data.inspection.motion import body_size
from hitrs.skeleton import get_layout


def test_bones() -> None:
    positions, valid = people(200)
    positions[:, 0, KINECT.index("head"), 1] += np.linspace(0, 0.5, 200)  # a neck that grows
    bones = measure_bones(positions, valid, KINECT)
    joints = [KINECT.joints[child] for child, _ in KINECT.bones()]
    lengths = dict(zip(joints, bones.lengths, strict=True))
    variation = dict(zip(joints, bones.variation, strict=True))
    assert lengths["left_knee"] == pytest.approx(0.43, abs=0.01)
    assert variation["head"] > 0.2
    assert variation["left_knee"] < 0.03


@pytest.mark.parametrize(
    ("scale", "unit"), [(1, "meters"), (100, "centimeters"), (1000, "millimeters"), (39, "unclear")]
)
@pytest.mark.parametrize("part", ["whole", "one arm"])
def test_unit(scale: float, unit: str, part: str) -> None:
    positions, valid = people()
    if part == "one arm":
        valid[
            :,
            :,
            [
                joint
                for joint, name in enumerate(KINECT.joints)
                if name[:6] != "left_s" and name[:6] != "left_e"
            ],
        ] = False
    positions = positions * valid[..., None] * scale
    assert guess_unit(positions, valid, KINECT, body_size(positions, valid)) == unit


def test_unit_without_arms_and_legs() -> None:
    positions, valid = people()
    valid[:, :, 4:] = False
    positions = positions * valid[..., None]
    assert guess_unit(positions, valid, KINECT, body_size(positions, valid)) == "unclear"


def test_up_of_hips_and_head() -> None:
    positions, valid = people()
    valid[
        :, :, [KINECT.index(f"{side}_{part}") for side in ("left", "right") for part in ("ankle", "foot")]
    ] = False
    assert guess_up(positions * valid[..., None], valid, KINECT) == "y"
    assert guess_up(-positions * valid[..., None], valid, KINECT) == "-y"
    assert guess_up(positions, np.zeros_like(valid), KINECT) == "unclear"


def test_people_who_lie_this_way_and_that() -> None:
    positions, valid = people()
    lying = np.roll(positions, 1, axis=-1)
    both = np.concatenate([lying, -lying])
    assert guess_up(both, np.concatenate([valid, valid]), KINECT) == "unclear"


def test_hands_have_no_up() -> None:
    hand = get_layout("hand21")
    positions = np.random.default_rng(0).normal(0, 0.05, (5, 1, 21, hand.dims))
    valid = np.ones((5, 1, 21), bool)
    assert guess_up(positions, valid, hand) == "unclear"
    assert guess_unit(positions, valid, hand, body_size(positions, valid)) == (
        "unclear" if hand.dims == 3 else "pixels"
    )
