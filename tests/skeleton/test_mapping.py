"""Mapping by joint name: what is there arrives unchanged, what is not there is not valid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.errors import LayoutError
from hitrs.skeleton import Layout, get_layout, joint_map, list_layouts, map_positions

SOLID = [name for name in list_layouts() if get_layout(name).dims == 3]


def _body(layout: Layout, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    valid = rng.random((4, 2, layout.n_joints)) < 0.8
    positions = rng.normal(size=(4, 2, layout.n_joints, layout.dims)).astype(np.float32)
    return positions * valid[..., None], valid


@given(st.sampled_from(SOLID), st.sampled_from(SOLID), st.integers(0, 1000))
def test_joints_keep_their_name(source_name: str, target_name: str, seed: int) -> None:
    source, target = get_layout(source_name), get_layout(target_name)
    positions, valid = _body(source, seed)
    mapped, seen = map_positions(positions, valid, source, target)
    assert mapped.shape == (4, 2, target.n_joints, 3)
    for number, joint in enumerate(target.joints):
        if joint in source.joints:
            old = source.joints.index(joint)
            np.testing.assert_array_equal(mapped[:, :, number], positions[:, :, old])
            np.testing.assert_array_equal(seen[:, :, number], valid[:, :, old])
        else:
            assert not seen[:, :, number].any()
            assert not mapped[:, :, number].any()


def test_kinect_orders_are_permutations_of_each_other() -> None:
    kinect, utd = get_layout("kinect20"), get_layout("utd20")
    positions, valid = _body(kinect, 0)
    there = map_positions(positions, valid, kinect, utd)
    back = map_positions(*there, utd, kinect)
    assert (joint_map(kinect, utd) >= 0).all()
    np.testing.assert_array_equal(back[0], positions)
    np.testing.assert_array_equal(back[1], valid)


def test_ntu_has_all_kinect_joints_but_not_the_other_way() -> None:
    ntu, kinect = get_layout("ntu25"), get_layout("kinect20")
    assert (joint_map(ntu, kinect) >= 0).all()
    missing = [ntu.joints[j] for j in np.flatnonzero(joint_map(kinect, ntu) < 0)]
    assert missing == ["neck", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb"]


def test_the_source_is_left_alone() -> None:
    kinect, utd = get_layout("kinect20"), get_layout("utd20")
    positions, valid = _body(kinect, 0)
    mapped, seen = map_positions(positions, valid, kinect, utd)
    mapped[:], seen[:] = 9, False
    assert valid.any()
    assert not (positions == 9).any()


def test_what_cannot_be_mapped() -> None:
    kinect, penn = get_layout("kinect20"), get_layout("penn13")
    positions, valid = _body(kinect, 0)
    with pytest.raises(LayoutError, match="3-D and 'penn13' is 2-D"):
        map_positions(positions, valid, kinect, penn)
    stick = Layout("stick", ("top", "bottom"), (0, 0), (), 0)
    with pytest.raises(LayoutError, match="no joint name in common"):
        joint_map(kinect, stick)
    with pytest.raises(LayoutError, match="20 joints x 3"):
        map_positions(positions[..., :2], valid, kinect, kinect)
    with pytest.raises(LayoutError, match="valid has shape"):
        map_positions(positions, valid[0], kinect, kinect)
