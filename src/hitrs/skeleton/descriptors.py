"""What a joint is, in numbers that mean the same in every layout: where it stands, its side and its limb."""

from __future__ import annotations

import numpy as np

from hitrs.skeleton.kinematics import downwards
from hitrs.skeleton.layout import Layout
from hitrs.skeleton.names import anatomical_names
from hitrs.skeleton.standing import standing_pose

_LIMBS = ({"head", "nose", "head_top", "neck_upper"}, {"elbow", "wrist", "hand"}, {"knee", "ankle", "foot"})
"""A joint is in the head, an arm or a leg if one of these is it or hangs on it; the trunk is in all."""
_HIPS = [0.0, 0.97]
_WAVES = 4
"""Sines and cosines of each coordinate, of wave lengths from 4 m to half a meter, tell neighbors apart."""


def joint_descriptors(layout: Layout) -> np.ndarray:
    """(J, 23) float32: standing pose (2) and its waves (16), side, place along the chain, limbs (3).

    The pose is that of ``hitrs.skeleton.standing``, in meters from the hips; the side is 1 on the left, -1 on
    the right; the place is the length of the bones from the center, over that of the longest chain.

    >>> joint_descriptors(hitrs.get_layout("kinect20")).shape
    (20, 23)
    """
    pose = standing_pose(layout) - _HIPS
    waves = [wave(np.pi / 2 * 2.0**k * pose) for k in range(_WAVES) for wave in (np.sin, np.cos)]
    side = np.zeros((layout.n_joints, 1))
    for left, right in layout.pairs:
        side[left], side[right] = 1.0, -1.0
    return np.concatenate([pose, *waves, side, _along_chain(layout, pose), _limbs(layout)], 1).astype(
        np.float32
    )


def _along_chain(layout: Layout, pose: np.ndarray) -> np.ndarray:
    """(J, 1) in [0, 1]."""
    neighbors: list[list[int]] = [[] for _ in layout.joints]
    for child, parent in layout.bones():
        neighbors[child].append(parent)
        neighbors[parent].append(child)
    place = np.full(layout.n_joints, -1.0)
    place[list(layout.center)] = 0.0
    open_ends = list(layout.center)
    while open_ends:
        joint = open_ends.pop()
        for other in neighbors[joint]:
            if place[other] < 0:
                place[other] = place[joint] + np.linalg.norm(pose[other] - pose[joint])
                open_ends.append(other)
    return (place / max(float(place.max()), 1e-6))[:, None]


def _limbs(layout: Layout) -> np.ndarray:
    """(J, 3): whether a head, an arm or a leg begins at the joint or contains it."""
    known = [
        (name or own).removeprefix("left_").removeprefix("right_")
        for name, own in zip(anatomical_names(layout.joints), layout.joints, strict=True)
    ]
    limbs = np.array([[name in limb for limb in _LIMBS] for name in known], np.float64)
    for joint in reversed(downwards(layout.parents)):
        parent = layout.parents[joint]
        limbs[parent] = np.maximum(limbs[parent], limbs[joint])
    for joint in downwards(layout.parents):  # a hand tip is in the arm that it hangs on
        if not limbs[joint].any():
            limbs[joint] = limbs[layout.parents[joint]]
    return limbs
