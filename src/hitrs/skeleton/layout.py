"""A layout says which joint stands where in an array, how joints hang together, and which are left and right.

Layouts are data, not code. The named ones lie as YAML files in ``layouts/`` beside this module; your own is a
file of the same form, given by its path wherever a layout name is accepted::

    name: my-tracker
    about: what it is             # optional, for people
    dims: 3                       # coordinates per joint: 3, or 2 for image recordings
    center: pelvis                # what centering moves to the origin: a joint, or the middle of [several]
    joints:                       # in the order of the file's columns: [joint, parent]; the root is its own
        parent
      - [pelvis, pelvis]
      - [head, pelvis]
      - [left_hand, head]
      - [right_hand, head]
    pairs:                        # optional; by default left_X goes with right_X
      - [left_hand, right_hand]

Joints carry the same anatomical names in every layout (pelvis is the hip center, spine_shoulder the spine
between the shoulders), because names are how one layout is mapped to another.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.errors import LayoutError
from hitrs.skeleton.layout_files import OWN, file_content, list_layouts, named_content

MAX_JOINTS = 1000
"""More joints than this are a damaged file (checking a tree takes the square of their number)."""


@dataclass(frozen=True)
class Layout:
    """Joint order, kinematic tree and left/right pairs of a skeleton.

    Raises:
        LayoutError: if the joints do not form one tree, or a pair or the center names no joint.
    """

    name: str
    joints: tuple[str, ...]
    """Joint names in array order."""
    parents: tuple[int, ...]
    """Parent of each joint; the root's parent is the root itself."""
    pairs: tuple[tuple[int, int], ...]
    """(left, right) joint indices; joints in no pair lie on the body's midline."""
    center: tuple[int, ...]
    """The joints whose mean centering moves to the origin: the hip center, or both hips; one is enough."""
    dims: int = 3
    """Coordinates per joint: 3, or 2 for image coordinates."""
    about: str = field(default="", compare=False)
    """What it is, for people; not stored with recordings, and no part of what makes layouts equal."""

    def __post_init__(self) -> None:
        where = f"layout '{self.name}'"
        count = len(self.joints)
        if count == 0:
            raise LayoutError(f"{where} has no joints.")
        repeated = sorted({j for j in self.joints if self.joints.count(j) > 1})
        if repeated:
            raise LayoutError(
                f"{where} names {', '.join(repeated)} more than once; joint names must be unique."
            )
        if len(self.parents) != count or not all(0 <= p < count for p in self.parents):
            raise LayoutError(f"{where} needs one parent for each of its {count} joints.")
        roots = [self.joints[j] for j, parent in enumerate(self.parents) if parent == j]
        if len(roots) != 1:
            names = ", ".join(roots) or "none"
            raise LayoutError(
                f"{where} needs exactly one root (a joint that is its own parent); found: {names}."
            )
        for joint in range(count):
            above = joint
            for _ in range(count):
                above = self.parents[above]
            if above != self.root:
                raise LayoutError(
                    f"{where}: following the parents of '{self.joints[joint]}' never reaches the root."
                )
        paired = [j for pair in self.pairs for j in pair]
        if len(set(paired)) != len(paired) or not all(0 <= j < count for j in paired):
            raise LayoutError(
                f"{where}: each joint may stand in one left/right pair at most, with another joint."
            )
        center = (self.center,) if isinstance(self.center, int) else tuple(self.center)
        object.__setattr__(self, "center", center)
        if not center or not all(0 <= joint < count for joint in center):
            raise LayoutError(f"{where}: the center must be one or more of its {count} joints.")
        if self.dims not in (2, 3):
            raise LayoutError(f"{where}: dims must be 2 or 3, not {self.dims}.")

    @property
    def n_joints(self) -> int:
        return len(self.joints)

    @property
    def root(self) -> int:
        """Index of the joint that is its own parent."""
        return next(joint for joint, parent in enumerate(self.parents) if joint == parent)

    @property
    def mirror(self) -> np.ndarray:
        """(J,) int64 index that swaps left and right: ``positions[..., layout.mirror, :]``."""
        index = np.arange(self.n_joints)
        for left, right in self.pairs:
            index[left], index[right] = right, left
        return index

    def bones(self) -> list[tuple[int, int]]:
        """(child, parent) of each joint but the root."""
        return [(joint, parent) for joint, parent in enumerate(self.parents) if joint != parent]

    def index(self, joint: str) -> int:
        """Index of a joint name; LayoutError with the nearest name where there is none."""
        if joint not in self.joints:
            raise LayoutError(f"layout '{self.name}' has no joint '{joint}'{_nearest(joint, self.joints)}")
        return self.joints.index(joint)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and strings, the same form as a layout file; ``from_dict`` is its inverse."""
        center = [self.joints[joint] for joint in self.center]
        return {
            "name": self.name,
            "dims": self.dims,
            "center": center[0] if len(center) == 1 else center,
            "joints": [
                [joint, self.joints[parent]] for joint, parent in zip(self.joints, self.parents, strict=True)
            ],
            "pairs": [[self.joints[left], self.joints[right]] for left, right in self.pairs],
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any], source: str = "layout") -> Layout:
        """Build a layout from the content of a layout file. ``source`` names the file in messages."""
        if not isinstance(data, Mapping):
            raise LayoutError(f"{source} is not a mapping with the keys name, center, joints.")
        known = ("name", "about", "dims", "center", "joints", "pairs")
        for key in data:
            if key not in known:
                raise LayoutError(f"{source} has an unknown key '{key}'{_nearest(str(key), known)}")
        for key in ("name", "center", "joints"):
            if key not in data:
                raise LayoutError(f"{source} has no key '{key}'; a layout needs name, center and joints.")
        joints = _name_pairs(data["joints"], source, "joints", "[joint, parent]")
        if len(joints) > MAX_JOINTS:
            raise LayoutError(f"{source} has {len(joints)} joints; more than {MAX_JOINTS} make no sense.")
        order = {joint: index for index, (joint, _) in enumerate(joints)}

        def find(joint: str) -> int:
            if joint not in order:
                raise LayoutError(
                    f"{source} speaks of a joint '{joint}' that it does not list{_nearest(joint, order)}"
                )
            return order[joint]

        if "pairs" in data:
            pairs = _name_pairs(data["pairs"], source, "pairs", "[left, right]")
        else:
            lefts = [joint for joint in order if joint.startswith("left_")]
            pairs = [(left, "right_" + left[5:]) for left in lefts if "right_" + left[5:] in order]
        dims = data.get("dims", 3)
        if not isinstance(dims, int):
            raise LayoutError(f"{source}: dims must be 2 or 3, not a {type(dims).__name__}.")
        center = data["center"] if isinstance(data["center"], list) else [data["center"]]
        return Layout(
            name=_text(data["name"], source),
            joints=tuple(joint for joint, _ in joints),
            parents=tuple(find(parent) for _, parent in joints),
            pairs=tuple((find(left), find(right)) for left, right in pairs),
            center=tuple(find(_text(joint, source)) for joint in center),
            dims=dims,
            about=_text(data.get("about", ""), source),
        )


def downwards(parents: Sequence[int]) -> list[int]:
    """Joint indices from the root down: depth first, children in array order."""
    children: list[list[int]] = [[] for _ in parents]
    stack: list[int] = []
    for joint, parent in enumerate(parents):
        (stack if joint == parent else children[parent]).append(joint)
    order = []
    while stack:
        joint = stack.pop()
        order.append(joint)
        stack.extend(reversed(children[joint]))
    return order


def get_layout(name_or_path: str | Path | Layout) -> Layout:
    """A named layout (see ``list_layouts``), or by its path one's own (YAML) or that of a store or model.

    Recordings that bring their own joints (BVH, markers, animals) have a layout that is known by the store or
    model that it lies in. A layout itself stays as it is.

    Raises:
        LayoutError: for an unknown name (naming the nearest), a missing or malformed file.
    """
    if isinstance(name_or_path, Layout):
        return name_or_path
    name = str(name_or_path)
    if name not in list_layouts() and (found := file_content(name)) is not None:
        return Layout.from_dict(*found)
    return named_layout(name)


def named_layout(name: str) -> Layout:
    """A layout that comes with the package, whatever files there are: for names that stand in files.

    Raises:
        LayoutError: for an unknown name (naming the nearest).
    """
    if name not in list_layouts():
        raise LayoutError(
            f"there is no layout '{name}'{_nearest(name, list_layouts())} Named layouts: "
            f"{', '.join(list_layouts())}; or {OWN}."
        )
    return _named(name)


@cache
def _named(name: str) -> Layout:
    return Layout.from_dict(named_content(name), f"layout {name}")


def _name_pairs(value: Any, source: str, key: str, form: str) -> list[tuple[str, str]]:
    if not isinstance(value, list) or not all(
        isinstance(row, list | tuple) and len(row) == 2 for row in value
    ):
        raise LayoutError(f"{source}: '{key}' must be a list of {form}.")
    return [(_text(first, source), _text(second, source)) for first, second in value]


def _text(value: Any, source: str) -> str:
    """A name; lists are not written out, since a few bytes of YAML can stand for billions of items."""
    if not isinstance(value, str | int | float):
        raise LayoutError(f"{source}: a {type(value).__name__} stands where a name should.")
    return str(value)


def _nearest(name: str, known: Any) -> str:
    match = difflib.get_close_matches(name[:80], [str(item) for item in known], n=1)
    return f"; did you mean '{match[0]}'?" if match else "."
