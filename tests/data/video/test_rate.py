"""The frame rate that time stamps tell."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.data.video.rate import LONGEST_GAP, frame_times, held

RATES = st.floats(1, 240)


@given(RATES, st.integers(2, 400), st.floats(-100, 1e4), st.integers(0, 2**32 - 1))
def test_a_constant_rate_is_found_whatever_its_start_and_jitter(fps, count, start, seed) -> None:
    jitter = np.random.default_rng(seed).uniform(-0.04, 0.04, count) / fps
    times = frame_times(start + np.arange(count) / fps + jitter, claimed=7.0)
    assert times.places is None
    assert times.notes == ()
    assert times.fps == pytest.approx(fps, rel=0.1 / (count - 1) + 1e-3)


@given(st.lists(st.floats(0.004, 3.0), min_size=2, max_size=60))
def test_frames_of_a_variable_rate_are_brought_to_a_constant_one(steps) -> None:
    seconds = np.concatenate([[5.0], 5.0 + np.cumsum(steps)])
    times = frame_times(seconds, None)
    if times.places is None:
        return
    assert times.fps is not None
    count = len(times.places)
    when = seconds[0] + np.arange(count) / times.fps
    # a position that is the time itself comes out as the time at which it is asked for
    positions = np.repeat(seconds.astype(np.float64)[:, None, None, None], 3, -1)
    between, seen = times.resampled(positions, np.ones((len(seconds), 1, 1), bool))
    assert between[:, 0, 0, 0] == pytest.approx(when, abs=1e-4)
    # it ends less than a frame before the video does
    assert when[-1] <= seconds[-1] + 1e-6 < when[-1] + 1 / times.fps + 2e-6
    for moment, visible in zip(when, seen[:, 0, 0], strict=True):
        inside = any(
            low + 1e-4 < moment < high - 1e-4 and high - low > LONGEST_GAP for low, high in pairwise(seconds)
        )
        if inside:
            assert not visible
    assert any("variable frame rate" in note for note in times.notes)


def test_a_frame_that_was_dropped_is_filled_in() -> None:
    seconds = np.array([0, 1, 2, 4, 5]) / 25
    times = frame_times(seconds, None)
    assert times.fps == 25
    assert times.places is not None
    assert times.places.tolist() == [0, 1, 2, 2.5, 3, 4]


def test_nobody_is_seen_in_a_long_gap() -> None:
    seconds = np.array([0, 0.1, 0.2, 1.2, 1.3])
    times = frame_times(seconds, None)
    _, seen = times.resampled(np.zeros((5, 1, 1, 3)), np.ones((5, 1, 1), bool))
    assert seen.ravel().tolist() == [True] * 3 + [False] * 9 + [True] * 2
    assert "9 frames that lie in gaps" in times.notes[1]


@pytest.mark.parametrize(
    "seconds", [np.zeros(5), np.array([0, 2, 1.0]), np.array([0, np.nan, 1]), np.array([0, np.inf])]
)
def test_stamps_that_say_nothing_leave_what_the_file_states(seconds) -> None:
    times = frame_times(seconds, 24.0)
    assert times.fps == 24
    assert "do not rise" in times.notes[0]
    assert frame_times(seconds, None).fps is None


def test_one_frame_and_leaps_of_hours() -> None:
    assert frame_times(np.array([3.0]), 25.0).fps == 25
    leap = frame_times(np.array([0, 0.03, 0.06, 90_000]), 30.0)
    assert (leap.fps, leap.places) == (None, None)
    assert "stays unknown" in leap.notes[0]


@given(st.lists(st.floats(0.001, 2.0), max_size=60), st.floats(1, 60), st.floats(0, 1e5))
def test_frames_that_come_when_they_come_are_held(steps, fps, start) -> None:
    seconds = start + np.concatenate([[0], np.cumsum(steps)])
    shown = list(held(((moment, number) for number, moment in enumerate(seconds)), fps))
    assert abs(len(shown) - ((seconds[-1] - start) * fps + 1)) <= 1 + 1e-6
    for tick, number in enumerate(shown):
        moment = start + tick / fps
        newest = np.searchsorted(seconds, moment + 1e-5) - 1
        if number is None:
            assert moment - seconds[newest] > LONGEST_GAP - 1e-4
        else:
            assert number in (newest, max(0, newest - 1))
            assert moment - seconds[number] <= max(LONGEST_GAP, 2e-5) + 1e-4


def test_a_long_pause_is_cut_short() -> None:
    shown = list(held([(0.0, "a"), (3600.0, "b"), (3600.1, "c")], 10))
    assert len(shown) < 110
    assert shown[:6] == ["a"] * 6
    assert set(shown[6:-2]) == {None}
    assert shown[-1] == "c"
