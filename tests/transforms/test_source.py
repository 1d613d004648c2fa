"""Batches of a store, in the model's layout."""

import numpy as np
import pytest
import torch

from factories import LAYOUT, small_store
from hitrs.data.store import Store
from hitrs.errors import LayoutError
from hitrs.skeleton.layout import Layout, get_layout
from hitrs.transforms.preprocess import Preprocessing
from hitrs.transforms.source import Source


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("source") / "store")


def test_recordings_come_as_they_are_stored(store: Store) -> None:
    source = Source(store, [5, 1, 3], LAYOUT, Preprocessing())
    assert len(source) == 3
    assert source.labels.tolist() == [5 % 3, 1, 0]
    assert source.subjects.tolist() == store.subjects[[5, 1, 3]].tolist()
    batch = source.batch([2, 0])
    assert batch.lengths.tolist() == [store.frames[3], store.frames[5]]
    for row, index in enumerate((3, 5)):
        frames = store.frames[index]
        expected = torch.from_numpy(store.positions(index).swapaxes(0, 1).copy())
        assert torch.equal(batch.positions[row, :, :frames], expected)
        assert np.array_equal(batch.valid[row, :, :frames].numpy(), store.valid(index).swapaxes(0, 1))


def test_preprocessing_is_applied(store: Store) -> None:
    batch = Source(store, [0], LAYOUT, Preprocessing(center="first")).batch([0])
    first = int(batch.valid[0, 0, :, LAYOUT.center].float().argmax())
    assert (batch.positions[0, 0, first, LAYOUT.center] == 0).all()


def test_another_layout_is_mapped_by_name(store: Store) -> None:
    target = Layout("bust", ("head", "nose", "pelvis"), (2, 0, 2), (), 2)
    mapped = Source(store, [0], target, Preprocessing()).batch([0])
    plain = Source(store, [0], LAYOUT, Preprocessing()).batch([0])
    assert torch.equal(mapped.positions[..., 0, :], plain.positions[..., LAYOUT.index("head"), :])
    assert torch.equal(mapped.valid[..., 2], plain.valid[..., LAYOUT.index("pelvis")])
    assert not mapped.valid[..., 1].any()


def test_flat_data_is_refused_by_a_solid_model(store: Store) -> None:
    with pytest.raises(LayoutError, match=r"3-D skeletons \(toy\).*2-D"):
        Source(store, [0], get_layout("coco17"), Preprocessing())


def test_a_layout_without_a_common_joint_is_refused(store: Store) -> None:
    robot = Layout("robot", ("axle", "gripper"), (0, 0), (), 0)
    with pytest.raises(LayoutError, match=r"no joint name in common"):
        Source(store, [0], robot, Preprocessing())
