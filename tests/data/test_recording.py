"""A recording checks itself and keeps nothing where nothing was seen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from drawn import make

from hitrs.data import Recording, Segment
from hitrs.errors import DataError, LayoutError
from hitrs.skeleton import get_layout

KINECT = get_layout("kinect20")


def test_unseen_joints_hold_zeros() -> None:
    positions = np.full((2, 1, 20, 3), 7.0)
    positions[1, 0, 3] = np.nan
    valid = ~np.isnan(positions).any(-1)
    recording = Recording(positions, valid, KINECT, "holes")
    assert recording.positions.dtype == np.float32
    assert (recording.positions[1, 0, 3] == 0).all()
    assert (recording.positions[valid] == 7).all()
    assert np.isnan(positions[1, 0, 3]).all()  # the caller's array is left alone


def test_signaling_nan_is_not_seen_without_a_warning() -> None:
    positions = np.ones((1, 1, 20, 3), np.float32)
    positions.view(np.uint32)[0, 0, 4] = 0x7FA00000
    recording = Recording(positions, ~np.isnan(positions).any(-1), KINECT, "signal")
    assert (recording.positions[0, 0, 4] == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_a_seen_joint_needs_finite_coordinates(bad: float) -> None:
    positions = np.zeros((4, 2, 20, 3))
    positions[2, 1, 3, 1] = bad
    with pytest.raises(DataError, match="'x': frame 2, person 1, joint 'head' has coordinates"):
        Recording(positions, np.ones((4, 2, 20), bool), KINECT, "x")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((20, 3), "expected \\(frames, persons, joints, coordinates\\)"),
        ((0, 1, 20, 3), "is empty: 0 frames"),
        ((4, 0, 20, 3), "is empty: 4 frames of 0 persons"),
        ((4, 1, 25, 3), "has 25 joints, but layout 'kinect20' has 20"),
        ((4, 1, 20, 2), "is 2-D, but layout 'kinect20' is 3-D"),
    ],
)
def test_shapes(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Recording(np.zeros(shape), np.ones(shape[:-1], bool), KINECT, "x")


def test_facts() -> None:
    positions = np.zeros((4, 1, 20, 3))
    valid = np.ones((4, 1, 20), bool)
    with pytest.raises(DataError, match="valid has shape"):
        Recording(positions, valid[:3], KINECT, "x")
    with pytest.raises(DataError, match="expected numbers"):
        Recording(positions.astype(str), valid, KINECT, "x")
    for fps in (0.0, -30.0, float("nan"), float("inf")):
        with pytest.raises(DataError, match="frame rate"):
            Recording(positions, valid, KINECT, "x", fps=fps)
    for start, stop in ((2, 2), (-1, 2), (0, 5)):
        with pytest.raises(DataError, match="does not lie within its 4 frames"):
            Recording(positions, valid, KINECT, "x", segments=(Segment(start, stop, "walk"),))


def test_one_frame_is_enough() -> None:
    assert make(frames=1, persons=2).n_frames == 1
    assert make(frames=1, persons=2).n_persons == 2


def test_only_positions_and_a_layout_are_needed() -> None:
    positions = np.ones((4, 20, 3))  # one person
    positions[1, 3, 0] = np.nan
    recording = Recording(positions, layout="kinect20")
    assert recording.positions.shape == (4, 1, 20, 3)
    assert recording.layout == KINECT
    assert recording.name == "recording"
    assert np.argwhere(~recording.valid).tolist() == [[1, 0, 3]]
    assert (recording.positions[1, 0, 3] == 0).all()
    given = np.ones((4, 20), bool)
    given[2] = False
    assert not Recording(np.ones((4, 20, 3)), given, "kinect20").valid[2].any()
    assert Recording(np.ones((4, 20, 3), int), layout="kinect20").valid.all()


def test_what_is_wrong_with_the_layout() -> None:
    with pytest.raises(DataError, match="'recording' needs a layout, for example"):
        Recording(np.ones((4, 20, 3)))
    with pytest.raises(LayoutError, match="no layout 'kinect21'; did you mean 'kinect20'"):
        Recording(np.ones((4, 20, 3)), layout="kinect21")
    with pytest.raises(TypeError, match="subjekt"):
        Recording(np.ones((4, 20, 3)), layout="kinect20", subjekt="anna")


def test_a_changed_copy_is_checked_again() -> None:
    recording = make(subject="anna", session="monday", fps=30.0)
    changed = dataclasses.replace(recording, name="other", layout="kinect20", camera="left")
    assert (changed.name, changed.subject, changed.camera, changed.session) == (
        "other", "anna", "left", "monday",
    )  # fmt: skip
    with pytest.raises(DataError, match="frame rate"):
        dataclasses.replace(recording, fps=0.0)


def test_a_recording_is_shown_in_a_line_without_coordinates() -> None:
    assert repr(make("walk_03", 120, label="walk", fps=30.0)) == (
        "Recording('walk_03', 120 frames, 1 person, 20 joints of kinect20, 30 fps, label 'walk')"
    )
    shown = repr(make("scene", persons=2, segments=(Segment(0, 2, "a"), Segment(2, 4, "b"))))
    assert shown.endswith("2 persons, 20 joints of kinect20, unknown frame rate, 2 segments)")


@pytest.mark.parametrize("value", [3e38, -3e38, 1.1e7])
def test_a_coordinate_that_would_drown_all_others(value: float) -> None:
    positions = np.zeros((4, 1, 20, 3))
    positions[2, 0, 5, 1] = value
    with pytest.raises(DataError, match=r"frame 2, person 0, .* needs ones up to 1e\+07"):
        Recording(positions, layout="kinect20")
    valid = np.ones((4, 1, 20), bool)
    valid[2, 0, 5] = False
    assert not Recording(positions, valid, "kinect20").positions.any()
