"""Pre-training and recognition on a small store: batches, the probe, whole runs, and a kill in the middle."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from factories import JOINTS, LAYOUT, draws, small_store, tiny
from hitrs.data.store import Store
from hitrs.errors import CheckpointError, DataError
from hitrs.models.bundle import load_bundle
from hitrs.models.hitrs import HiTRS
from hitrs.pretext.objective import PretextConfig
from hitrs.tasks.recognition import RecognitionModel
from hitrs.train.config import Config, RecognitionConfig
from hitrs.train.log import read_metrics
from hitrs.train.optimizer import OptimConfig
from hitrs.train.pretraining import PretrainJob, across_subjects, pretrain, twice
from hitrs.train.recognition import RecognitionJob, train_recognizer
from hitrs.transforms.augment import AugmentConfig
from hitrs.transforms.preprocess import Preprocessing
from hitrs.transforms.source import Source

CONFIG = Config(
    model=tiny(dropout=0.1),
    augment=AugmentConfig(policy="views"),
    pretext=PretextConfig(views=1.0),
    pretrain=OptimConfig(steps=6, batch_size=4, accumulate=1, warmup=2, log_every=1, checkpoint_seconds=0),
    finetune=RecognitionConfig(steps=4, batch_size=4, accumulate=1, lr=1e-3, log_every=2),
    max_frames=20,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("jobs") / "store")


def source(store: Store, part: str = "train", **settings: str) -> Source:
    return Source(store, store.split("subjects", part), LAYOUT, Preprocessing(**settings))


def change(config: Config, **parts: object) -> Config:
    return dataclasses.replace(config, **parts)


# --- batches


def test_pretraining_sees_bodies_in_two_views(store: Store) -> None:
    data = source(store)
    job = PretrainJob(data, CONFIG)
    assert len(job) == 9
    positions, valid, lengths, identity, _ = job.inputs(np.array([0, 1, 3]), draws(3))
    persons = [int(store.persons[data.indices[i]]) for i in (0, 1, 3)]
    assert len(positions) == 2 * sum(persons)
    ones, counts = identity.unique(return_counts=True)
    assert len(ones) == sum(persons)
    assert (counts == 2).all()
    first, second = (identity == ones[0]).nonzero()[:, 0].tolist()
    assert not torch.equal(positions[first], positions[second])
    assert positions.shape[2:] == (JOINTS, 3)
    assert int(lengths.max()) <= round(20 * 1.3) + 1  # cropped to 20 frames, then played slower by up to 30%
    assert not valid[lengths[:, None] <= torch.arange(positions.shape[1])].any()


def test_without_the_views_task_there_is_one_of_each(store: Store) -> None:
    job = PretrainJob(source(store), change(CONFIG, pretext=PretextConfig(), augment=AugmentConfig("none")))
    positions, _, lengths, identity, _ = job.inputs(np.array([2, 4]), draws(2))
    assert len(identity.unique()) == len(identity) == len(positions)
    expected = [min(20, int(store.frames[job.source.indices[i]])) for i in (2, 4)]
    assert sorted(set(lengths.tolist())) == sorted(set(expected))


@pytest.mark.parametrize("stream", ["bone", "motion"])
def test_the_stream_is_taken_after_augmentation(store: Store, stream: str) -> None:
    still = AugmentConfig("none")
    config = change(
        CONFIG, preprocessing=Preprocessing(stream=stream), pretext=PretextConfig(), augment=still
    )
    positions, valid, *_ = PretrainJob(source(store, stream=stream), config).inputs(np.array([0]), draws(1))
    if stream == "bone":
        assert (positions[:, :, LAYOUT.root] == 0).all()
    else:
        assert (positions[:, 0] == 0).all()
    assert valid.any(-1).any(-1).all()


def test_a_body_that_shows_nothing_in_this_stream_is_left_out(store: Store, tmp_path: Path) -> None:
    lonely = small_store(tmp_path / "store", count=3, persons=1)
    job = PretrainJob(Source(lonely, [0, 1], LAYOUT, Preprocessing(stream="bone")), CONFIG)
    job.source.batch = lambda which: dataclasses.replace(batch, valid=batch.valid & head)  # type: ignore[method-assign]
    batch = Source(lonely, [0, 1], LAYOUT, Preprocessing()).batch([0, 1])
    head = torch.zeros(JOINTS, dtype=torch.bool)
    head[LAYOUT.index("head")] = True
    job.config = change(CONFIG, preprocessing=Preprocessing(stream="bone"))
    inputs = job.inputs(np.array([0, 1]), draws(2))
    assert len(inputs[0]) == 0
    loss, metrics = job.module(*inputs)
    assert loss.item() == 0
    assert metrics == {}


def test_short_recordings_are_left_out(store: Store) -> None:
    frames = store.frames[store.split("subjects", "train")]
    least = int(np.sort(frames)[4])
    job = PretrainJob(source(store), change(CONFIG, min_frames=least, max_frames=300))
    assert len(job) == int((frames >= least).sum())
    with pytest.raises(DataError, match="has the 299 frames that min_frames asks for"):
        PretrainJob(source(store), change(CONFIG, min_frames=299, max_frames=300))


def test_twice(store: Store) -> None:
    batch = source(store).batch([0, 1])
    doubled = twice(batch)
    assert torch.equal(doubled.positions[:2], batch.positions)
    assert torch.equal(doubled.valid[2:], batch.valid)
    assert doubled.lengths.tolist() == batch.lengths.tolist() * 2


def test_recognition_batches_have_the_right_labels(store: Store) -> None:
    data = source(store)
    job = RecognitionJob(data, change(CONFIG, augment=AugmentConfig("none")))
    batch, labels = job.inputs(np.array([4, 0]), draws(2))
    assert labels.tolist() == data.labels[[4, 0]].tolist()
    assert batch.lengths.tolist() == np.minimum(store.frames[data.indices[[4, 0]]], 20).tolist()


def test_recognition_needs_labels(store: Store) -> None:
    with pytest.raises(DataError, match="no recording to train on"):
        RecognitionJob(Source(store, [], LAYOUT, Preprocessing()), CONFIG)
    unlabeled = source(store)
    unlabeled.store = UnlabeledStore(store)  # type: ignore[assignment]
    with pytest.raises(DataError, match=r"recording recording-1 of .* has no label"):
        RecognitionJob(unlabeled, CONFIG)


class UnlabeledStore:
    """A store whose second recording has no label."""

    def __init__(self, store: Store) -> None:
        self.path, self.name, self.classes = store.path, store.name, store.classes
        self.labels = store.labels.copy()
        self.labels[1] = -1


# --- the online probe


def test_the_probe_never_asks_the_same_subject() -> None:
    # within a subject the nearest has the same class, across subjects another one
    features = np.array([[1.0, 0, 0.1], [1, 0, 0], [0, 1, 0.1], [0, 1, 0]] * 2)
    labels = np.array([0, 0, 1, 1, 1, 1, 0, 0])
    subjects = np.repeat([5, 7], 4)
    assert across_subjects(features, labels, subjects) == 0
    assert across_subjects(features, labels[[0, 1, 2, 3] * 2], subjects) == 1


def test_the_probe_without_subjects_uses_halves() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    features = rng.normal(size=(40, 3)) * 0.1 + np.array([[3, 0, 0], [0, 3, 0]])[labels]
    assert across_subjects(features, labels, np.full(40, -1)) == 1


def test_the_probe_reads_the_encoder(store: Store) -> None:
    job = PretrainJob(source(store), CONFIG)
    found = job.evaluate(job.module.eval())
    assert found.keys() == {"knn/accuracy"}
    assert 0 <= found["knn/accuracy"] <= 1
    one_class = Source(store, np.flatnonzero(store.labels == 0), LAYOUT, Preprocessing())
    assert PretrainJob(one_class, CONFIG).evaluate(job.module) == {}


# --- whole runs


def test_pretraining_leaves_a_model(store: Store, tmp_path: Path) -> None:
    card = pretrain(source(store), CONFIG, tmp_path / "run")
    loaded, weights = load_bundle(tmp_path / "run")
    assert loaded == card
    assert (card.model, card.layout, card.classes) == (CONFIG.model, LAYOUT, ())
    assert card.trained["data"] == store.fingerprint
    assert card.trained["updates"] == 6
    assert any(name.startswith("tasks.views") for name in weights)
    assert not HiTRS.from_pretrained(tmp_path / "run").training
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert rows[0]["lr"] == 0
    assert {"masked_joint/error", "clip_order/accuracy", "views/loss"} <= rows[0].keys()
    assert "knn/accuracy" in rows[-1]


@pytest.mark.parametrize("from_encoder", [True, False])
def test_recognition_leaves_a_recognizer(store: Store, tmp_path: Path, from_encoder: bool) -> None:
    torch.manual_seed(5)
    encoder = HiTRS(tiny(stride=5), JOINTS) if from_encoder else None
    before = None if encoder is None else encoder.video.fusion.detach().clone()
    model = train_recognizer(
        source(store, center="first"),
        CONFIG,
        tmp_path / "run",
        encoder=encoder,
        held_out=source(store, "test", center="first"),
    )
    again = RecognitionModel.from_pretrained(tmp_path / "run")
    assert again.card == model.card
    assert again.card.classes == store.classes
    assert again.card.preprocessing.center == "first"
    assert again.card.model == (encoder.config if encoder is not None else CONFIG.model)
    assert again.card.trained["from"] == ("pre-trained encoder" if from_encoder else "scratch")
    if before is not None:
        assert not torch.equal(before, model.encoder.video.fusion)  # it was fine-tuned
    assert "validation/accuracy" in read_metrics(tmp_path / "run" / "metrics.jsonl")[-1]


def test_a_checkpoint_of_another_layout_is_refused(store: Store, tmp_path: Path) -> None:
    pretrain(source(store), change(CONFIG, pretrain=dataclasses.replace(CONFIG.pretrain, steps=1)), tmp_path)
    five = dataclasses.replace(LAYOUT, joints=LAYOUT.joints[:4], parents=(0, 0, 0, 0), pairs=((2, 3),))
    other = Source(store, store.split("subjects", "train"), five, Preprocessing())
    with pytest.raises(CheckpointError, match="belongs to another model"):
        pretrain(other, CONFIG, tmp_path, resume=True)


CHILD = """
import os
import signal
import sys
from pathlib import Path

