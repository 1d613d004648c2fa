"""Each operation repairs what it names, counts it, and leaves everything else as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn import make, recordings
from hypothesis import given
from hypothesis import strategies as st

from hitrs.data import Recording, Segment
from hitrs.data.cleaning import FillGaps, RejectSpikes, Resample, ToMeters, TurnUp, Unflip, Unswap
from hitrs.errors import ConfigError, DataError
from hitrs.skeleton import get_layout

KINECT = get_layout("kinect20")


def body(frames: int = 30, persons: int = 1, **facts: object) -> Recording:
    """Bodies of random shape, about two meters across and three apart, that walk slowly."""
    rng = np.random.default_rng(0)
    positions = rng.uniform(-1, 1, (1, persons, 20, 3)) + rng.normal(0, 0.005, (frames, persons, 20, 3))
    positions[..., 0] += 3 * np.arange(persons)[:, None] + 0.02 * np.arange(frames)[:, None, None]
    valid = np.ones(positions.shape[:-1], bool)
    return Recording(positions.astype(np.float32), valid, KINECT, "body", **facts)  # type: ignore[arg-type]


def without(recording: Recording, *frames: int, joint: int = 3) -> Recording:
    valid = recording.valid.copy()
    valid[list(frames), 0, joint] = False
    return replace(recording, valid=valid)


# --- gaps


def test_short_gaps_are_filled_in_a_straight_line() -> None:
    whole = body()
    change = FillGaps(2)(without(whole, 0, 5, 6, 10, 11, 12, 29))
    after = change.recording
    assert change.values == 2
    assert "2 joints" in change.note
    unseen = np.flatnonzero(~after.valid[:, 0, 3]).tolist()
    assert unseen == [0, 10, 11, 12, 29]  # longer, or open at one end
    start, end = whole.positions[4, 0, 3], whole.positions[7, 0, 3]
    np.testing.assert_allclose(after.positions[5, 0, 3], start + (end - start) / 3, atol=1e-6)
    np.testing.assert_allclose(after.positions[6, 0, 3], start + 2 * (end - start) / 3, atol=1e-6)


@given(recordings(), st.integers(1, 4))
def test_what_was_seen_stays(recording: Recording, frames: int) -> None:
    after = FillGaps(frames)(recording).recording
    assert (after.valid | ~recording.valid).all()
    np.testing.assert_array_equal(after.positions[recording.valid], recording.positions[recording.valid])


@given(recordings())
def test_gaps_against_a_loop(recording: Recording) -> None:
    change = FillGaps(2)(recording)
    filled = change.recording.valid & ~recording.valid
    assert change.values == filled.sum()
    for frame, person, joint in np.argwhere(filled):
        seen = np.flatnonzero(recording.valid[:, person, joint])
        before, after = seen[seen < frame].max(), seen[seen > frame].min()
        assert after - before <= 3
        expected = np.interp(frame, [before, after], [0, 1])
        line = (1 - expected) * recording.positions[before, person, joint].astype(float)
        line += expected * recording.positions[after, person, joint].astype(float)
        scale = np.abs(recording.positions).max()
        np.testing.assert_allclose(change.recording.positions[frame, person, joint], line, atol=1e-5 * scale)


def test_no_bridge_to_another_place() -> None:
    away = body()
    positions = away.positions.copy()
    positions[10:] += 5
    assert FillGaps(5)(without(replace(away, positions=positions), 9, 10)).values == 0


# --- spikes


def test_spikes_are_taken_out_and_filled() -> None:
    whole = body()
    positions = whole.positions.copy()
    positions[[8, 20, 21], 0, 7] += 2
    spiky = replace(whole, positions=positions)
    change = RejectSpikes()(spiky)
    assert (change.values, change.recording.valid.sum()) == (3, whole.valid.sum() - 3)
    repaired = FillGaps(2)(change.recording).recording
    assert repaired.valid.all()
    np.testing.assert_allclose(repaired.positions, whole.positions, atol=0.05)
    assert spiky.valid.all()  # not changed in place
    assert RejectSpikes()(whole).note == ""


# --- units, axis


@given(recordings())
def test_to_meters(recording: Recording) -> None:
    change = ToMeters("mm")(recording)
    np.testing.assert_allclose(change.recording.positions * 1000, recording.positions, rtol=1e-6)
    np.testing.assert_array_equal(change.recording.valid, recording.valid)
    assert change.values == recording.valid.sum()


@pytest.mark.parametrize("axis", ["x", "-x", "-y", "z", "-z"])
def test_turning_is_a_rotation_that_puts_the_axis_on_y(axis: str) -> None:
    positions = np.zeros((1, 1, 20, 3), np.float32)
    positions[0, 0, 0, "xyz".index(axis[-1])] = -1 if axis[0] == "-" else 1
    positions[0, 0, 1:4] = np.eye(3)
    valid = np.ones((1, 1, 20), bool)
    turned = TurnUp(axis)(Recording(positions, valid, KINECT, "axes")).recording.positions[0, 0]
    np.testing.assert_array_equal(turned[0], [0, 1, 0])
    assert np.linalg.det(turned[1:4]) == pytest.approx(1)  # not a mirror image


@pytest.mark.parametrize("operation", [ToMeters("cm"), TurnUp("z")])
def test_images_have_neither_unit_nor_up(operation: ToMeters | TurnUp) -> None:
    flat = Recording(np.ones((2, 1, 17, 2)), np.ones((2, 1, 17), bool), get_layout("coco17"), "flat")
    with pytest.raises(DataError, match="'flat' is 2-D"):
        operation(flat)


# --- rate


@pytest.mark.parametrize(("fps", "frames"), [(15, 11), (60, 41), (30, 21), (24, 17), (7, 5)])
def test_resampled_straight_movement_stays_one(fps: float, frames: int) -> None:
    positions = np.zeros((21, 1, 20, 3), np.float32)
    positions[..., 0] = np.arange(21)[:, None, None] / 30
    recording = Recording(positions, np.ones((21, 1, 20), bool), KINECT, "line", fps=30)
    after = Resample(fps)(recording).recording
    assert (after.n_frames, after.fps) == (frames, fps)
    np.testing.assert_allclose(after.positions[:, 0, 0, 0], np.arange(frames) / fps, atol=1e-6)


@given(recordings(), st.sampled_from([0.5, 2.0, 3.0]))
def test_whole_multiples_keep_the_frames(recording: Recording, ratio: float) -> None:
    recording = replace(recording, fps=20.0)
    after = Resample(20 * ratio)(recording).recording
    if ratio > 1:
        step = int(ratio)
        np.testing.assert_array_equal(after.positions[::step], recording.positions)
        np.testing.assert_array_equal(after.valid[::step], recording.valid)
    else:
        np.testing.assert_array_equal(after.positions, recording.positions[::2])
    for old, new in zip(recording.segments, after.segments, strict=True):
        assert new.label == old.label


def test_segments_and_holes_follow_the_rate() -> None:
    segments = (Segment(0, 10, "a"), Segment(10, 11, "b"), Segment(29, 30, "c"))
    recording = without(body(segments=segments, fps=30), 10)
    after = Resample(15)(recording).recording
    assert after.segments == (Segment(0, 5, "a"), Segment(5, 6, "b"), Segment(14, 15, "c"))
    assert np.flatnonzero(~after.valid[:, 0, 3]).tolist() == [5]
    up = Resample(60)(recording).recording
    assert np.flatnonzero(~up.valid[:, 0, 3]).tolist() == [19, 20, 21]


def test_rates_that_cannot_be() -> None:
    with pytest.raises(DataError, match=r"rate of 'body' is unknown.*labels\.csv"):
        Resample(30)(body())
    with pytest.raises(DataError, match="would have"):
        Resample(1e9)(body(fps=1e-3))
    assert Resample(30)(body(fps=30)).note == ""


# --- identity


def test_bodies_are_put_back() -> None:
    whole = body(persons=3)
    positions = whole.positions.copy()
    positions[5:] = positions[5:][:, [1, 0, 2]]
    positions[12:] = positions[12:][:, [0, 2, 1]]
    positions[20:25] = positions[20:25][:, [2, 1, 0]]
    change = Unswap()(replace(whole, positions=positions))
    np.testing.assert_array_equal(change.recording.positions, whole.positions)
    assert "4 exchanges" in change.note
    assert Unswap()(whole).note == ""


def test_a_body_that_changes_its_slot_is_put_back() -> None:
    one = body()
    positions = np.zeros((30, 2, 20, 3), np.float32)
    valid = np.zeros((30, 2, 20), bool)
    positions[:13, 0], positions[13:, 1] = one.positions[:13, 0], one.positions[13:, 0]
    valid[:13, 0] = valid[13:, 1] = True
    after = Unswap()(Recording(positions, valid, KINECT, "handed")).recording
    np.testing.assert_array_equal(after.positions[:, 0], one.positions[:, 0])
    assert not after.valid[:, 1].any()


@pytest.mark.parametrize("flipped", [slice(0, 4), slice(7, 12), slice(26, 30)])
def test_left_and_right_are_put_back(flipped: slice) -> None:
    whole = without(body(persons=2), 8, joint=KINECT.index("left_hand"))
    positions, valid = whole.positions.copy(), whole.valid.copy()
    positions[flipped, 1] = positions[flipped, 1][:, KINECT.mirror]
    valid[flipped, 1] = valid[flipped, 1][:, KINECT.mirror]
    change = Unflip()(replace(whole, positions=positions, valid=valid))
    np.testing.assert_array_equal(change.recording.positions, whole.positions)
    np.testing.assert_array_equal(change.recording.valid, whole.valid)
    assert change.values == 16 * (flipped.stop - flipped.start)
    assert Unflip()(whole).note == ""


@pytest.mark.parametrize("operation", [Unswap(), Unflip(), RejectSpikes(), FillGaps(3)])
@given(recording=recordings())
def test_repairs_never_invent_or_lose_frames(operation, recording: Recording) -> None:
    change = operation(recording)
    assert change.recording.positions.shape == recording.positions.shape
    assert (change.values > 0) == bool(change.note)
    if not change.note:
        assert change.recording is recording


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: FillGaps(0),
        lambda: RejectSpikes(0),
        lambda: RejectSpikes(float("nan")),
        lambda: ToMeters("parsec"),
        lambda: TurnUp("y"),
        lambda: Resample(0),
        lambda: Resample(float("inf")),
    ],
)
def test_options_that_make_no_sense(wrong) -> None:
    with pytest.raises(ConfigError):
        wrong()


def test_a_single_frame() -> None:
    one = replace(make(frames=1), fps=30.0)
    for operation in (Unswap(), Unflip(), RejectSpikes(), FillGaps(3), Resample(7)):
        assert operation(one).recording.n_frames == 1
