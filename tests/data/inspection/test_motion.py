"""Jumps, spikes, frozen joints and repeated frames are found where they were put, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodies import KINECT, SIZE, people
from hitrs.data.inspection import motion
from hitrs.data.inspection.motion import body_size, longest_run, masked_median


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.4, 1.0]))
def test_masked_median(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rng.integers(1, 7), 4))
    seen = rng.random(values.shape) < share
    found = masked_median(values, seen)
    for column in range(4):
        chosen = values[seen[:, column], column]
        if len(chosen):
            assert found[column] == pytest.approx(np.median(chosen))
        else:
            assert np.isnan(found[column])


@given(st.lists(st.booleans(), max_size=30))
def test_longest_run(flags: list[bool]) -> None:
    best = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        best = max(best, run)
    assert longest_run(np.array(flags, bool)) == best


def test_body_size() -> None:
    positions, valid = people()
    assert body_size(positions, valid) == pytest.approx(SIZE, abs=0.03)
    assert np.isnan(body_size(positions, np.zeros_like(valid)))


def test_nothing_in_plain_motion() -> None:
    positions, valid = people(persons=2)
    assert not motion.find_jumps(positions, valid, SIZE).any()
    assert not motion.find_spikes(positions, valid, SIZE).any()
    assert motion.find_frozen(positions, valid).max() < 2
    assert not motion.find_repeats(positions, valid).any()


def test_jumps_of_a_body_are_no_spikes() -> None:
    positions, valid = people()
    positions[20:, ..., 0] += 3
    assert np.argwhere(motion.find_jumps(positions, valid, SIZE)).tolist() == [[20, 0]]
    assert not motion.find_spikes(positions, valid, SIZE).any()


def test_spikes_of_a_joint_are_no_jump() -> None:
    positions, valid = people()
    hand = KINECT.index("right_hand")
    positions[7, 0, hand, 1] += 1
    positions[20:22, 0, hand, 2] -= 0.8
    positions[39, 0, hand, 2] += 5  # the last frame counts too
    positions[12, 0, hand] = np.nan  # unseen: whatever stands there
    valid[12, 0, hand] = False
    positions = np.nan_to_num(positions)
    found = motion.find_spikes(positions, valid, SIZE)
    assert np.argwhere(found).tolist() == [[t, 0, hand] for t in (7, 20, 21, 39)]
    assert not motion.find_jumps(positions, valid, SIZE).any()


def test_a_fast_hand_is_no_spike() -> None:
    positions, valid = people()
    hand = KINECT.index("right_hand")
    positions[10:15, 0, hand, 2] += np.array([0.1, 0.3, 0.5, 0.3, 0.1], np.float32)  # a punch at 30 frames/s
    assert not motion.find_spikes(positions, valid, SIZE).any()


def test_a_fast_movement_is_no_spike() -> None:
    positions, valid = people()
    arm = [KINECT.index(f"right_{part}") for part in ("elbow", "wrist", "hand")]
    positions[18:23, 0, arm, 2] += np.linspace(0, 1.6, 5, dtype=np.float32)[
        :, None
    ]  # 12 m/s, all frames apart
    positions[23:, 0, arm, 2] += 1.6
    assert not motion.find_spikes(positions, valid, SIZE).any()


def test_a_pose_that_does_not_fit_is_more_than_spikes() -> None:
    positions, valid = people(persons=2)
    positions[0, 1, 4:12, 1] += 1.2  # the calibration pose with which motion capture begins
    positions[20, 0, [7, 11], 2] += 1
    spikes = motion.find_spikes(positions, valid, SIZE)
    assert np.argwhere(spikes.any(-1)).tolist() == [[0, 1], [20, 0]]
    assert np.argwhere(motion.find_breaks(spikes, valid)).tolist() == [[0, 1]]
    assert not motion.find_breaks(np.zeros_like(valid), np.zeros_like(valid)).any()


def test_spikes_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    positions, valid = people(50)
    positions += rng.normal(0, 0.3, positions.shape).astype(np.float32)
    valid = rng.random(valid.shape) < 0.8
    positions *= valid[..., None]
    whole = motion.find_spikes(positions, valid, SIZE)
    assert whole.any()
    monkeypatch.setattr(motion, "BLOCK", 20 * 5 * 7)
    np.testing.assert_array_equal(motion.find_spikes(positions, valid, SIZE), whole)


def test_frozen_joints() -> None:
    positions, valid = people(persons=2)
    head = KINECT.index("head")
    positions[5:17, 1, head] = positions[5, 1, head]
    found = motion.find_frozen(positions, valid)
    assert found[1, head] == 12
    assert (found > 1).sum() == 1


def test_a_body_that_rests_has_no_frozen_joints() -> None:
    positions, valid = people()
    positions[5:30] = positions[5]
    assert motion.find_frozen(positions, valid).max() < motion.HELD
    assert motion.find_repeats(positions, valid).sum() == 24


@pytest.mark.parametrize("frames", [1, 2])
def test_hardly_any_frames(frames: int) -> None:
    positions, valid = people(frames)
    assert not motion.find_jumps(positions, valid, SIZE).any()
    assert not motion.find_spikes(positions, valid, SIZE).any()
    assert motion.find_frozen(positions, valid).shape == (1, 20)
    assert motion.find_repeats(positions, valid).shape == (frames,)
