"""Forward kinematics against scipy's rotations and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hitrs.skeleton import get_layout
from hitrs.skeleton.kinematics import axis_rotations, forward, get_tree, rotations_of_expmaps
from hitrs.skeleton.layout import downwards


@given(st.lists(st.floats(-7, 7), min_size=3, max_size=3))
def test_expmaps_are_rotation_vectors(vector: list[float]) -> None:
    expected = Rotation.from_rotvec(vector).as_matrix()
    np.testing.assert_allclose(rotations_of_expmaps(np.array(vector)), expected, atol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-12, 1e-8, 2e-8, 1e-4])
def test_small_expmaps(size: float) -> None:
    vector = size * np.array([0.6, 0.0, 0.8])
    expected = np.eye(3) + np.array([[0, -0.8, 0], [0.8, 0, -0.6], [0, 0.6, 0]]) * size
    np.testing.assert_allclose(rotations_of_expmaps(vector), expected, atol=size**2 + 1e-15)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_axis_rotations(axis: str) -> None:
    angles = np.linspace(-4, 4, 9)
    np.testing.assert_allclose(
        axis_rotations(axis, angles), Rotation.from_euler(axis, angles[:, None]).as_matrix(), atol=1e-12
    )


def test_forward_turns_what_lies_below() -> None:
    quarter = axis_rotations("z", np.array(np.pi / 2))
    local = np.tile(np.eye(3), (2, 3, 1, 1))
    local[1, 0] = local[1, 1] = quarter
    offsets = np.array([[9.0, 9, 9], [1, 0, 0], [1, 0, 0]])  # the root's is not used
    positions, turned = forward(local, offsets, (0, 0, 1), root=np.array([[0.0, 0, 0], [0, 0, 5]]))
    np.testing.assert_allclose(positions[0], [[0, 0, 0], [1, 0, 0], [2, 0, 0]])
    np.testing.assert_allclose(positions[1], [[0, 0, 5], [0, 1, 5], [-1, 1, 5]], atol=1e-12)
    np.testing.assert_allclose(turned[1, 2], quarter @ quarter, atol=1e-12)


def test_parents_may_stand_behind_their_children() -> None:
    local = rotations_of_expmaps(np.random.default_rng(0).normal(size=(4, 3, 3)))
    offsets = np.array([[0.0, 1, 0], [0, 0, 0], [1, 0, 2]])
    backward, _ = forward(local, offsets, (2, 1, 1))  # chain 1 -> 2 -> 0
    order = [1, 2, 0]
    straight, _ = forward(local[:, order], offsets[order], (0, 0, 1))
    np.testing.assert_allclose(backward[:, order], straight)


def test_downwards_is_depth_first() -> None:
    assert downwards((0, 0, 0, 1, 2)) == [0, 1, 3, 2, 4]
    assert downwards((1, 1, 0)) == [1, 0, 2]


@pytest.mark.parametrize(("name", "joints"), [("cmu38", 38), ("h36m32", 32)])
def test_trees_fit_their_layouts(name: str, joints: int) -> None:
    tree, layout = get_tree(name), get_layout(name)
    assert tree.parents == layout.parents
    assert tree.offsets.shape == (joints, 3)
    assert not tree.offsets[layout.root].any()
    rest, _ = forward(np.tile(np.eye(3), (1, joints, 1, 1)), tree.offsets, tree.parents)
    for left, right in layout.pairs:  # at rest x points to the left, so pairs mirror each other
        if "hip" in layout.joints[left]:
            assert rest[0, left, 0] > 0.05 > -0.05 > rest[0, right, 0]
        np.testing.assert_allclose(
            np.linalg.norm(tree.offsets[left]), np.linalg.norm(tree.offsets[right]), rtol=0.3
        )


def test_mirrored_layout_is_symmetric() -> None:
    for name in ("cmu31", "cmu38", "h36m32"):
        layout = get_layout(name)
        mirror = layout.mirror
        assert all(layout.parents[mirror[j]] == mirror[layout.parents[j]] for j in range(layout.n_joints))
