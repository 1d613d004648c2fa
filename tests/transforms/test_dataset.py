"""Batches of a store, in the model's layout."""

import numpy as np
import pytest
import torch

from factories import LAYOUT, small_store
from hitrs.data.store import Store
from hitrs.errors import DataError, LayoutError
from hitrs.skeleton.layout import Layout, get_layout
from hitrs.skeleton.mapping import unseen_joints
from hitrs.tasks.inputs import check_rate
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("dataset") / "store")


def test_recordings_come_as_they_are_stored(store: Store) -> None:
    dataset = SkeletonDataset(store, [5, 1, 3], LAYOUT, PreprocessingConfig())
    assert len(dataset) == 3
    assert dataset.labels.tolist() == [5 % 3, 1, 0]
    assert dataset.subjects.tolist() == store.subjects[[5, 1, 3]].tolist()
    batch = dataset.batch([2, 0])
    assert batch.lengths.tolist() == [store.frames[3], store.frames[5]]
    for row, index in enumerate((3, 5)):
        frames = store.frames[index]
        expected = torch.from_numpy(store.positions(index).swapaxes(0, 1).copy())
        assert torch.equal(batch.positions[row, :, :frames], expected)
        assert np.array_equal(batch.valid[row, :, :frames].numpy(), store.valid(index).swapaxes(0, 1))


def test_preprocessing_is_applied(store: Store) -> None:
    batch = SkeletonDataset(store, [0], LAYOUT, PreprocessingConfig(center="first")).batch([0])
    first = int(batch.valid[0, 0, :, LAYOUT.center].float().argmax())
    assert (batch.positions[0, 0, first, LAYOUT.center] == 0).all()


def test_another_layout_is_mapped_by_name(store: Store) -> None:
    target = Layout("bust", ("head", "nose", "pelvis"), (2, 0, 2), (), 2)
    mapped = SkeletonDataset(store, [0], target, PreprocessingConfig()).batch([0])
    plain = SkeletonDataset(store, [0], LAYOUT, PreprocessingConfig()).batch([0])
    assert torch.equal(mapped.positions[..., 0, :], plain.positions[..., LAYOUT.index("head"), :])
    assert torch.equal(mapped.valid[..., 2], plain.valid[..., LAYOUT.index("pelvis")])
    assert not mapped.valid[..., 1].any()


def test_flat_data_is_refused_by_a_solid_model(store: Store) -> None:
    with pytest.raises(LayoutError, match=r"3-D skeletons \(toy\).*2-D"):
        SkeletonDataset(store, [0], get_layout("coco17"), PreprocessingConfig())


def test_a_layout_without_a_common_joint_is_refused(store: Store) -> None:
    robot = Layout("robot", ("axle", "gripper"), (0, 0), (), 0)
    with pytest.raises(LayoutError, match=r"no joint name in common"):
        SkeletonDataset(store, [0], robot, PreprocessingConfig())


def test_recordings_are_seen_as_another_layout_would_have_recorded_them(store: Store) -> None:
    shoulders = Layout("bust", ("left_shoulder", "right_shoulder", "head"), (2, 2, 2), ((0, 1),), 2)
    plain = SkeletonDataset(store, [0], LAYOUT, PreprocessingConfig()).batch([0])
    seen = SkeletonDataset(store, [0], LAYOUT, PreprocessingConfig(), seen_as=shoulders).batch([0])
    common = [LAYOUT.index(joint) for joint in shoulders.joints]
    assert torch.equal(seen.positions[..., common, :], plain.positions[..., common, :])
    assert torch.equal(seen.valid[..., common], plain.valid[..., common])
    assert int(seen.valid.sum()) == int(seen.valid[..., common].sum())
    assert unseen_joints(LAYOUT, shoulders, LAYOUT).tolist() == [
        joint not in shoulders.joints for joint in LAYOUT.joints
    ]


def test_what_another_layout_computes_is_seen(store: Store) -> None:
    hips = Layout("hips", ("pelvis", "spine_shoulder"), (0, 0), (), 0)
    seen = SkeletonDataset(store, [0], hips, PreprocessingConfig(), seen_as=get_layout("mediapipe33")).batch(
        [0]
    )
    both = SkeletonDataset(store, [0], LAYOUT, PreprocessingConfig()).batch([0])
    shoulders = [LAYOUT.index("left_shoulder"), LAYOUT.index("right_shoulder")]
    valid = both.valid[..., shoulders].all(-1)
    assert torch.equal(seen.valid[..., 1], valid)
    middle = both.positions[..., shoulders, :].mean(-2)
    assert torch.allclose(seen.positions[..., 1, :][valid], middle[valid], atol=1e-6)
    assert not seen.valid[..., 0].any()  # the toy has a pelvis, but MediaPipe would need its hips


def test_a_layout_of_another_dimension_cannot_be_seen(store: Store) -> None:
    with pytest.raises(LayoutError, match=r"between layouts of the same dimension"):
        SkeletonDataset(store, [0], LAYOUT, PreprocessingConfig(), seen_as=get_layout("coco17"))


@pytest.mark.parametrize(("rate", "seems"), [(10.0, "3 times as fast"), (60.0, "2 times as slow")])
def test_another_frame_rate_is_told_as_a_factor_above_one(rate: float, seems: str) -> None:
    with pytest.raises(DataError, match=f"its motion would seem {seems}\\."):
        check_rate(rate, 30.0, "a.npz")
