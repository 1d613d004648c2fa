"""What a model has to beat: measured in one place, and compared in one sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hitrs.tasks.detection.floors
import hitrs.tasks.recognition.floors
from detectors import detector
from factories import CLASSES, LAYOUT, small_store, tiny, untrimmed_store
from hitrs.data.protocol import ProtocolSplit, protocol_split
from hitrs.data.recording import Recording
from hitrs.data.store import write_store
from hitrs.models.card import ModelCard
from hitrs.models.convolutions import RandomConvolutions
from hitrs.tasks.base import EvalOptions, drawn, followed_remedies, get_task
from hitrs.tasks.recognition.floors import nearest_positions
from hitrs.tasks.recognition.ridge import convolution_recognizer
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset
from predictors import predictor

CARD = ModelCard(tiny(), LAYOUT, PreprocessingConfig(), CLASSES)
RECOGNITION, DETECTION, PREDICTION = map(get_task, ("recognition", "detection", "prediction"))


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> ProtocolSplit:
    return protocol_split(small_store(tmp_path_factory.mktemp("floors") / "store", count=24))


@pytest.fixture(scope="module")
def untrimmed(tmp_path_factory: pytest.TempPathFactory) -> ProtocolSplit:
    store = untrimmed_store(tmp_path_factory.mktemp("floors") / "scenes")
    return protocol_split(store, usable=np.ones(len(store), bool))


def test_of_recognition(trimmed: ProtocolSplit) -> None:
    told: list[str] = []
    floors = RECOGNITION.floors(CARD, trimmed, {}, tell=told.append)
    assert list(floors) == ["knn on positions", "random convolutions"]
    assert floors["knn on positions"] == nearest_positions(trimmed, LAYOUT, CARD.preprocessing)
    labeled = SkeletonDataset(trimmed.store, trimmed.train, LAYOUT, CARD.preprocessing)
    whole = RECOGNITION.evaluate([convolution_recognizer(labeled)], trimmed)
    assert floors["random convolutions"]["all"].items() <= whole["all"].items()  # not how sure they are
    assert told == [
        "beside it 1-NN on positions and random convolutions, which learn from 18 training recordings"
    ]
    fewer = replace(trimmed, train=trimmed.train[:3])
    assert RECOGNITION.floors(CARD, fewer, {})["knn on positions"] != floors["knn on positions"]


def test_a_large_training_part_is_drawn_from(trimmed: ProtocolSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hitrs.tasks.recognition.floors, "RECORDINGS", 7)
    told: list[str] = []
    floors = RECOGNITION.floors(CARD, trimmed, {}, tell=told.append)
    assert told[1] == "note: they learn from 7 of 18 training recordings, drawn at random"
    some = replace(trimmed, train=drawn(trimmed.train, 7))
    assert floors["knn on positions"] == nearest_positions(some, LAYOUT, CARD.preprocessing)


def test_drawn() -> None:
    numbers = np.arange(10, 30)
    some = drawn(numbers, 6)
    assert len(set(some)) == 6
    assert (np.diff(some) > 0).all()
    np.testing.assert_array_equal(some, drawn(numbers, 6))
    np.testing.assert_array_equal(drawn(numbers, 20), numbers)


def test_test_recordings_may_show_more_people_than_those_that_train(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    recordings = [
        Recording(rng.normal(size=(9, 1 + n // 4, 6, 3)), layout=LAYOUT, name=str(n), label=CLASSES[n % 2])
        for n in range(6)
    ]
    store = write_store(
        tmp_path / "store",
        recordings,
        layout=LAYOUT,
        classes=CLASSES,
        protocols={"halves": lambda r: "test" if int(r.name) >= 4 else "train"},
    )
    floors = nearest_positions(protocol_split(store), LAYOUT, PreprocessingConfig())
    assert floors["all"]["recordings"] == 2


def test_they_see_what_the_model_sees(trimmed: ProtocolSplit) -> None:
    fewer = replace(LAYOUT, name="fewer", joints=("pelvis", "head"), parents=(0, 0), pairs=())
    found = RECOGNITION.floors(CARD, trimmed, {}, EvalOptions(seen_as=fewer))
    assert found != RECOGNITION.floors(CARD, trimmed, {})


def test_random_convolutions_are_made_once(trimmed: ProtocolSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    whole = RandomConvolutions.__init__

    def counting(self, *words, **more) -> None:
        made.append(more["seed"])
        whole(self, *words, **more)

    monkeypatch.setattr(RandomConvolutions, "__init__", counting)
    labeled = SkeletonDataset(trimmed.store, trimmed.train, LAYOUT, CARD.preprocessing)
    first, second = convolution_recognizer(labeled, seed=3), convolution_recognizer(labeled, seed=4)
    assert made == [3, 4]
    assert not (first.convolutions.pooled == second.convolutions.pooled).all()


def test_of_detection(untrimmed: ProtocolSplit) -> None:
    card = detector().card
    told: list[str] = []
    floors = DETECTION.floors(card, untrimmed, {}, tell=told.append)
    store = untrimmed.store
    frames = int(store.frames[untrimmed.train].sum())
    assert told == [
        "beside it the most frequent class, and the nearest neighbor of each frame among "
        f"{frames} training frames"
    ]
    test = store.frames[untrimmed.test].sum()
    assert floors["majority class"]["all"]["frame/accuracy"] == round(100 * (1 - 20 * 3 / test), 2)
    assert floors["majority class"]["all"]["voc/map@0.5"] == 0
    nearest = floors["nearest frame"]["all"]
    assert nearest["frame/accuracy"] == round(100 * _slow_accuracy(untrimmed, card), 2)
    assert nearest["voc/map@0.5"] > 50


def _slow_accuracy(split: ProtocolSplit, card: ModelCard) -> float:
    """Of the nearest training frame, frame by frame."""

    def frames(indices: np.ndarray) -> list[tuple[np.ndarray, str | None]]:
        dataset = SkeletonDataset(split.store, indices, card.layout, card.preprocessing)
        found = []
        for place, index in enumerate(indices):
            poses = dataset.batch([place]).positions[0, 0].numpy()
            for time, pose in enumerate(poses):
                own = [s.label for s in split.store.segments(int(index)) if s.start <= time < s.stop]
                found.append((pose, own[0] if own else None))
        return found

    known, asked = frames(split.train), frames(split.test)
    right = 0
    for pose, label in asked:
        distances = [((pose - other) ** 2).sum() for other, _ in known]
        right += known[int(np.argmin(distances))][1] == label
    return right / len(asked)


def test_few_frames_are_compared_where_there_are_many(
    untrimmed: ProtocolSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(hitrs.tasks.detection.floors, "FRAMES", 5)
    DETECTION.floors(detector().card, untrimmed, {}, tell=told.append)
    frames = int(untrimmed.store.frames[untrimmed.train].sum())
    assert told[0].endswith("among 5 training frames")
    assert told[1] == f"note: neighbors are looked for in 5 of {frames} frames, drawn at random"
    monkeypatch.setattr(hitrs.tasks.detection.floors, "COMPARISONS", 1)
    DETECTION.floors(detector().card, untrimmed, {}, tell=told.append)
    assert told[2].endswith("among 1 training frame")


def test_training_recordings_may_show_a_class_that_the_detector_does_not_know(
    untrimmed: ProtocolSplit,
) -> None:
    card = detector().card
    some = replace(untrimmed, test=untrimmed.test[:1])  # "nod" and "bow"
    assert DETECTION.floors(replace(card, classes=("nod", "bow")), some, {}).keys() == {
        "majority class",
        "nearest frame",
    }


def test_of_prediction(trimmed: ProtocolSplit) -> None:
    model = predictor(observed=8, predicted=4, context=6)
    split = protocol_split(trimmed.store, usable=np.ones(len(trimmed.store), bool))
    metrics = PREDICTION.evaluate([model], split)
    floors = PREDICTION.floors(model.card, split, metrics)
    assert (
        floors["zero velocity"]["all"]["mpjpe@4"] == metrics["all"]["baselines"]["zero velocity"]["mpjpe@4"]
    )
    assert floors.keys() == {"zero velocity", "constant velocity"}


def accuracy(top1: float) -> dict:
    return {"all": {"recordings": 10, "top1": top1, "top5": None}}


def test_the_sentence_on_a_model_that_is_no_better() -> None:
    floors = {"knn on positions": accuracy(71.8), "random convolutions": accuracy(92.3)}
    assert RECOGNITION.behind(accuracy(93.0), floors) is None
    said = RECOGNITION.behind(accuracy(80.0), floors)
    assert said is not None
    assert said.startswith(
        "the model is no better than random convolutions (top-1, all: 80.0 against 92.3), which costs next "
        "to nothing: train for more steps"
    )
    for remedy in ("--from general", "hitrs inspect", "hitrs probe", "--convolutions"):
        assert remedy in said
    both = RECOGNITION.behind(accuracy(1.0), floors)
    assert both is not None
    assert "1-NN on positions (top-1, all: 1.0 against 71.8) and random convolutions" in both


def test_what_was_done_already_is_not_advised() -> None:
    floors = {"random convolutions": accuracy(92.3)}
    card = ModelCard(tiny(), LAYOUT, classes=("a", "b"))
    assert followed_remedies(card) == set()
    for origin, head, gone in (
        ("scratch", {}, ()),
        ("pre-trained encoder", {}, ("--from general",)),
        ("frozen encoder, ridge classifier", {}, ("--from general", "more steps")),
        (
            "frozen encoder, ridge classifier",
            {"convolutions": True},
            ("--from general", "more steps", "--convolutions"),
        ),
    ):
        followed = followed_remedies(replace(card, trained={"from": origin}, head=head))
        said = RECOGNITION.behind(accuracy(80.0), floors, followed)
        assert said is not None
        for remedy in ("--from general", "more steps", "--convolutions", "hitrs inspect"):
            assert (remedy in said) == (remedy not in gone)


def test_a_model_that_has_collapsed_is_no_better_than_the_majority() -> None:
    same = {"all": {"frame/accuracy": 53.9, "voc/map@0.5": 0.0}}
    said = DETECTION.behind(same, {"majority class": same})
    assert said is not None
    assert "majority class (frame accuracy: 53.9 against 53.9)" in said
    assert RECOGNITION.behind(accuracy(100.0), {"random convolutions": accuracy(100.0)}) is None


def test_errors_are_better_when_they_are_lower() -> None:
    floors = {"zero velocity": {"all": {"mpjpe@2": 26.0, "mpjpe@4": 50.0}}}
    assert PREDICTION.behind({"all": {"mpjpe@2": 12.0, "mpjpe@4": 20.0}}, floors) is None
    said = PREDICTION.behind({"all": {"mpjpe@2": 12.0, "mpjpe@4": 60.0}}, floors)
    assert said is not None
    assert "zero velocity (mm at frame 4: 60.0 against 50.0)" in said
    assert "general" not in said  # which has no feature of a single frame


def test_a_report_shows_them_beside_the_model() -> None:
    own = {"all": {"frame/accuracy": 60.0, "frame/f1@50": 10.0}}
    ((head, rows),) = DETECTION.report("subjects", own, {"majority class": {"all": {"frame/accuracy": 50.0}}})
    assert head == ["detection, subjects", "model", "majority class"]
    assert rows == [["frame accuracy", "60.0", "50.0"], ["F1@50", "10.0", "-"]]
    ((head, rows),) = RECOGNITION.report("subjects", accuracy(50.0), {"knn on positions": accuracy(60.0)})
    assert head[0] == "accuracy in % (subjects)"
    assert [row[0] for row in rows] == [
        "model, all test recordings",
        "1-NN on positions, all test recordings",
    ]
