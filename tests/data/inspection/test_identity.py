"""Exchanged bodies and exchanged sides are found in the frame where they were put."""

from __future__ import annotations

import numpy as np
import pytest

from bodies import KINECT, SIZE, people
from hitrs.data.inspection import motion
from hitrs.data.inspection.motion import find_flips, find_swaps


def test_nothing_in_plain_motion() -> None:
    positions, valid = people(persons=3)
    assert len(find_swaps(positions, valid, SIZE)) == 0
    assert not find_flips(positions, valid, KINECT, SIZE).any()


def test_two_bodies_exchange_their_slots() -> None:
    positions, valid = people(persons=3)
    positions[10:25, [0, 2]] = positions[10:25, [2, 0]]
    assert find_swaps(positions, valid, SIZE).tolist() == [[10, 0, 2], [25, 0, 2]]


def test_a_body_goes_on_in_another_slot() -> None:
    positions, valid = people(persons=2)
    positions[:, 1] = positions[:, 0] + 0.01
    valid[15:, 0] = valid[:15, 1] = False
    positions *= valid[..., None]
    assert find_swaps(positions, valid, SIZE).tolist() == [[15, 0, 1]]


def test_a_body_that_goes_while_another_comes() -> None:
    positions, valid = people(persons=2)  # two meters apart: not the same one
    valid[15:, 0] = valid[:15, 1] = False
    positions *= valid[..., None]
    assert len(find_swaps(positions, valid, SIZE)) == 0


def test_swaps_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    positions, valid = people(persons=2)
    for frame in (3, 4, 5, 20, 39):
        positions[frame:, [0, 1]] = positions[frame:, [1, 0]]
    whole = find_swaps(positions, valid, SIZE)
    assert whole[:, 0].tolist() == [3, 4, 5, 20, 39]
    monkeypatch.setattr(motion, "BLOCK", 20 * 4 * 3)
    np.testing.assert_array_equal(find_swaps(positions, valid, SIZE), whole)


def test_left_and_right_are_exchanged() -> None:
    positions, valid = people(persons=2)
    positions[10:12, 1] = positions[10:12, 1][:, KINECT.mirror]
    valid[10, 1, KINECT.index("left_hand")] = False
    found = find_flips(positions, valid, KINECT, SIZE)
    assert np.argwhere(found).tolist() == [[10, 1], [12, 1]]


def test_a_jump_is_no_exchange() -> None:
    positions, valid = people(persons=2)
    positions[10:, 1, :, 2] += 2
    assert len(find_swaps(positions, valid, SIZE)) == 0
    assert not find_flips(positions, valid, KINECT, SIZE).any()


@pytest.mark.parametrize("frames", [1, 2])
def test_hardly_any_frames(frames: int) -> None:
    positions, valid = people(frames, persons=2)
    assert len(find_swaps(positions, valid, SIZE)) == 0
    assert find_flips(positions, valid, KINECT, SIZE).shape == (frames, 2)