store, run, left, *folders = sys.argv[1:]
sys.path[:0] = folders
left = int(left)


def hook(event, arguments):
    global left
    if arguments and isinstance(arguments[0], str | os.PathLike) and str(arguments[0]).startswith(run):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # on Windows a kill too


sys.addaudithook(hook)

import torch

torch.set_num_threads(1)
from test_jobs import LONG, source
from hitrs.data.store import Store
from hitrs.train.pretraining import pretrain

pretrain(source(Store.open(store)), LONG, Path(run))
"""
LONG = dataclasses.replace(CONFIG, pretrain=dataclasses.replace(CONFIG.pretrain, steps=12))


def test_a_killed_run_resumes_to_the_same_weights(store: Store, tmp_path: Path) -> None:
    """SIGKILL at a random moment: the resumed run ends bit by bit like one that never stopped.

    The moment is one of the run's file operations (log, checkpoint, rename, remove), where a kill is worst.
    """
    pretrain(source(store), LONG, tmp_path / "whole")
    here = Path(__file__).parent
    moment = str(np.random.default_rng().integers(5, 90))
    child = subprocess.run(
        [sys.executable, "-c", CHILD, store.path, tmp_path / "run", moment, here, here.parent],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode != 0, "the run ended before it could be killed"
    assert "Traceback" not in child.stderr
    assert not (tmp_path / "run" / "model").exists()
    pretrain(source(store), LONG, tmp_path / "run", resume=True)
    (_, whole), (_, resumed) = load_bundle(tmp_path / "whole"), load_bundle(tmp_path / "run")
    assert whole.keys() == resumed.keys()
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []
    runs = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "run")]
    clock = {"seconds", "recordings_per_second"}
    for a, b in zip(*runs, strict=True):  # no line twice, none missing
        assert {k: v for k, v in a.items() if k not in clock} == {
            k: v for k, v in b.items() if k not in clock
        }
