"""Pre-training on a small store: batches, the probe, whole runs, and a kill in the middle."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from factories import JOINTS, LAYOUT, keyed_generator, small_store, tiny
from hitrs.config import Config
from hitrs.data.store import Store
from hitrs.errors import CheckpointError, DataError
from hitrs.models.convolutions import convolution_settings
from hitrs.models.encoder import HiTRS
from hitrs.models.pretrained import load_pretrained
from hitrs.pretext.base import EncodedFrames, PretextTask, TaskResult
from hitrs.pretext.job import PretrainJob, across_subjects, repeat_views, train_encoder
from hitrs.pretext.losses import regression_result
from hitrs.pretext.registry import PRETEXT_TASKS, register_pretext_task
from hitrs.training.config import OptimConfig, PretrainConfig
from hitrs.training.log import read_metrics
from hitrs.transforms.batch import stream_bodies
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

CONFIG = Config(
    model=tiny(dropout=0.1),
    augment=AugmentConfig(policy="views"),
    pretext={"views": 1.0},
    pretrain=PretrainConfig(
        OptimConfig(
            steps=6, batch_size=4, accumulation_steps=1, warmup_steps=2, log_every=1, checkpoint_seconds=0
        )
    ),
    max_frames=20,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("jobs") / "store")


def dataset(store: Store, part: str = "train", **settings: str) -> SkeletonDataset:
    return SkeletonDataset(store, store.split("subjects", part), LAYOUT, PreprocessingConfig(**settings))


def change(config: Config, **parts: object) -> Config:
    return dataclasses.replace(config, **parts)


def test_pretraining_sees_bodies_in_two_views(store: Store) -> None:
    data = dataset(store)
    job = PretrainJob([data], CONFIG)
    assert len(job) == 9
    positions, valid, lengths, identity, *_ = job.inputs(np.array([0, 1, 3]), keyed_generator(3))
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
    job = PretrainJob([dataset(store)], change(CONFIG, pretext={"views": 0.0}, augment=AugmentConfig("none")))
    positions, _, lengths, identity, *_ = job.inputs(np.array([2, 4]), keyed_generator(2))
    assert len(identity.unique()) == len(identity) == len(positions)
    expected = [min(20, int(store.frames[job.datasets[0].indices[i]])) for i in (2, 4)]
    assert sorted(set(lengths.tolist())) == sorted(set(expected))


@pytest.mark.parametrize("stream", ["bone", "motion"])
def test_the_stream_is_taken_after_augmentation(store: Store, stream: str) -> None:
    still = AugmentConfig("none")
    config = change(
        CONFIG, preprocessing=PreprocessingConfig(stream=stream), pretext={"views": 0.0}, augment=still
    )
    positions, valid, *_ = PretrainJob([dataset(store, stream=stream)], config).inputs(
        np.array([0]), keyed_generator(1)
    )
    if stream == "bone":
        assert (positions[:, :, LAYOUT.root] == 0).all()
    else:
        assert (positions[:, 0] == 0).all()
    assert valid.any(-1).any(-1).all()


def test_a_body_that_shows_nothing_in_this_stream_is_left_out(store: Store, tmp_path: Path) -> None:
    lonely = small_store(tmp_path / "store", count=3, persons=1)
    job = PretrainJob([SkeletonDataset(lonely, [0, 1], LAYOUT, PreprocessingConfig(stream="bone"))], CONFIG)
    job.data.batch = lambda which: dataclasses.replace(batch, valid=batch.valid & head)  # type: ignore[method-assign]
    batch = SkeletonDataset(lonely, [0, 1], LAYOUT, PreprocessingConfig()).batch([0, 1])
    head = torch.zeros(JOINTS, dtype=torch.bool)
    head[LAYOUT.index("head")] = True
    job.config = change(CONFIG, preprocessing=PreprocessingConfig(stream="bone"))
    inputs = job.inputs(np.array([0, 1]), keyed_generator(2))
    assert len(inputs[0]) == 0
    loss, metrics = job.module(*inputs)
    assert loss.item() == 0
    assert metrics == {}


def test_short_recordings_are_left_out(store: Store) -> None:
    frames = store.frames[store.split("subjects", "train")]
    least = int(np.sort(frames)[4])
    job = PretrainJob([dataset(store)], change(CONFIG, min_frames=least, max_frames=300))
    assert len(job) == int((frames >= least).sum())
    with pytest.raises(DataError, match="has the 299 frames that min_frames asks for"):
        PretrainJob([dataset(store)], change(CONFIG, min_frames=299, max_frames=300))


def test_several_data_sets_come_by_weight(store: Store, tmp_path: Path) -> None:
    headless = dataclasses.replace(LAYOUT, name="headless", joints=(*LAYOUT.joints[:-1], "other"))
    few = small_store(tmp_path / "few", count=4, layout=headless, seed=1, persons=1)
    other = SkeletonDataset(few, [0, 1, 2, 3], LAYOUT, PreprocessingConfig())
    config = change(CONFIG, pretext={"views": 0.0}, augment=AugmentConfig("none"))
    job = PretrainJob([dataset(store), other], config, weights=[1, 3])
    assert len(job) == 9 + 4
    chosen = job._chosen(np.zeros(4000, np.int64), keyed_generator(4000))
    counts = np.bincount(chosen, minlength=13)
    assert counts[:9].sum() == pytest.approx(1000, abs=120)
    assert counts[9:] == pytest.approx([750] * 4, abs=120)
    _, valid, _, identity, *_ = job.inputs(np.arange(8), keyed_generator(8))
    of_few = job._chosen(np.arange(8), keyed_generator(8)) >= 9
    assert 0 < of_few.sum() < 8
    last = valid[:, :, -1].any(1)  # what the other layout does not have is masked
    assert [bool(last[identity // 2 == row].any()) for row in range(8)] == (~of_few).tolist()
    roots = PretrainJob([dataset(store), other], config)
    assert roots.ends.tolist() == pytest.approx([3 / 5, 1.0])  # of 9 and 4 recordings


def test_a_task_may_see_bodies_before_augmentation(store: Store) -> None:
    config = change(CONFIG, pretext={"views": 1.0, "convolutions": 1.0}, max_frames=300)
    data = dataset(store)
    made = PretrainJob([data], config).inputs(np.array([0, 1]), keyed_generator(2))
    positions, clean = made[0], made[-1]
    assert len(clean) == len(positions)
    plain = convolution_settings(config.preprocessing)
    once = stream_bodies(data.batch([0, 1]), plain, LAYOUT).positions
    half = len(clean) // 2
    assert torch.equal(clean[:half], clean[half:])  # the two views of each
    assert sorted(clean[:half].sum((1, 2, 3)).tolist()) == pytest.approx(sorted(once.sum((1, 2, 3)).tolist()))


def test_views_are_copies_with_other_random_numbers(store: Store) -> None:
    batch, generator = dataset(store).batch([0, 1]), keyed_generator(2)
    same, unchanged = repeat_views(batch, generator, 1)
    assert same is batch
    assert unchanged is generator
    repeated, generators = repeat_views(batch, generator, 3)
    for view in range(3):
        assert torch.equal(repeated.positions[2 * view : 2 * view + 2], batch.positions)
        assert torch.equal(repeated.valid[2 * view : 2 * view + 2], batch.valid)
    assert repeated.lengths.tolist() == batch.lengths.tolist() * 3
    assert len(generators.keys.unique()) == 6


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
    job = PretrainJob([dataset(store)], CONFIG)
    found = job.evaluate(job.module.eval())
    assert found.keys() == {"knn/accuracy"}
    assert 0 <= found["knn/accuracy"] <= 1
    one_class = SkeletonDataset(store, np.flatnonzero(store.labels == 0), LAYOUT, PreprocessingConfig())
    assert PretrainJob([one_class], CONFIG).evaluate(job.module) == {}


# --- whole runs


def test_pretraining_leaves_a_model(store: Store, tmp_path: Path) -> None:
    card = train_encoder([dataset(store)], CONFIG, tmp_path / "run")
    loaded, weights = load_pretrained(tmp_path / "run")
    assert loaded == card
    assert (card.model, card.layout, card.classes) == (CONFIG.model, LAYOUT, ())
    assert card.trained["data"] == store.fingerprint
    assert card.trained["steps"] == 6
    assert any(name.startswith("tasks.views") for name in weights)
    assert not HiTRS.from_pretrained(tmp_path / "run").training
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert rows[0]["lr"] == 0
    assert {"masked_joint/error", "clip_order/accuracy", "views/loss"} <= rows[0].keys()
    assert "knn/accuracy" in rows[-1]


def test_a_checkpoint_of_another_layout_is_refused(store: Store, tmp_path: Path) -> None:
    train_encoder([dataset(store)], CONFIG.changed({"pretrain.optim.steps": 1}), tmp_path)
    five = dataclasses.replace(LAYOUT, joints=LAYOUT.joints[:4], parents=(0, 0, 0, 0), pairs=((2, 3),))
    other = SkeletonDataset(store, store.split("subjects", "train"), five, PreprocessingConfig())
    with pytest.raises(CheckpointError, match="belongs to another model"):
        train_encoder([other], CONFIG, tmp_path, resume=True)


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
from test_job import LONG, dataset
from hitrs.data.store import Store
from hitrs.pretext.job import train_encoder

train_encoder([dataset(Store.open(store))], LONG, Path(run))
"""
LONG = CONFIG.changed({"pretrain.optim.steps": 12})


