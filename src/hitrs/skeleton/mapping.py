"""Mapping recordings of one joint layout to another, by anatomical name.

A joint that the source does not have is computed where that is a matter of definition (the hip center is the
middle of the hips), and otherwise not valid in the result: masked, not guessed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hitrs.errors import LayoutError
from hitrs.skeleton.layout import Layout, downwards
from hitrs.skeleton.names import known_names

VIRTUAL = {
    "pelvis": (
        ("left_hip", "right_hip"),
        ("left_pelvis_front", "right_pelvis_front", "left_pelvis_back", "right_pelvis_back"),
    ),
    "spine_shoulder": (("left_shoulder", "right_shoulder"),),
    "neck": (("left_shoulder", "right_shoulder"),),
    "spine": (("pelvis", "spine_shoulder"),),
    "head": (
        ("left_ear", "right_ear"),
        ("left_head_front", "right_head_front", "left_head_back", "right_head_back"),
    ),
    "left_wrist": (("left_wrist_thumb", "left_wrist_pinky"),),
    "right_wrist": (("right_wrist_thumb", "right_wrist_pinky"),),
}
"""Joint -> the joints whose middle it is, where a layout does not have it: the first group that it has.
The neck between the shoulders is what OpenPose means by it; the middle of the ears is the middle of the head.
Pelvis, head and wrists also lie between the markers that Plug-in Gait puts around them. Hips do not."""
_UNLESS = {"neck": "spine_shoulder"}
"""A layout that has this joint between the shoulders means another one by the neck, higher up."""


@dataclass(frozen=True, eq=False)
class JointMap:
    """Where each joint of a target layout comes from."""

    plain: np.ndarray
    """(Jt,) int64: index in the source, -1 where it has no such joint."""
    virtual: tuple[tuple[int, tuple[int, ...]], ...]
    """(target joint, source joints): the target joint is their middle."""

    @property
    def masked(self) -> np.ndarray:
        """(Jt,) bool: joints that have no counterpart."""
        masked = self.plain < 0
        masked[[target for target, _ in self.virtual]] = False
        return masked


@lru_cache(maxsize=64)
def joint_map(source: Layout, target: Layout) -> JointMap:
    """How recordings of ``source`` become ones of ``target``.

    Raises:
        LayoutError: if no joint has a counterpart, or the layouts differ in dimension (2-D image coordinates
            are no meters).
    """
    if source.dims != target.dims:
        raise LayoutError(
            f"layout '{source.name}' is {source.dims}-D and '{target.name}' is {target.dims}-D; recordings "
            "can only be mapped between layouts of the same dimension."
        )
    index: dict[str, int] = {}
    for place, key in enumerate(known_names(source.joints)):
        index.setdefault(key, place)
    wanted = known_names(target.joints)
    plain = np.array([index.get(key, -1) for key in wanted], dtype=np.int64)
    virtual = []
    for place, key in enumerate(wanted):
        parts = _parts(key, index) if plain[place] < 0 else None
        if parts is not None:
            virtual.append((place, parts))
    mapped = JointMap(plain, tuple(virtual))
    if mapped.masked.all():
        raise LayoutError(
            f"layouts '{source.name}' and '{target.name}' have no joint name in common. "
            f"'{source.name}' has: {', '.join(source.joints)}. Describe its joints in a layout file under "
            f"the names of '{target.name}' ({', '.join(target.joints[:3])}, ...) and name that."
        )
    return mapped


def map_positions(
    positions: np.ndarray, valid: np.ndarray, source: Layout, target: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """Bring joints of ``source`` into ``target``; joints without counterpart are zeros and not valid.

    Args:
        positions: (..., Js, C).
        valid: (..., Js) bool, True = seen.

    Returns:
        positions (..., Jt, C) and valid (..., Jt), new arrays of the same dtypes. A computed joint is valid
        where all joints are from which it is computed.
    """
    if positions.ndim < 2 or positions.shape[-2:] != (source.n_joints, source.dims):
        raise LayoutError(
            f"positions of shape {positions.shape} do not end in the {source.n_joints} joints x "
            f"{source.dims} coordinates of layout '{source.name}'."
        )
    if valid.shape != positions.shape[:-1]:
        raise LayoutError(
            f"valid has shape {valid.shape}, but positions of shape {positions.shape} need "
            f"{positions.shape[:-1]}."
        )
    mapping = joint_map(source, target)
    missing = mapping.plain < 0
    take = np.where(missing, 0, mapping.plain)
    mapped, seen = positions[..., take, :], valid[..., take]
    seen[..., missing] = False
    mapped[..., missing, :] = 0
    for joint, parts in mapping.virtual:
        both = np.all(valid[..., list(parts)], axis=-1)
        middle = positions[..., list(parts), :].mean(-2)
        seen[..., joint] = both
        mapped[..., joint, :] = np.where(both[..., None], middle, 0)
    return mapped, seen


def check_layouts(have: Layout, want: Layout, what: str) -> None:
    """Refuse data that a model of layout ``want`` cannot use.

    Raises:
        LayoutError: naming both layouts and what to do.
    """
    if have.dims != want.dims:
        raise LayoutError(
            f"{what} holds {have.dims}-D skeletons ({have.name}), the model was trained on {want.dims}-D "
            f"ones ({want.name}); train a model on {have.dims}-D data, or lift the data to {want.dims}-D"
        )
    joint_map(have, want)  # raises where no joint has a counterpart


def unseen_joints(source: Layout, seen_as: Layout, target: Layout) -> np.ndarray:
    """(Jt,) bool: joints of ``target`` that are masked where ``seen_as`` stands between it and ``source``."""
    valid = np.ones((1, source.n_joints), bool)
    for have, want in ((source, seen_as), (seen_as, target)):
        _, valid = map_positions(np.zeros((*valid.shape, have.dims)), valid, have, want)
    return ~valid[0]


def layout_of_joints(joints: Sequence[str], like: Layout) -> Layout:
    """A layout of some joints in this order, which hang together as those of another layout do.

    Left and right go by the names; a joint that the other layout does not have hangs at the root.

    >>> layout_of_joints(["left_hand", "left_shoulder", "pelvis"], get_layout("ntu25")).parents
    (1, 2, 2)

    Raises:
        LayoutError: if a name stands twice, or the other layout has none of them.
    """
    if not all(isinstance(joint, str) for joint in joints):
        raise LayoutError(f"the names of joints must be texts, got {list(joints)[:5]}")
    names, meant = known_names(like.joints), known_names(joints)
    known = [names[joint] for joint in downwards(like.parents) if names[joint] in meant]
    if not known:
        raise LayoutError(
            f"none of the joints {', '.join(joints)} is one of '{like.name}', which has: "
            f"{', '.join(like.joints)}"
        )
    root = meant.index(known[0])
    above = {name: names[parent] for name, parent in zip(names, like.parents, strict=True)}

    def parent_of(name: str) -> int:
        while above.get(name, name) != name:
            name = above[name]
            if name in meant:
                return meant.index(name)
        return root

    parents = tuple(root if place == root else parent_of(name) for place, name in enumerate(meant))
    pairs = tuple(
        (place, meant.index(f"right_{key[5:]}"))
        for place, key in enumerate(meant)
        if key.startswith("left_") and f"right_{key[5:]}" in meant
    )
    return Layout("the given joints", tuple(joints), parents, pairs, (root,), like.dims)


def describe_mapping(source: Layout, target: Layout) -> list[tuple[str, str]]:
    """(joint of the target, where it comes from in words) for each of its joints."""
    mapping = joint_map(source, target)
    computed = dict(mapping.virtual)
    lines = []
    for place, joint in enumerate(target.joints):
        if mapping.plain[place] >= 0:
            origin = source.joints[mapping.plain[place]]
        elif place in computed:
            origin = "middle of " + ", ".join(source.joints[part] for part in computed[place])
        else:
            origin = "masked"
        lines.append((joint, origin))
    return lines


def _parts(joint: str, index: dict[str, int]) -> tuple[int, ...] | None:
    """Source joints whose middle a virtual joint is, each as often as it counts; None if one is missing."""
    if joint not in VIRTUAL or _UNLESS.get(joint) in index:
        return None
    for names in VIRTUAL[joint]:
        groups = [(index[name],) if name in index else _parts(name, index) for name in names]
        known = [group for group in groups if group is not None]
        if len(known) == len(groups):
            total = math.prod(map(len, known))
            return tuple(part for group in known for part in group * (total // len(group)))
    return None
