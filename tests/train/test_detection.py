"""Training a detector: labels follow the frames through speed and crops, and a tiny run end to end."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from factories import CLASSES, draws, tiny, untrimmed_store
from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.tasks.detection.model import DetectionModel
from hitrs.train.config import Config, DetectionConfig
from hitrs.train.detection import DetectionJob, train_detector
from hitrs.transforms.augment import AugmentConfig
from hitrs.transforms.draws import Draws
from hitrs.transforms.source import Source

CONFIG = Config(
    model=tiny(),
    augment=AugmentConfig(policy="views", drop=0.0, noise=0.0, stretch=0.0, yaw=0.0, tilt=0.0),
    detect=DetectionConfig(steps=3, batch_size=2, warmup=0, hidden=8, layers=2, frames=24, log_every=1),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return untrimmed_store(tmp_path_factory.mktemp("detection") / "store")


def source_of(store: Store, config: Config = CONFIG) -> Source:
    return Source(store, np.arange(len(store)), store.layout, config.preprocessing)


@pytest.mark.parametrize("speed", [0.0, 0.4])
@pytest.mark.parametrize("frames", [24, 100])
def test_labels_follow_their_frames(store: Store, speed: float, frames: int) -> None:
    config = dataclasses.replace(
        CONFIG,
        augment=dataclasses.replace(CONFIG.augment, speed=speed),
        detect=dataclasses.replace(CONFIG.detect, frames=frames),
    )
    job = DetectionJob(source_of(store, config), config)
    batch, labels = job.inputs(np.arange(6), draws(6, seed=1))
    assert labels.shape == batch.positions[:, 0, :, 0, 0].shape
    assert labels.shape[1] <= frames
    at = batch.positions[:, 0, :, 0, 0]
    inside = torch.arange(labels.shape[1]) < batch.lengths[:, None]
    assert (labels[~inside] == -1).all()
    expected = torch.where(labels == len(CLASSES), 0.0, labels + 1.0)
    clear = inside & (
        (at - at.round()).abs() < 1e-4
    )  # at a border the slowed motion lies between two classes
    assert clear.sum() > 0.7 * inside.sum()
    wrong = (at.round() != expected)[clear]
    assert wrong.float().mean() < (0.05 if speed else 1e-9)


def test_the_papers_augmentation_leaves_time_to_the_labels(store: Store) -> None:
    config = dataclasses.replace(CONFIG, augment=AugmentConfig(policy="paper"))
    config = dataclasses.replace(config, detect=dataclasses.replace(CONFIG.detect, frames=100))
    job = DetectionJob(source_of(store, config), config)
    whole = job.source.batch(np.arange(6))
    for seed in range(8):
        batch, labels = job.inputs(np.arange(6), Draws.of(seed, np.arange(6)))
        assert torch.equal(batch.lengths, whole.lengths)
        assert torch.equal((labels >= 0).sum(1), batch.lengths)
        # every joint moves together but for single offsets: frames of one class stay equal, others differ
        for row, given in zip(batch.positions[:, 0], labels, strict=True):
            for label in given[given >= 0].unique():
                of_class = row[given == label]
                torch.testing.assert_close(of_class, of_class[:1].expand_as(of_class))


def test_a_run_from_end_to_end(store: Store, tmp_path: Path) -> None:
    model = train_detector(source_of(store), CONFIG, tmp_path, held_out=source_of(store))
    again = DetectionModel.from_pretrained(tmp_path)
    assert again.card.fps == 30.0
    assert again.card.classes == CLASSES
    assert again.card.trained["from"] == "scratch"
    assert again.segments == model.segments
    assert model.segments.smoothing in (1, 5, 11, 21)


def test_recordings_without_a_segment_cannot_train(store: Store) -> None:
    with pytest.raises(DataError, match="no recording to train on"):
        DetectionJob(Source(store, [], store.layout, CONFIG.preprocessing), CONFIG)