def test_a_killed_run_resumes_to_the_same_weights(store: Store, tmp_path: Path) -> None:
    """SIGKILL at a random moment: the resumed run ends bit by bit like one that never stopped.

    The moment is one of the run's file operations (log, checkpoint, rename, remove), where a kill is worst.
    """
    train_encoder([dataset(store)], LONG, tmp_path / "whole")
    here = Path(__file__).parent
    moment = str(np.random.default_rng().integers(5, 90))
    child = subprocess.run(
        [sys.executable, "-c", CHILD, store.path, tmp_path / "run", moment, here, here.parent],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode != 0, "the run ended before it could be killed"
    assert "Traceback" not in child.stderr
    assert not (tmp_path / "run" / "model").exists()
    train_encoder([dataset(store)], LONG, tmp_path / "run", resume=True)
    (_, whole), (_, resumed) = load_pretrained(tmp_path / "whole"), load_pretrained(tmp_path / "run")
    assert whole.keys() == resumed.keys()
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []
    runs = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "run")]
    clock = {"seconds", "recordings_per_second"}
    for a, b in zip(*runs, strict=True):  # no line twice, none missing
        assert {k: v for k, v in a.items() if k not in clock} == {
            k: v for k, v in b.items() if k not in clock
        }


class MeanHeight(PretextTask):
    """A task of another package: how high the masked joints stand."""

    name, level, metric, title = "mean_height", "frame", "error", "Height of masked joints"

    def __init__(self, encoder: HiTRS):
        super().__init__(encoder)
        self.head = torch.nn.Linear(encoder.config.width, 1)

    def forward(self, encoded: EncodedFrames) -> TaskResult:
        chosen = encoded.masked.chosen
        height = encoded.inputs.positions[chosen][:, 1:2]
        return regression_result(self.head(encoded.joint_features(chosen)), height)


def test_a_task_of_another_package_is_trained_and_resumed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PRETEXT_TASKS, "_loaded", dict(PRETEXT_TASKS._loaded))
    register_pretext_task(MeanHeight)
    config = CONFIG.changed({"pretext.mean_height": 0.5, "pretrain.optim.eval_every": 4})
    train_encoder([dataset(store)], config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(PretrainJob, "evaluate", lambda *_: 1 / 0)  # the last checkpoint is of the step before
        with pytest.raises(ZeroDivisionError):
            train_encoder([dataset(store)], config, tmp_path / "run")
    train_encoder([dataset(store)], config, tmp_path / "run", resume=True)
    (_, whole), (_, resumed) = load_pretrained(tmp_path / "whole"), load_pretrained(tmp_path / "run")
    assert whole["tasks.mean_height.head.weight"].shape == (1, tiny().width)
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows if "mean_height/loss" in row] == [1, 2, 3, 4, 5, 6]
