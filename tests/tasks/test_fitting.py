"""Recordings that do not fit a model: other units and axes are converted and told, too few joints refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bodies import KINECT
from hitrs import Detector, OnlineDetector, OnlineRecognizer, Recognizer, Recording, write_npz
from hitrs.data.cleaning.operations import TURNS
from hitrs.data.space import Space
from hitrs.errors import ConfigError, DataError
from hitrs.models.card import ModelCard
from hitrs.skeleton import Layout
from hitrs.transforms.config import PreprocessingConfig
from people_models import SPACE, people_detector, people_recognizer, person


def probabilities(found) -> list[float]:
    return [score.probability for score in sorted(found.scores, key=lambda score: score.label)]


@pytest.mark.parametrize("factor", [1000, 100])
def test_another_unit_is_answered_as_the_right_one_and_told(tmp_path: Path, factor: float) -> None:
    recognizer = Recognizer(people_recognizer())
    expected = recognizer(person())
    assert expected.notes == ()
    file = tmp_path / "anna.npz"
    write_npz(person(factor), file)
    for given in (person(factor), person(factor).positions, file):
        found = recognizer(given)
        np.testing.assert_allclose(probabilities(found), probabilities(expected), atol=1e-5)
        unit = "millimeters" if factor == 1000 else "centimeters"
        assert found.notes == (f"converted from {unit} to meters, as the model was trained",)
        assert found.to_dict()["notes"] == list(found.notes)
    raw = recognizer(person(factor), as_is=True)
    assert raw.notes == ()
    assert not np.allclose(probabilities(raw), probabilities(expected), atol=1e-3)


def test_what_was_prepared_once_is_not_converted_again() -> None:
    recognizer = Recognizer(people_recognizer())
    ready = recognizer.recording(person(100))
    assert recognizer.recognize([ready])[0] == recognizer(ready) == recognizer(person(100))


def test_another_up_axis_is_turned_and_told() -> None:
    recognizer = Recognizer(people_recognizer())
    turned = Recording(person().positions @ TURNS["z"], person().valid, KINECT)
    found = recognizer(turned)
    np.testing.assert_allclose(probabilities(found), probabilities(recognizer(person())), atol=1e-5)
    assert found.notes == ("turned from z up to y up, as the model was trained",)


def test_a_size_that_no_unit_explains_is_refused_with_what_to_do() -> None:
    recognizer = Recognizer(people_recognizer())
    with pytest.raises(DataError, match="no unit explains") as caught:
        recognizer(person(3.3))
    assert "scale body" in str(caught.value)
    assert "as_is" in str(caught.value)
    assert recognizer(person(3.3), as_is=True).label


def test_a_model_of_before_compares_nothing() -> None:
    values = people_recognizer().card.to_dict()
    assert ModelCard.from_dict(values).space == SPACE
    del values["space"]
    assert not ModelCard.from_dict(values).space.known
    recognizer = Recognizer(people_recognizer(space=Space()))
    assert recognizer(person(1000)).notes == ()


def test_every_result_tells_the_joints() -> None:
    found = Recognizer(people_recognizer())(person())
    assert found.joints.describe() == "20 of 20 joints matched, 20 seen on average"
    assert Detector(people_detector())(person(fps=30.0)).to_dict()["joints"] == {
        "model": 20, "matched": 20, "seen": 20.0,
    }  # fmt: skip


def test_too_few_joints_are_refused_with_what_is_missing_and_what_is_there() -> None:
    few = Layout("few", ("head", "Schulter", "left_knee"), (0, 0, 0), (), (0,))
    recording = Recording(person().positions[:, :, :3], layout=few, name="anna")
    with pytest.raises(DataError) as caught:
        Recognizer(people_recognizer())(recording)
    message = str(caught.value)
    assert "2 of 20 joints matched, 2 seen on average, the model needs 50% of them" in message
    assert "Without a counterpart: pelvis, spine" in message
    assert "Its joints are head, Schulter, left_knee" in message


def test_joints_that_are_hardly_ever_seen_are_refused() -> None:
    valid = person().valid.copy()
    valid[:, :, 5:] = False
    valid[0, :, 5] = True
    with pytest.raises(DataError, match=r"20 of 20 joints matched, 5\.03 seen.*Never seen: "):
        Recognizer(people_recognizer())(Recording(person().positions, valid, KINECT))


def test_a_model_that_was_trained_on_few_joints_needs_few() -> None:
    valid = person().valid.copy()
    valid[:, :, 8:] = False
    recording = Recording(person().positions, valid, KINECT)
    with pytest.raises(DataError):
        Recognizer(people_recognizer())(recording)
    model = people_recognizer(space=replace(SPACE, seen=0.45))
    assert Recognizer(model)(recording).joints.seen == 8


def test_frames_as_they_come_are_converted_from_the_first_body_on() -> None:
    model = people_detector()
    expected = [OnlineDetector(model).update(frame) for frame in person().positions[:1]]
    online = OnlineDetector(model)
    nobody = np.full((20, 3), np.nan, np.float32)
    assert online.update(nobody).notes == ()
    online.reset()
    results = [online.update(frame) for frame in person(1000).positions[:3]]
    np.testing.assert_allclose(results[0].probabilities, expected[0].probabilities, atol=1e-5)
    assert [result.notes for result in results] == [
        ("converted from millimeters to meters, as the model was trained",), (), (),
    ]  # fmt: skip
    assert OnlineDetector(model, as_is=True).update(person(1000).positions[0]).notes == ()


def test_who_lies_when_frames_begin_is_told_but_not_turned() -> None:
    lying = person().positions[0] @ TURNS["x"]
    result = OnlineDetector(people_detector()).update(lying)
    assert result.notes == ("x seems to point up, but y did in the training data",)


@pytest.mark.parametrize("place", [0.0, 1.5])
def test_a_recording_at_one_point_gets_no_class(place: float) -> None:
    recording = Recording(np.full_like(person().positions, place), person().valid, KINECT)
    with pytest.raises(DataError, match=r"no joint was seen in any frame \(lost joints: 800 at one point"):
        Recognizer(people_recognizer())(recording)


def test_lost_joints_are_not_looked_at_and_it_is_told() -> None:
    recognizer = Recognizer(people_recognizer())
    positions, valid = person().positions.copy(), person().valid.copy()
    positions[5:9] = 0
    found = recognizer(Recording(positions, valid, KINECT))
    assert found.notes == ("lost joints: 80 at one point; they count as not seen",)
    valid[5:9] = False
    expected = recognizer(Recording(positions, valid, KINECT))
    assert probabilities(found) == probabilities(expected)
    as_they_are = recognizer(Recording(positions, person().valid, KINECT), as_is=True)
    assert probabilities(as_they_are) != probabilities(expected)


def test_exchanged_sides_are_told() -> None:
    positions = person().positions.copy()
    feet = [KINECT.index("left_foot"), KINECT.index("right_foot")]
    positions[:, :, feet, 2] += 0.2  # ahead
    model = people_recognizer(space=replace(SPACE, sides="right"))
    assert Recognizer(model)(Recording(positions, layout=KINECT)).notes == ()
    exchanged = Recording(positions[:, :, KINECT.mirror], layout=KINECT)
    assert Recognizer(model)(exchanged).notes == (
        "left and right look exchanged, compared with the training data, or its joints stand in another "
        "order than its layout says",
    )


def test_an_unknown_rate_is_told_where_the_model_has_one() -> None:
    assert Detector(people_detector())(person(fps=30.0)).notes == ()
    assert Detector(people_detector())(person()).notes == (
        "its frame rate is unknown and taken for the 30 a second that the model was trained at",
    )
    assert Detector(people_detector(fps=None))(person()).notes == ()


def test_a_unit_and_an_axis_that_are_stated_count_instead_of_what_bodies_suggest() -> None:
    recognizer = Recognizer(people_recognizer())
    expected = probabilities(recognizer(person()))
    lying = Recording(person().positions @ TURNS["z"], person().valid, KINECT)
    assert recognizer(lying, up="y").notes == ()
    assert not np.allclose(probabilities(recognizer(lying, up="y")), expected, atol=1e-3)
    given = recognizer(person(100).positions @ TURNS["z"], unit="centimeters", up="z")
    np.testing.assert_allclose(probabilities(given), expected, atol=1e-5)
    assert given.notes == (
        "converted from centimeters to meters, as the model was trained",
        "turned from z up to y up, as the model was trained",
    )
    with pytest.raises(DataError, match=r"in centimeters, as was stated, bones are 0.01 times as long"):
        recognizer(person(), unit="centimeters")
    online = OnlineDetector(people_detector(), unit="millimeters")
    assert online.update(person(1000).positions[0]).notes == (
        "converted from millimeters to meters, as the model was trained",
    )


def test_what_is_stated_makes_sense_or_is_refused() -> None:
    recognizer = Recognizer(people_recognizer())
    with pytest.raises(ConfigError, match="up must be one of x, -x, y"):
        recognizer(person(), up="north")
    with pytest.raises(ConfigError, match="leave unit and up out, or as_is"):
        OnlineRecognizer(people_recognizer(), unit="meters", as_is=True)
    unknown = Recognizer(people_recognizer(space=Space()))
    with pytest.raises(
        DataError, match="its unit was stated, meters, but that of the model's training data is"
    ):
        unknown(person(), unit="meters")
    scaled = Recognizer(people_recognizer(PreprocessingConfig(scale="body")))
    assert scaled(person(3.3), unit="meters").notes == ()


def test_a_list_of_joints_is_a_layout() -> None:
    recognizer, whole = Recognizer(people_recognizer()), person()
    order = np.random.default_rng(0).permutation(KINECT.n_joints)
    names = [KINECT.joints[joint] for joint in order]
    found = recognizer(whole.positions[:, :, order], layout=names)
    np.testing.assert_allclose(probabilities(found), probabilities(recognizer(whole)), atol=1e-6)
    online = OnlineRecognizer(people_recognizer(), window=5, layout=names)
    own = OnlineRecognizer(people_recognizer(), window=5)
    for frame in whole.positions[:6]:
        one, other = online.update(frame[:, order]), own.update(frame)
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(probabilities(one), probabilities(other), atol=1e-6)
    detector, same = OnlineDetector(people_detector(), layout=names), OnlineDetector(people_detector())
    for frame in whole.positions[:6]:
        first, second = detector.update(frame[:, order]), same.update(frame)
        np.testing.assert_allclose(first.probabilities, second.probabilities, atol=1e-6)


def test_another_frame_rate_is_brought_to_the_models() -> None:
    recognizer = Recognizer(people_recognizer(fps=30.0))
    with pytest.raises(DataError, match=r"60 frames a second, the model was trained at 30"):
        recognizer(person().positions, fps=60.0)
    found = recognizer(person().positions, fps=60.0, resample=True)
    expected = recognizer(recognizer.recording(person(fps=60.0), resample=True))
    assert found.scores == expected.scores
