"""Training a predictor: its windows, what changes them, and recordings that are too short."""

import numpy as np
import pytest
import torch

from factories import LAYOUT, keyed_generator, small_store
from hitrs.data.store import Store
from hitrs.errors import ConfigError, DataError
from hitrs.tasks.prediction.job import PredictionJob
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset
from predictors import CONFIG


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("prediction") / "store", count=24)


def dataset(store: Store) -> SkeletonDataset:
    return SkeletonDataset(store, store.split("subjects", "train"), LAYOUT, PreprocessingConfig())


def test_windows_are_pieces_of_the_recordings(store: Store) -> None:
    config = CONFIG.changed({"predict.head.frame_step": 2})
    job = PredictionJob(dataset(store), config)
    assert (np.asarray(store.frames)[job.recordings] >= 23).all()
    which = np.arange(len(job))
    positions, valid = job.inputs(which, keyed_generator(len(which)))
    assert positions.shape == (len(job), 12, LAYOUT.n_joints, 3)
    for i, window, seen in zip(job.recordings, positions.numpy(), valid.numpy(), strict=True):
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
    only_speed = dict.fromkeys(("yaw", "tilt", "stretch", "noise", "drop", "mirror"), 0) | {"speed": 0.5}
    views = {"augment.policy": "views", **{f"augment.views.{name}": v for name, v in only_speed.items()}}
    still = PredictionJob(dataset(store), CONFIG)
    config = CONFIG.changed({**views, "predict.reverse": 1.0})
    job = PredictionJob(dataset(store), config)
    which = np.arange(len(job))
    plain, _ = still.inputs(which, keyed_generator(len(which)))
    changed, valid = job.inputs(which, keyed_generator(len(which)))
    assert changed.shape == plain.shape
    assert valid.any()
    assert not torch.equal(plain, changed)
    backwards = CONFIG.changed({"predict.reverse": 1.0})
    turned, _ = PredictionJob(dataset(store), backwards).inputs(which, keyed_generator(len(which)))
    torch.testing.assert_close(turned, plain.flip(1))


def test_too_short_recordings_are_left_out_or_refused(store: Store) -> None:
    config = CONFIG.changed({"predict.head.observed": 90})
    with pytest.raises(DataError, match="94 frames"):
        PredictionJob(dataset(store), config)
    with pytest.raises(ConfigError, match=r"predict\.head\.context must lie between"):
        CONFIG.changed({"predict.head.context": 9})
