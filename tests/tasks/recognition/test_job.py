"""Recognition on a small store: batches and whole runs."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from factories import JOINTS, LAYOUT, keyed_generator, small_store, tiny
from hitrs.config import Config
from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.models.encoder import HiTRS
from hitrs.tasks.base import get_task
from hitrs.tasks.finetune import finetune
from hitrs.tasks.recognition.config import RecognitionConfig
from hitrs.tasks.recognition.job import RecognitionJob
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.training.config import FinetuneOptimConfig
from hitrs.training.log import read_metrics
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

CONFIG = Config(
    model=tiny(dropout=0.1),
    augment=AugmentConfig(policy="views"),
    tasks={
        "recognize": RecognitionConfig(
            FinetuneOptimConfig(
                steps=4,
                batch_size=4,
                accumulation_steps=1,
                lr=1e-3,
                warmup_steps=0,
                schedule="halving",
                log_every=2,
            )
        )
    },
    max_frames=20,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("jobs") / "store")


def source(store: Store, part: str = "train", **settings: str) -> SkeletonDataset:
    return SkeletonDataset(store, store.split("subjects", part), LAYOUT, PreprocessingConfig(**settings))


def change(config: Config, **parts: object) -> Config:
    return dataclasses.replace(config, **parts)


# --- batches


def test_recognition_batches_have_the_right_labels(store: Store) -> None:
    data = source(store)
    job = RecognitionJob(data, change(CONFIG, augment=AugmentConfig("none")))
    batch, labels = job.inputs(np.array([4, 0]), keyed_generator(2))
    assert labels.tolist() == data.labels[[4, 0]].tolist()
    assert batch.lengths.tolist() == np.minimum(store.frames[data.indices[[4, 0]]], 20).tolist()


def test_recognition_needs_labels(store: Store) -> None:
    with pytest.raises(DataError, match="no recording to train on"):
        RecognitionJob(SkeletonDataset(store, [], LAYOUT, PreprocessingConfig()), CONFIG)
    unlabeled = source(store)
    unlabeled.store = UnlabeledStore(store)  # type: ignore[assignment]
    with pytest.raises(DataError, match=r"recording recording-1 of .* has no label"):
        RecognitionJob(unlabeled, CONFIG)


def test_one_class_is_none_to_tell_apart(store: Store) -> None:
    alike = np.flatnonzero(np.asarray(store.labels) == 0)
    dataset = SkeletonDataset(store, alike, LAYOUT, PreprocessingConfig())
    with pytest.raises(
        DataError, match=rf"all {len(alike)} training recordings of .* show '{store.classes[0]}'"
    ):
        RecognitionJob(dataset, CONFIG)


class UnlabeledStore:
    """A store whose second recording has no label."""

    def __init__(self, store: Store) -> None:
        self.path, self.name, self.classes = store.path, store.name, store.classes
        self.labels = store.labels.copy()
        self.labels[1] = -1


# --- whole runs


@pytest.mark.parametrize("from_encoder", [True, False])
def test_recognition_leaves_a_recognizer(store: Store, tmp_path: Path, from_encoder: bool) -> None:
    torch.manual_seed(5)
    encoder = HiTRS(tiny(stride=5), JOINTS) if from_encoder else None
    before = None if encoder is None else encoder.video.fusion_token.detach().clone()
    model = finetune(
        get_task("recognition"),
        source(store, center="first"),
        CONFIG,
        tmp_path / "run",
        encoder=encoder,
        validation=source(store, "test", center="first"),
    )
    again = RecognitionModel.from_pretrained(tmp_path / "run")
    assert again.card == model.card
    assert again.card.classes == store.classes
    assert again.card.preprocessing.center == "first"
    assert again.card.model == (encoder.config if encoder is not None else CONFIG.model)
    assert again.card.trained["from"] == ("pre-trained encoder" if from_encoder else "scratch")
    if before is not None:
        assert not torch.equal(before, model.encoder.video.fusion_token)  # it was fine-tuned
    assert "validation/accuracy" in read_metrics(tmp_path / "run" / "metrics.jsonl")[-1]
