"""Probabilities that hold what they say, and "none of these"."""

import copy
import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

import hitrs
from factories import LAYOUT, small_store, tiny
from hitrs import Recognizer, Recording, Store
from hitrs.config import Config
from hitrs.errors import CheckpointError, ConfigError, DataError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.models.features import pooled_features
from hitrs.models.ridge import fit_ridge
from hitrs.tasks.recognition.calibration import (
    calibration_error,
    choose_confidence,
    choose_limits,
    choose_threshold,
)
from hitrs.tasks.recognition.confidence import FLAT, UNKNOWN, Confidence
from hitrs.tasks.recognition.config import RecognitionConfig
from hitrs.tasks.recognition.files import write_csv
from hitrs.tasks.recognition.graph import flat_scores
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.ridge import convolution_recognizer, ridge_recognizer, train_views
from hitrs.training.config import FinetuneOptimConfig
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

QUICK = Config(
    model=tiny(),
    tasks={"recognize": RecognitionConfig(FinetuneOptimConfig(steps=3, batch_size=4, accumulation_steps=1))},
    max_frames=20,
)


def drawn(temperature: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are ``temperature`` times as sharp as the chances by which the labels were drawn."""
    rng = np.random.default_rng(0)
    scores = 2 * rng.normal(size=(count, 4))
    labels = (softmax(scores, 1).cumsum(1) > rng.random((count, 1))).argmax(1)
    return temperature * scores, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_makes_probabilities_true(temperature: float) -> None:
    scores, labels = drawn(temperature)
    chosen = choose_confidence(scores, labels)
    assert chosen.temperature == pytest.approx(temperature, rel=0.1)
    after = calibration_error(softmax(scores / chosen.temperature, 1), labels)
    assert after < 3
    assert after <= calibration_error(softmax(scores, 1), labels)


@given(st.integers(20, 200), st.integers(0, 99))
def test_the_threshold_costs_a_twentieth_of_the_held_out(count: int, seed: int) -> None:
    chances = softmax(np.random.default_rng(seed).normal(size=(count, 3)), 1)
    refused = (chances.max(1) < choose_threshold(chances)).mean()
    assert refused <= 0.05


def test_a_larger_share_may_be_refused() -> None:
    scores, labels = drawn(1.0)
    few, many = (choose_confidence(scores, labels, share) for share in (0.05, 0.3))
    most = softmax(scores / many.temperature, 1).max(1)
    assert few.temperature == many.temperature
    assert (most < many.threshold).mean() == pytest.approx(0.3, abs=0.01)
    assert few.threshold < many.threshold


@given(st.integers(2, 30), st.integers(0, 99))
def test_scores_of_what_is_unlike_all_are_below_any_threshold(classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=classes)
    flat = softmax(FLAT * scores / np.abs(scores).max())
    chances = softmax(0.1 * rng.normal(size=(40, classes)), 1)
    threshold, _ = choose_limits(chances, rng.random(40))
    assert flat.max() < threshold
    assert np.corrcoef(flat_scores(flat), scores)[0, 1] > 0.999
    assert flat_scores(np.array([0.9, 0.1])).tolist() == [0.9, 0.1]


@given(st.integers(20, 200), st.integers(0, 99), st.floats(0.01, 0.3))
def test_both_limits_together_cost_the_share(count: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    chances, distances = softmax(4 * rng.normal(size=(count, 3)), 1), rng.gamma(2, size=count)
    threshold, distance = choose_limits(chances, distances, share)
    unsure, far = chances.max(1) < threshold, distances > distance
    assert (unsure | far).mean() <= share
    assert (unsure | far).mean() >= share - 2 / count - 0.5 * share  # where both fall on the same recordings
    assert threshold > 1 / 3  # all classes alike are none


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.45, 0.55]] * 4)
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1])  # 75% of those with 0.9, all of those with 0.55
    assert calibration_error(probabilities, labels) == pytest.approx(100 * (0.15 + 0.45) / 2)


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": 0.0},
        {"threshold": 1.0},
        {"threshold": float("nan")},
        {"distance": -1.0},
        {"distance": float("inf")},
        {"axes": 10**9},
    ],
)
def test_confidence_has_bounds(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Confidence(**values)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("confidence") / "store", count=24)


def subjects_of(store: Store) -> list[str]:
    train = store.split("subjects", "train")
    return sorted({store.subject_names[s] for s in np.asarray(store.subjects)[train]})


def test_validation_subjects_make_a_model_that_can_say_none(store: Store, tmp_path: Path) -> None:
    subject = subjects_of(store)[0]
    run = hitrs.finetune(
        store, tmp_path / "run", config=QUICK, validation_subjects=[subject], unknown_classes=["bow"]
    )
    recognizer = Recognizer(run.model)
    assert recognizer.classes == ("wave", "nod")  # "bow" did not train
    chosen = recognizer.model.confidence
    assert chosen.threshold > 0
    assert chosen.temperature != 1
    figures = run.results["metrics"]["all"]
    test = store.split("subjects", "test")
    unknown = [i for i in test if store[int(i)].label == "bow"]
    named = [recognizer(store[int(i)]).known for i in unknown]
    assert figures["unknown_recordings"] == len(unknown)
    assert figures["recordings"] == len(test) - len(unknown)
    floors = [floor["all"]["recordings"] for floor in run.results["floors"].values()]
    assert floors == [figures["recordings"]] * 2  # on the same recordings
    assert figures["unknown_named"] == pytest.approx(100 * np.mean(named), abs=0.01)
    assert 0 <= figures["unknown_auroc"] <= 100
    again = hitrs.evaluate(store, run.model).metrics["all"]
    assert again == figures
    refused = [recognizer(store[int(i)]).label == UNKNOWN for i in test if store[int(i)].label != "bow"]
    assert figures["refused"] == pytest.approx(100 * np.mean(refused), abs=0.01)


def test_a_recognizer_below_its_threshold_names_nothing(store: Store, tmp_path: Path) -> None:
    encoder = HiTRS.from_pretrained(hitrs.pretrain(store, tmp_path / "run", config=pretrained()).model)
    train = SkeletonDataset(store, store.split("subjects", "train"), LAYOUT, encoder.card.preprocessing)
    model = ridge_recognizer(encoder, train, QUICK)
    assert 0 < model.confidence.threshold < 1  # from cross-validation
    model.confidence = dataclasses.replace(model.confidence, threshold=0.998)
    answer = Recognizer(model.save_pretrained(tmp_path / "strict"))(store[0])
    assert (answer.label, answer.known, answer.to_dict()["label"]) == (UNKNOWN, False, None)
    assert sum(score.probability for score in answer.scores) == pytest.approx(1, abs=1e-5)
    write_csv(tmp_path / "found.csv", [("a", answer), ("b", Recognizer(model)(store[0]))])
    with (tmp_path / "found.csv").open(newline="", encoding="utf-8") as file:
        refused, _ = csv.DictReader(file)
    assert (refused["label"], refused["probability"]) == (
        UNKNOWN,
        "",
    )  # that of the nearest class is no answer
    assert float(refused["wave"]) > 0


def without_bow(store: Store) -> SkeletonDataset:
    """What trains of two of the three classes."""
    few = store.without_classes(["bow"])
    train = few.split("subjects", "train")
    return SkeletonDataset(few, train[np.asarray(few.labels)[train] >= 0], LAYOUT, PreprocessingConfig())


@pytest.fixture(scope="module")
def two_classes(store: Store) -> RecognitionModel:
    """A ridge classifier on an encoder that has learned nothing, made of two of the three classes."""
    torch.manual_seed(0)
    encoder = HiTRS(tiny(), LAYOUT.n_joints)
    encoder.card = ModelCard(encoder.config, LAYOUT)
    labeled = without_bow(store)
    return ridge_recognizer(encoder, labeled, QUICK)


def unlike(store: Store, number: int) -> Recording:
    """Somebody whose joints are elsewhere, so that no class fits."""
    recording = store[number]
    away = np.random.default_rng(number).normal(size=(1, 1, LAYOUT.n_joints, 3)).astype(np.float32)
    return dataclasses.replace(recording, positions=recording.positions + 2 * away, label=None)


def test_what_is_unlike_all_that_trained_is_named_nothing(
    store: Store, two_classes: RecognitionModel
) -> None:
    """A classifier of two classes is sure of one of them wherever features lie; they were named at 98%."""
    recognizer = Recognizer(two_classes)
    answers = [recognizer(unlike(store, number), as_is=True) for number in range(8)]
    assert [answer.label for answer in answers] == [UNKNOWN] * 8
    assert all(answer.probability < 0.51 for answer in answers)  # neither is more probable
    train = store.split("subjects", "train")
    own = [store[int(i)] for i in train if store[int(i)].label != "bow"]
    assert sum(recognizer(recording).known for recording in own) >= 0.9 * len(own)


def test_what_trained_is_like_what_trained(store: Store) -> None:
    """Of few recordings and thousands of features, axes go where just these vary: held out, others seemed
    nearer than those that trained, which were then refused."""
    train = store.split("subjects", "train")
    labeled = SkeletonDataset(store, train, LAYOUT, PreprocessingConfig())
    recognizer = Recognizer(convolution_recognizer(labeled))
    answers = [recognizer(store[int(number)]) for number in train]
    assert sum(answer.known for answer in answers) >= 0.8 * len(answers)


def test_what_was_learned_of_features_is_saved(
    store: Store, two_classes: RecognitionModel, tmp_path: Path
) -> None:
    again = RecognitionModel.from_pretrained(two_classes.save_pretrained(tmp_path / "model"))
    assert again.confidence == two_classes.confidence
    assert again.confidence.axes
    for recording in (store[0], unlike(store, 1)):
        one, other = (Recognizer(model)(recording, as_is=True) for model in (two_classes, again))
        assert one == other


def test_convolutions_beside_it_change_the_probability_alone(
    store: Store, two_classes: RecognitionModel, tmp_path: Path
) -> None:
    labeled = without_bow(store)
    convolutions = convolution_recognizer(labeled)
    assert convolutions.familiarity is not None
    model = copy.deepcopy(two_classes)
    model.add_convolutions(convolutions)
    assert model.confidence.axes == two_classes.confidence.axes
    again = RecognitionModel.from_pretrained(model.save_pretrained(tmp_path / "model"))
    assert Recognizer(again)(unlike(store, 0), as_is=True).label == UNKNOWN
    assert Recognizer(again)(store[0]) == Recognizer(model)(store[0])
    model.add_convolutions(None)
    assert model.confidence == two_classes.confidence


def test_the_threshold_is_that_of_somebody_new(store: Store, two_classes: RecognitionModel) -> None:
    """Each recording is held out together with all others of the same person."""
    held_out = two_classes.held_out
    assert held_out is not None
    labeled = without_bow(store)
    people, labels = np.asarray(labeled.store.subjects)[labeled.indices], labeled.labels
    encoder = two_classes.encoder
    assert encoder is not None
    views = QUICK.probe.train_views
    features = np.stack(train_views(encoder, labeled, QUICK, pooled_features))
    whole = fit_ridge(
        torch.from_numpy(features.reshape(views * len(labeled), -1)), np.tile(labels, views), 2,
        np.tile(np.arange(len(labeled)), views), people=np.tile(people, views),
    )  # fmt: skip
    for person in np.unique(people):
        folds = whole.fold[: len(labeled)][people == person]
        assert len(set(folds)) == 1
    np.testing.assert_allclose(held_out.probabilities, whole.held_out[: len(labeled)], atol=1e-4)
    assert two_classes.confidence == held_out.confidence()


def pretrained() -> Config:
    optim = dataclasses.replace(QUICK.pretrain.optim, steps=1, batch_size=4, accumulation_steps=1)
    return dataclasses.replace(QUICK, pretrain=dataclasses.replace(QUICK.pretrain, optim=optim))


def test_a_card_with_a_nonsense_threshold_is_refused(store: Store, tmp_path: Path) -> None:
    run = hitrs.finetune(store, tmp_path / "run", config=QUICK)
    card = run.model / "config.json"
    values = {**json.loads(card.read_text()), "postprocessing": {"confidence": {"threshold": 7}}}
    del values["sha256"]
    card.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="threshold"):
        Recognizer(run.model)


def test_unknown_classes_need_a_model_that_can_refuse(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--validation-subjects"):
        hitrs.finetune(store, tmp_path / "run", config=QUICK, unknown_classes=["bow"])
    with pytest.raises(ConfigError, match="prediction cannot say"):
        hitrs.finetune(store, tmp_path / "run", task="prediction", config=QUICK, unknown_classes=["bow"])
    with pytest.raises(DataError, match="no class 'bow '; did you mean 'bow'"):
        store.without_classes(["bow "])


def test_a_model_without_a_threshold_is_not_asked_about_unknown_classes(store: Store, tmp_path: Path) -> None:
    run = hitrs.finetune(store.without_classes(["bow"]), tmp_path / "run", config=QUICK)
    with pytest.raises(DataError, match="does not know the class 'bow'"):
        hitrs.evaluate(store, run.model)
