"""What models say of recordings, in the one form that pages show."""

import numpy as np
import pytest

from detectors import detector
from factories import CLASSES, LAYOUT
from hitrs.data.recording import Recording, Segment
from hitrs.errors import ConfigError, DataError
from hitrs.tasks.base import Task, TaskModel, get_task
from hitrs.tasks.detection.detector import Detector
from hitrs.tasks.prediction.predictor import Predictor
from hitrs.tasks.recognition.confidence import Confidence
from hitrs.tasks.recognition.recognizer import Recognizer
from people_models import people_recognizer, person
from predictors import predictor


def wandering(frames: int, **more) -> Recording:
    positions = np.random.default_rng(0).normal(size=(frames, 1, LAYOUT.n_joints, 3)).cumsum(0) / 20
    return Recording(positions, layout=LAYOUT, **{"name": "a", "fps": 30.0, **more})


def test_a_recognizers_errors_grow_with_how_sure_it_is() -> None:
    model = people_recognizer()
    reply = get_task("recognition").replies(model)
    best = Recognizer(model)(person()).scores[0]
    other = next(name for name in CLASSES if name != best.label)
    right, wrong, unlabeled = (reply(person(label=label)) for label in (best.label, other, None))
    assert (right.right, wrong.right, unlabeled.right) == (True, False, None)
    assert right.error == pytest.approx(1 - best.probability)
    assert wrong.error == pytest.approx(1 + best.probability)
    assert unlabeled.error is None
    assert right.said == f"{best.label} {best.probability:.0%}"
    assert right.scores[0] == (best.label, best.probability)
    assert sum(probability for _, probability in right.scores) == pytest.approx(1)


def test_none_of_these_is_right_for_a_class_that_it_does_not_know() -> None:
    model = people_recognizer()
    model.confidence = Confidence(threshold=0.99)
    reply = get_task("recognition").replies(model)
    stranger, known = reply(person(label="juggle")), reply(person(label=CLASSES[0]))
    assert stranger.said == known.said == "none of these"
    assert (stranger.right, known.right) == (True, False)


def test_a_detectors_error_is_the_share_of_wrong_frames() -> None:
    model = detector(fps=30.0)
    found = Detector(model)(wandering(60))
    assert found.probabilities is not None
    labels = found.probabilities.argmax(1)
    truth = np.full(60, len(CLASSES))
    truth[10:40] = 1
    given = wandering(60, segments=(Segment(10, 40, CLASSES[1]),))
    reply = get_task("detection").replies(model)(given)
    assert reply.error == pytest.approx((labels != truth).mean())
    assert reply.said == f"{(labels == truth).mean():.0%} of frames right"
    np.testing.assert_array_equal(reply.probabilities, found.probabilities)
    assert reply.labels == (*CLASSES, "no action")
    assert reply.segments is not None
    assert [each[:2] for each in reply.segments] == [(p.start, p.stop) for p in found.proposals]
    assert get_task("detection").replies(model)(wandering(60)).error is None


def test_a_detectors_frames_are_those_of_its_rate() -> None:
    reply = get_task("detection").replies(detector(fps=30.0))(wandering(120, fps=60.0))
    assert reply.recording.fps == 30.0
    assert reply.probabilities is not None
    assert len(reply.probabilities) == reply.recording.n_frames == 60


def test_a_predictor_is_asked_where_the_truth_is_known() -> None:
    model = predictor(fps=30.0)
    span = model.head_config
    given = wandering(span.observed + span.predicted + 7)
    reply = get_task("prediction").replies(model)(given)
    assert reply.start == given.n_frames - span.predicted
    assert reply.predicted is not None
    assert reply.recording.n_frames == reply.predicted.n_frames == given.n_frames
    errors = Predictor(model)(given, at=reply.start).errors()
    assert reply.error == pytest.approx(errors.mean())
    assert "off by" in reply.said
    assert not np.array_equal(reply.predicted.positions[-1], given.positions[-1])


def test_a_short_recording_is_continued_from_its_end() -> None:
    model = predictor(fps=30.0)
    given = wandering(model.head_config.observed)
    reply = get_task("prediction").replies(model)(given)
    assert reply.start == given.n_frames
    assert reply.error is None
    assert reply.predicted is not None
    assert reply.predicted.n_frames == given.n_frames + model.head_config.predicted
    with pytest.raises(DataError, match="frames before the future"):
        get_task("prediction").replies(model)(wandering(3))


def test_a_task_that_does_not_say_how_is_refused() -> None:
    class Silent(Task):
        name = "silence"
        job = evaluate = None  # type: ignore[assignment]

    with pytest.raises(ConfigError, match="a model for silence says cannot be shown"):
        Silent().replies(TaskModel())
