"""Forward kinematics: from rotations of joints and lengths of bones to positions.

Rotation matrices turn column vectors: ``turned = matrix @ vector``. A joint's rotation turns everything below
it, so with local rotations L and offsets o (the bone from the parent, in the parent's axes)::

    G(root) = L(root)               p(root) = given
    G(j)    = G(parent) L(j)        p(j)    = p(parent) + G(parent) o(j)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from hitrs.skeleton.layout import downwards

_SMALL = 1e-8
"""Below this angle (radians) the terms of a rotation are their limits."""


@dataclass(frozen=True)
class Tree:
    """A skeleton's bones as a data set publishes them, in the joint order of the layout of the same name."""

    parents: tuple[int, ...]
    """Parent of each joint; the root's is the root itself."""
    offsets: np.ndarray
    """(J, 3) float64 meters: bone from the parent in the parent's axes."""


@cache
def get_tree(name: str) -> Tree:
    """The tree of "cmu38" or "h36m32"."""
    file = resources.files("hitrs.skeleton") / "trees" / f"{name}.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    offsets = np.array(data["offset_mm"], np.float64) / 1000
    offsets.setflags(write=False)  # shared by all who ask
    return Tree(parents=tuple(data["parents"]), offsets=offsets)


def rotations_of_expmaps(vectors: np.ndarray) -> np.ndarray:
    """Exponential maps (axis times angle in radians) to rotation matrices, by Rodrigues' formula.

    Args:
        vectors: (..., 3).

    Returns:
        (..., 3, 3) float64.
    """
    vectors = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]  # (..., 1, 1)
    near = angle < _SMALL
    safe = np.where(near, 1.0, angle)
    first = np.where(near, 1.0, np.sin(safe) / safe)
    second = np.where(
        near, 0.5, 2 * np.square(np.sin(safe / 2) / safe)
    )  # (1 - cos) / angle², no cancellation
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    cross = np.stack([np.stack(row, -1) for row in rows], -2)  # (..., 3, 3): cross @ v = vector x v
    return np.eye(3) + first * cross + second * (cross @ cross)


def axis_rotations(axis: str, angles: np.ndarray) -> np.ndarray:
    """Rotations about one coordinate axis.

    Args:
        axis: "x", "y" or "z".
        angles: (...) radians.

    Returns:
        (..., 3, 3) float64.
    """
    number = "xyz".index(axis)
    a, b = (number + 1) % 3, (number + 2) % 3
    matrix = np.zeros((*np.shape(angles), 3, 3))
    matrix[..., number, number] = 1
    matrix[..., a, a] = matrix[..., b, b] = np.cos(angles)
    matrix[..., b, a] = np.sin(angles)
    matrix[..., a, b] = -matrix[..., b, a]
    return matrix


def forward(
    local: np.ndarray, offsets: np.ndarray, parents: Sequence[int], root: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and global rotations of all joints.

    Args:
        local: (T, J, 3, 3) rotation of each joint in its parent's axes.
        offsets: (J, 3), or (T, J, 3) if bones change; the root's is not used.
        parents: (J,) indices in any order; the root's parent is the root itself.
        root: (T, 3) position of the root; the origin if left out.

    Returns:
        positions (T, J, 3) and global rotations (T, J, 3, 3), float64.
    """
    positions = np.zeros((*local.shape[:2], 3))
    turned = np.empty(local.shape)
    for joint in downwards(parents):
        parent = parents[joint]
        if joint == parent:
            turned[:, joint] = local[:, joint]
            if root is not None:
                positions[:, joint] = root
            continue
        bone = offsets[..., joint, :, None]  # (3, 1) or (T, 3, 1)
        positions[:, joint] = positions[:, parent] + (turned[:, parent] @ bone)[..., 0]
        turned[:, joint] = turned[:, parent] @ local[:, joint]
    return positions, turned
