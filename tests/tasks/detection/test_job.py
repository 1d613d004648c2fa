"""Training a detector: labels follow the frames through speed and crops, a tiny run end to end; the loss."""

from pathlib import Path

import numpy as np
import pytest
import torch

from factories import CLASSES, keyed_generator, tiny, untrimmed_store
from hitrs.config import Config
from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.tasks.detection.choose import Grid
from hitrs.tasks.detection.config import DetectionConfig, DetectionHeadConfig
from hitrs.tasks.detection.job import JUMP, DetectionJob, DetectionObjective, class_weights
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.task import TASK
from hitrs.tasks.finetune import finetune
from hitrs.training.config import FinetuneOptimConfig
from hitrs.transforms.config import AugmentConfig, ViewsConfig
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.transforms.random import KeyedGenerator

CONFIG = Config(
    model=tiny(),
    augment=AugmentConfig(
        policy="views", views=ViewsConfig(drop=0.0, noise=0.0, stretch=0.0, yaw=0.0, tilt=0.0)
    ),
    tasks={
        "detect": DetectionConfig(
            head=DetectionHeadConfig(hidden=8, layers=2),
            optim=FinetuneOptimConfig(
                steps=3, batch_size=2, accumulation_steps=1, warmup_steps=0, log_every=1
            ),
            chunk_frames=24,
        )
    },
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return untrimmed_store(tmp_path_factory.mktemp("detection") / "store")


def dataset_of(store: Store, config: Config = CONFIG) -> SkeletonDataset:
    return SkeletonDataset(store, np.arange(len(store)), store.layout, config.preprocessing)


@pytest.mark.parametrize("speed", [0.0, 0.4])
@pytest.mark.parametrize("frames", [24, 100])
def test_labels_follow_their_frames(store: Store, speed: float, frames: int) -> None:
    config = CONFIG.changed({"augment.views.speed": speed, "detect.chunk_frames": frames})
    job = DetectionJob(dataset_of(store, config), config)
    batch, labels = job.inputs(np.arange(6), keyed_generator(6, seed=1))
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
    config = CONFIG.changed({"augment.policy": "paper", "detect.chunk_frames": 100})
    job = DetectionJob(dataset_of(store, config), config)
    whole = job.dataset.batch(np.arange(6))
    for seed in range(8):
        batch, labels = job.inputs(np.arange(6), KeyedGenerator.from_seed(seed, np.arange(6)))
        assert torch.equal(batch.lengths, whole.lengths)
        assert torch.equal((labels >= 0).sum(1), batch.lengths)
        # every joint moves together but for single offsets: frames of one class stay equal, others differ
        for row, given in zip(batch.positions[:, 0], labels, strict=True):
            for label in given[given >= 0].unique():
                of_class = row[given == label]
                torch.testing.assert_close(of_class, of_class[:1].expand_as(of_class))


def test_a_run_from_end_to_end(store: Store, tmp_path: Path) -> None:
    model = finetune(TASK, dataset_of(store), CONFIG, tmp_path, validation=dataset_of(store))
    again = DetectionModel.from_pretrained(tmp_path)
    assert again.card.fps == 30.0
    assert again.card.classes == CLASSES
    assert again.card.trained["from"] == "scratch"
    assert again.segments == model.segments
    assert model.segments.smoothing in Grid().smoothing


def test_recordings_without_a_segment_cannot_train(store: Store) -> None:
    with pytest.raises(DataError, match="no recording to train on"):
        DetectionJob(SkeletonDataset(store, [], store.layout, CONFIG.preprocessing), CONFIG)


class Fixed(torch.nn.Module):
    """Gives the scores that it was made with."""

    def __init__(self, logits: torch.Tensor):
        super().__init__()
        self.logits = torch.nn.Parameter(logits)
        self.encoder = torch.nn.Linear(1, 1)

    def forward(self, batch: object) -> torch.Tensor:
        return self.logits


def test_the_loss_is_what_a_loop_computes() -> None:
    torch.manual_seed(0)
    logits, weights = 4 * torch.randn(2, 5, 3), torch.tensor([0.5, 2.0, 1.0])
    labels = torch.tensor([[0, 1, 1, 2, 2], [2, 2, 0, -1, -1]])
    loss, metrics = DetectionObjective(Fixed(logits), weights, smoothness=0.5)(None, labels)

    entropy = total = right = 0.0
    jumps = []
    for row in range(2):
        frames = [t for t in range(5) if labels[row, t] >= 0]
        for t in frames:
            log = logits[row, t].log_softmax(-1)
            entropy -= weights[labels[row, t]] * log[labels[row, t]]
            total += weights[labels[row, t]]
            right += float(logits[row, t].argmax() == labels[row, t]) / 8
            if t - 1 in frames:
                before = logits[row, t - 1].log_softmax(-1)
                jumps += [min(abs(float(a - b)), JUMP) ** 2 for a, b in zip(log, before, strict=True)]
    assert loss.item() == pytest.approx(float(entropy / total) + 0.5 * sum(jumps) / len(jumps), rel=1e-5)
    assert metrics["accuracy"].item() == pytest.approx(right)


def test_weights_lift_the_rare_and_keep_the_mean() -> None:
    labels = torch.tensor([2] * 90 + [0] * 9 + [1])
    plain, balanced = class_weights(labels, 4, 0.0), class_weights(labels, 4, 1.0)
    assert plain.tolist() == pytest.approx([1.0] * 4, rel=0.02)
    assert (balanced[0] / balanced[2]).item() == pytest.approx(10.0)
    assert balanced[1] == balanced[3]  # one frame, none
    counts = torch.bincount(labels, minlength=4)
    assert ((balanced * counts).sum() / 100).item() == pytest.approx(1.0, rel=0.02)


def test_a_frozen_encoder_stays_in_eval_mode_and_gets_no_gradient() -> None:
    objective = DetectionObjective(
        Fixed(torch.zeros(1, 2, 3)), torch.ones(3), 0.0, freeze_encoder=True
    ).train()
    assert not objective.model.encoder.training
    assert objective.model.training
    assert not any(p.requires_grad for p in objective.model.encoder.parameters())
