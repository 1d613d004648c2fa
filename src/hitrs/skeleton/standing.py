"""A standing pose for any layout, so that it can be drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

import numpy as np
import yaml

from hitrs.skeleton.layout import Layout, downwards
from hitrs.skeleton.names import anatomical_names

_STEP = 0.12
"""A joint of an unknown name is drawn so far from its parent."""
_ASIDE = 0.5
"""Radians above the horizontal: the direction where no bone is above."""
_FAN = 0.7
"""Radians between the directions of such joints of one parent."""


def standing_pose(layout: Layout) -> np.ndarray:
    """(J, 2) float64: where each joint of a body (or hand) stands, seen from the front: its left, and up.

    Joints are placed by their anatomical names; one whose name is not known continues the bone above it.
    """
    known = [
        _place(name, own) for name, own in zip(anatomical_names(layout.joints), layout.joints, strict=True)
    ]
    pose = np.zeros((layout.n_joints, 2))
    siblings = np.zeros(layout.n_joints)
    for joint in downwards(layout.parents):
        place, parent = known[joint], layout.parents[joint]
        if place is not None:
            pose[joint] = place
        elif joint != parent:
            along = pose[parent] - pose[layout.parents[parent]]
            angle = np.arctan2(along[1], along[0]) if along.any() else _ASIDE
            turn = np.ceil(siblings[parent] / 2) * (-1) ** siblings[parent] * _FAN  # 0, -1, 1, -2, 2, ...
            siblings[parent] += 1
            pose[joint] = pose[parent] + _STEP * np.array([np.cos(angle + turn), np.sin(angle + turn)])
    return pose


def _place(name: str | None, own: str) -> tuple[float, float] | None:
    places = _places()
    for key in (own, re.sub(r"_\d+$", "", own), name):  # pelvis_2 stands where the pelvis does
        if key is not None and key in places:
            return places[key]
    return None


@cache
def _places() -> Mapping[str, tuple[float, float]]:
    file = resources.files("hitrs.skeleton") / "standing.yaml"
    groups = yaml.safe_load(file.read_text(encoding="utf-8"))
    places = {joint: (x, y) for group in groups.values() for joint, (x, y) in group.items()}
    mirrored = {
        joint.replace("left", "right"): (-x, y) for joint, (x, y) in places.items() if "left" in joint
    }
    return places | mirrored
