"""Training a predictor: its windows, what changes them, a whole run, and recordings that are too short."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from factories import LAYOUT, draws, small_store, tiny
from hitrs.data.store import Store
from hitrs.errors import ConfigError, DataError
from hitrs.evaluate import prediction
from hitrs.evaluate.protocol import split_of
from hitrs.models.hitrs import HiTRS
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.train.config import Config, PredictionConfig
from hitrs.train.log import read_metrics
from hitrs.train.prediction import PredictionJob, train_predictor
from hitrs.transforms.augment import AugmentConfig
from hitrs.transforms.preprocess import Preprocessing
from hitrs.transforms.source import Source

PREDICT = PredictionConfig(
    steps=4, batch_size=4, lr=1e-3, warmup=0, log_every=1, observed=8, predicted=4, context=6,
    width=8, layers=1, coefficients=6,
)  # fmt: skip
CONFIG = Config(model=tiny(), augment=AugmentConfig(policy="none"), predict=PREDICT)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("prediction") / "store", count=24)


def source(store: Store, part: str = "train") -> Source:
    return Source(store, store.split("subjects", part), LAYOUT, Preprocessing())


def test_windows_are_pieces_of_the_recordings(store: Store) -> None:
    config = dataclasses.replace(CONFIG, predict=dataclasses.replace(PREDICT, step=2))
    job = PredictionJob(source(store), config)
    assert (np.asarray(store.frames)[job.usable] >= 23).all()
    which = np.arange(len(job))
    positions, valid = job.inputs(which, draws(len(which)))
    assert positions.shape == (len(job), 12, LAYOUT.n_joints, 3)
    for i, window, seen in zip(job.usable, positions.numpy(), valid.numpy(), strict=True):
        every, true = store.positions(int(i)), store.valid(int(i))
        starts = [
            (t, p)
            for p in range(every.shape[1])
            for t in range(len(every) - 22)
            if np.array_equal(every[t : t + 23 : 2, p], window)
            and np.array_equal(true[t : t + 23 : 2, p], seen)
        ]
        assert len(starts) == 1


def test_windows_at_other_speeds_and_backwards(store: Store) -> None:
    augment = AugmentConfig(
        policy="views", yaw=0, tilt=0, stretch=0, speed=0.5, crop=0.2, noise=0, drop=0, mirror=0
    )
    still = PredictionJob(source(store), CONFIG)
    config = dataclasses.replace(CONFIG, augment=augment, predict=dataclasses.replace(PREDICT, reverse=1.0))
    job = PredictionJob(source(store), config)
    which = np.arange(len(job))
    plain, _ = still.inputs(which, draws(len(which)))
    changed, valid = job.inputs(which, draws(len(which)))
    assert changed.shape == plain.shape
    assert valid.any()
    assert not torch.equal(plain, changed)
    backwards = dataclasses.replace(CONFIG, predict=dataclasses.replace(PREDICT, reverse=1.0))
    turned, _ = PredictionJob(source(store), backwards).inputs(which, draws(len(which)))
    torch.testing.assert_close(turned, plain.flip(1))


@pytest.mark.parametrize("context", [0, 6])
def test_a_whole_run(store: Store, tmp_path: Path, context: int) -> None:
    config = dataclasses.replace(CONFIG, predict=dataclasses.replace(PREDICT, context=context))
    trained = train_predictor(source(store), config, tmp_path / "run", held_out=source(store, "test"))
    model = PredictionModel.from_pretrained(tmp_path / "run")
    assert model.card.fps == 30.0
    assert model.card.trained["updates"] == 4
    assert (model.encoder is None) == (context == 0)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert any("validation/mpjpe@4" in row for row in rows)
    split = split_of(store, "subjects", prediction.usable(store))
    found = prediction.measure(model, split)
    assert found == prediction.measure(trained, split)
    assert set(found["all"]["baselines"]) == {"zero velocity", "constant velocity"}
    assert found["all"]["horizons"] == [2, 4]
    assert set(found["all"]["actions"]) <= {"wave", "nod", "bow"}
    head, rows = prediction.report_rows(found["all"])
    assert len(head) == len(rows[0])


def test_a_pretrained_encoder_keeps_its_weights_when_frozen(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(3)
    encoder = HiTRS(tiny(), LAYOUT.n_joints)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    config = dataclasses.replace(CONFIG, predict=dataclasses.replace(PREDICT, frozen=True))
    model = train_predictor(source(store), config, tmp_path / "run", encoder=encoder)
    assert model.encoder is not None
    assert all(torch.equal(value, before[name]) for name, value in model.encoder.state_dict().items())
    assert model.card.trained["from"] == "pre-trained encoder"


def test_too_short_recordings_are_left_out_or_told(store: Store) -> None:
    config = dataclasses.replace(CONFIG, predict=dataclasses.replace(PREDICT, observed=90))
    with pytest.raises(DataError, match="94 frames"):
        PredictionJob(source(store), config)
    with pytest.raises(ConfigError, match="context must lie between"):
        dataclasses.replace(PREDICT, context=9)


def test_tables_hold_the_baselines_and_average_over_seeds(store: Store, tmp_path: Path) -> None:
    model = train_predictor(source(store), CONFIG, tmp_path / "run")
    found = prediction.measure(model, split_of(store, "subjects", prediction.usable(store)))
    results = [
        {
            "store": "toy", "protocol": "subjects", "source": None, "label": "", "fraction": 1.0,
            "seconds": 60.0, "updates": 4, "metrics": {"scratch": found},
        }
    ] * 2  # fmt: skip
    other = {**results[0], "source": "pretrain-toy-joint-s0"}
    text = prediction.prediction_tables([*results, other])
    assert text.count("| encoder pre-trained on toy |") == 1 + len(found["all"]["actions"])
    assert text.count("| zero velocity |") == 1 + len(found["all"]["actions"])
    line = next(line for line in text.splitlines() if line.startswith("| encoder from scratch"))
    assert f"{found['all']['mpjpe@4']:.1f} ± 0.0" in line
    assert line.endswith("| 2 | 4 | 1.0 |")
