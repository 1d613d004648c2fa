from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton.layout import get_layout
from hitrs.viz.skeleton import LEFT, MIDLINE, RIGHT, SHADOW, draw_pose, paler
from hitrs.viz.view import fit_view


def seen(recording, *joints):
    """The recording with only these joints valid."""
    names = recording.layout.joints
    keep = np.array([any(joint in name for joint in joints) for name in names])
    return replace(recording, valid=recording.valid & keep)


def test_left_and_right_have_their_colors_and_sides(person, where):
    picture = draw_pose(person(), 0, size=300)
    assert picture.size == (300, 300)
    # Seen from the front, the left of a person is to the right.
    assert (
        where(picture, LEFT)[:, 0].mean()
        > where(picture, MIDLINE)[:, 0].mean()
        > where(picture, RIGHT)[:, 0].mean()
    )
    head, shadow = where(picture, MIDLINE)[:, 1].min(), where(picture, SHADOW)[:, 1].mean()
    assert head < 100 < 200 < shadow


def test_who_turns_away_is_still_seen_from_the_front(person, where):
    recording = person()
    turned = replace(recording, positions=recording.positions * np.float32([-1, 1, -1]))
    assert np.array_equal(draw_pose(turned, 0), draw_pose(recording, 0))


def test_unseen_joints_are_not_drawn(person, where):
    recording = person()
    left = draw_pose(seen(recording, "left_", "pelvis"), 0)
    assert len(where(left, RIGHT)) == 0
    assert len(where(left, LEFT)) > 100
    dots = draw_pose(seen(recording, "left_hand", "left_elbow"), 0)  # what joins them is not seen
    with_bones = draw_pose(seen(recording, "left_hand", "left_elbow", "left_wrist"), 0)
    assert 0 < len(where(dots, LEFT)) < len(where(with_bones, LEFT)) / 2
    assert len(where(dots, SHADOW)) == 0


def test_a_frame_without_anyone_shows_the_floor_only(person, where):
    recording = person()
    valid = recording.valid.copy()
    valid[3] = False
    picture = draw_pose(replace(recording, valid=valid), 3)
    assert not any(len(where(picture, color)) for color in (LEFT, RIGHT, MIDLINE, SHADOW))
    assert len(picture.getcolors()) > 1


def test_a_second_person_is_paler_and_stands_beside(person, where):
    picture = draw_pose(person(persons=2), 0)
    first, second = where(picture, LEFT), where(picture, paler(LEFT, 1))
    assert len(first) > 50
    assert len(second) > 50
    assert first[:, 0].max() < second[:, 0].min()


def test_two_persons_are_seen_from_the_front_whoever_is_listed_first(person, where):
    recording = person(persons=2)
    other = replace(recording, positions=recording.positions[:, ::-1])
    for order in (recording, other):
        picture = draw_pose(order, 0)
        for body in (0, 1):
            left, right = where(picture, paler(LEFT, body)), where(picture, paler(RIGHT, body))
            assert left[:, 0].mean() > right[:, 0].mean()


def test_other_axes_may_point_up(person):
    recording = person()
    standing = np.asarray(draw_pose(recording, 0))
    for up, turn in (("z", 1), ("x", -1)):
        turned = replace(recording, positions=np.roll(recording.positions, turn, axis=-1))
        assert np.array_equal(draw_pose(turned, 0, up=up), standing)


def test_in_images_y_points_down(where):
    layout = get_layout("coco17")
    positions = np.zeros((1, 1, layout.n_joints, 2), dtype=np.float32)
    positions[..., 1] = 200.0
    for name, place in (("nose", (100, 20)), ("left_hip", (120, 100)), ("left_knee", (130, 150))):
        positions[0, 0, layout.index(name)] = place
    valid = positions[..., 0] > 0
    recording = Recording(positions, valid, layout, "image")
    picture = draw_pose(recording, 0, size=200)
    assert where(picture, MIDLINE)[:, 1].max() < where(picture, LEFT)[:, 1].min()
    assert fit_view(recording, 200).floor == ()


def test_frames_that_do_not_exist_and_nobody_to_draw(person):
    recording = person(frames=4)
    for frame in (-1, 4):
        with pytest.raises(DataError, match=r"'standing' has frames 0 to 3, not"):
            draw_pose(recording, frame)
    with pytest.raises(DataError, match="'standing' has no valid joint"):
        draw_pose(replace(recording, valid=np.zeros_like(recording.valid)), 0)


@given(
    hnp.arrays(np.float32, (3, 2, 13, 3), elements=st.floats(-3, 3, width=32)),
    st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_all_joints_are_in_the_picture_in_any_unit(positions, unit):
    layout = replace(get_layout("penn13"), dims=3)
    recording = Recording(positions * np.float32(unit), np.ones((3, 2, 13), dtype=bool), layout, "cloud")
    view = fit_view(recording, 100)
    pixels = view.project(recording.positions)
    low, high = np.percentile(recording.positions.reshape(-1, 3), [0.2, 99.8], axis=0)
    inside = ((recording.positions >= low) & (recording.positions <= high)).all(axis=-1)
    assert (pixels[inside] > -1e-3).all()
    assert (pixels[inside] < 100 + 1e-3).all()
    np.testing.assert_allclose(view.axes @ view.axes.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(view.axes) > 0  # not a mirror


def test_equal_lengths_in_all_directions(person):
    view = fit_view(person(), 1000)
    steps = 0.01 * view.axes[:2]  # a centimeter to the right, and one up, at the distance of the person
    ends = view.project(view.origin + steps) - view.project(view.origin)
    lengths = np.linalg.norm(ends, axis=1)
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-6)
    assert ends[0, 0] > 0 > ends[1, 1]
