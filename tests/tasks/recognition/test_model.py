"""Recognition: bodies averaged, one linear layer, saved with all that is needed to use it."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from factories import JOINTS, LAYOUT, small_store, tiny
from hitrs.config import Config
from hitrs.errors import CheckpointError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.models.features import recording_features
from hitrs.tasks.base import get_task
from hitrs.tasks.finetune import finetune
from hitrs.tasks.recognition.config import RecognitionConfig, RecognitionHeadConfig
from hitrs.tasks.recognition.model import RecognitionModel, RecognitionObjective
from hitrs.tasks.recognition.predict import predict
from hitrs.tasks.recognition.recognizer import Recognizer
from hitrs.tasks.recognition.ridge import convolution_recognizer
from hitrs.training.config import FinetuneOptimConfig
from hitrs.transforms.batch import Batch, take_stream
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

CARD = ModelCard(tiny(), LAYOUT, classes=("a", "b", "c"))


def batch() -> Batch:
    """Three recordings: two bodies, one body, nobody."""
    generator = torch.Generator().manual_seed(0)
    valid = torch.rand(3, 2, 20, JOINTS, generator=generator) < 0.9
    lengths = torch.tensor([20, 13, 9])
    valid &= (torch.arange(20) < lengths[:, None])[:, None, :, None]
    valid[1, 1] = False
    valid[2] = False
    positions = torch.randn(*valid.shape, 3, generator=generator).masked_fill(~valid[..., None], 0.0)
    return Batch(positions, valid, lengths)


def make(mode: str = "default", dropout: float = 0.0) -> HiTRS:
    torch.manual_seed(0)
    return HiTRS(tiny(mode=mode, dropout=dropout), JOINTS).eval()


def one(encoder: HiTRS, data: Batch, recording: int, person: int, stream: str = "joint") -> torch.Tensor:
    """Video feature of one body, alone."""
    length = int(data.lengths[recording])
    positions, valid = take_stream(
        data.positions[recording, person, :length], data.valid[recording, person, :length], stream, LAYOUT
    )
    return encoder(positions[None], valid[None], torch.tensor([length])).video[0]


@torch.no_grad()
@pytest.mark.parametrize("stream", ["joint", "bone", "motion"])
def test_features_are_means_over_who_is_there(stream: str) -> None:
    encoder, data = make(), batch()
    card = dataclasses.replace(CARD, preprocessing=PreprocessingConfig(stream=stream))
    features = recording_features(encoder, data, card)
    both = (one(encoder, data, 0, 0, stream) + one(encoder, data, 0, 1, stream)) / 2
    torch.testing.assert_close(features[0], both, atol=1e-5, rtol=0)
    torch.testing.assert_close(features[1], one(encoder, data, 1, 0, stream), atol=1e-5, rtol=0)
    assert (features[2] == 0).all()


@torch.no_grad()
@pytest.mark.parametrize("persons", [1, 2, 3])
def test_the_paper_always_averages_over_all_slots(persons: int) -> None:
    encoder, data = make("paper"), batch()
    features = recording_features(encoder, data, dataclasses.replace(CARD, persons=persons))
    for recording in range(3):
        length = int(data.lengths[recording])
        nobody = encoder(
            torch.zeros(1, length, JOINTS, 3),
            torch.zeros(1, length, JOINTS, dtype=torch.bool),
            torch.tensor([length]),
        ).video[0]
        videos = [one(encoder, data, recording, p) if p < 2 else nobody for p in range(persons)]
        torch.testing.assert_close(features[recording], torch.stack(videos).mean(0), atol=1e-5, rtol=0)


@torch.no_grad()
def test_nobody_at_all_or_one_frame() -> None:
    data = batch()
    empty = Batch(data.positions * 0, data.valid & False, data.lengths)
    assert (recording_features(make(), empty, CARD) == 0).all()
    short = Batch(data.positions[:, :, :1], data.valid[:, :, :1], torch.ones(3).long())
    for stream in ("joint", "bone", "motion"):
        card = dataclasses.replace(CARD, preprocessing=PreprocessingConfig(stream=stream))
        assert recording_features(make(), short, card).isfinite().all()


def test_scores_are_linear_in_the_features() -> None:
    model = RecognitionModel(make(), CARD)
    scores, features = model(batch()), recording_features(model.encoder, batch(), CARD)
    torch.testing.assert_close(scores, features @ model.classifier.weight.T + model.classifier.bias)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_objective_is_the_cross_entropy(smoothing: float) -> None:
    model, labels = RecognitionModel(make(), CARD), torch.tensor([2, 0, 1])
    loss, metrics = RecognitionObjective(model, smoothing)(batch(), labels)
    expected = 0.0
    for row, label in zip(model(batch()).tolist(), labels.tolist(), strict=True):
        normal = math.log(sum(math.exp(x) for x in row))
        for k, x in enumerate(row):
            target = (1 - smoothing) * (k == label) + smoothing / 3
            expected -= target * (x - normal)
    assert loss.item() == pytest.approx(expected / 3, rel=1e-5)
    right = (model(batch()).argmax(1) == labels).float().mean()
    assert metrics["accuracy"].item() == pytest.approx(right.item())


def test_all_parameters_learn() -> None:
    model = RecognitionModel(make(dropout=0.1), CARD).train()
    torch.manual_seed(0)
    for parameter in model.encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    loss, _ = RecognitionObjective(model)(batch(), torch.tensor([0, 1, 2]))
    loss.backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


@torch.no_grad()
def test_round_trip(tmp_path: Path) -> None:
    model = RecognitionModel(make(dropout=0.2), CARD).eval()
    again = RecognitionModel.from_pretrained(model.save_pretrained(tmp_path / "model"))
    assert again.card.classes == CARD.classes
    assert not again.training
    assert torch.equal(again(batch()), model(batch()))
    encoder = HiTRS.from_pretrained(tmp_path / "model")  # its encoder alone
    assert torch.equal(
        recording_features(encoder, batch(), CARD), recording_features(model.encoder, batch(), CARD)
    )


def test_a_pretrained_model_is_no_recognizer(tmp_path: Path) -> None:
    card = dataclasses.replace(CARD, classes=(), task="pretraining")
    make().save_pretrained(tmp_path / "model", card)
    with pytest.raises(
        CheckpointError, match=r"without a head for recognition; make one of it with `hitrs finetune"
    ):
        RecognitionModel.from_pretrained(tmp_path / "model")


def test_a_classifier_of_another_size(tmp_path: Path) -> None:
    model = RecognitionModel(make(), CARD)
    model.card = dataclasses.replace(CARD, classes=("a", "b"))
    model.save_pretrained(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"do not fit its configuration: .*classifier"):
        RecognitionModel.from_pretrained(tmp_path / "model")


@torch.no_grad()
def test_a_light_recognizer_is_saved_with_its_head(tmp_path: Path) -> None:
    settings = PreprocessingConfig(stream="fused", frames=16, tubelet=2)
    config = tiny(padded=False, window=4, stride=4, dilation=1, frame_drop=0.5)
    head = {"features": "pooled", "dropout": 0.3}
    card = ModelCard(config, LAYOUT, settings, ("a", "b"), head=head)
    torch.manual_seed(0)
    model = RecognitionModel.untrained(card).eval()
    assert model.encoder.coords == 18
    scores = model(batch())
    assert scores.shape == (len(batch().lengths), 2)
    again = RecognitionModel.from_pretrained(model.save_pretrained(tmp_path))
    assert again.card.head == head
    torch.testing.assert_close(again(batch()), scores)


def test_convolutions_are_a_recognizer_like_any_other(tmp_path: Path) -> None:
    store = small_store(tmp_path / "store", count=24)
    dataset = SkeletonDataset(store, np.arange(16), LAYOUT, PreprocessingConfig(center="first"))
    model = convolution_recognizer(dataset)
    assert model.encoder is None
    assert (model.card.preprocessing.center, model.card.preprocessing.frames) == ("first", 48)
    query = SkeletonDataset(store, np.arange(24), LAYOUT, model.card.preprocessing)
    scores = predict(model, query)
    assert (scores[:16].argmax(1) == query.labels[:16]).mean() > 0.8
    folder = model.save_pretrained(tmp_path / "model")
    again = RecognitionModel.from_pretrained(folder)
    np.testing.assert_allclose(predict(again, query), scores, atol=1e-5)
    assert Recognizer(folder)(store[3]).label == store.classes[scores[3].argmax()]
    with pytest.raises(CheckpointError, match="without an encoder"):
        HiTRS.from_pretrained(folder)


BESIDE = Config(
    model=tiny(),
    augment=AugmentConfig("none"),
    tasks={
        "recognize": RecognitionConfig(
            optim=FinetuneOptimConfig(steps=2, batch_size=4, warmup_steps=0, log_every=1),
            head=RecognitionHeadConfig(convolutions=True),
        )
    },
)


def test_convolutions_answer_beside_the_encoder(tmp_path: Path) -> None:
    store = small_store(tmp_path / "store", count=24)
    dataset = SkeletonDataset(store, np.arange(16), LAYOUT, PreprocessingConfig(center="first"))
    model = finetune(get_task("recognition"), dataset, BESIDE, tmp_path / "run")
    assert isinstance(model, RecognitionModel)
    assert model.beside is not None
    query = SkeletonDataset(store, np.arange(24), LAYOUT, model.card.preprocessing)
    with_both = predict(model, query)
    beside, model.beside = model.beside, None
    np.testing.assert_allclose(with_both, (predict(model, query) + predict(beside, query)) / 2, atol=1e-5)
    again = RecognitionModel.from_pretrained(tmp_path / "run")
    np.testing.assert_allclose(predict(again, query), with_both, atol=1e-5)
    again.train()
    assert torch.equal(
        again(query.batch([0])), model.train()(query.batch([0]))
    )  # they are not trained with it


def test_convolutions_that_do_not_help_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = small_store(tmp_path / "store", count=24)
    part = [
        SkeletonDataset(store, rows, LAYOUT, PreprocessingConfig()) for rows in (range(16), range(16, 24))
    ]
    accuracies = iter([0.5, 0.4])
    monkeypatch.setattr("hitrs.tasks.recognition.task._accuracy", lambda *_: next(accuracies))
    model = finetune(get_task("recognition"), part[0], BESIDE, tmp_path / "run", validation=part[1])
    assert model.card.head["convolutions"] is False
    assert RecognitionModel.from_pretrained(tmp_path / "run").beside is None
