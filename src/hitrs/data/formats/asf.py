"""ASF (Acclaim skeleton file): bones with direction, length, own axes and degrees of freedom.

The joints of such a skeleton are the root and the far end of each bone.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hitrs.data.formats.text_rows import open_text
from hitrs.errors import DataError
from hitrs.skeleton.kinematics import axis_rotations
from hitrs.skeleton.layout import MAX_JOINTS

_INCH = 0.0254
_CHANNELS = ("tx", "ty", "tz", "rx", "ry", "rz")
_MAX_LINES = 1 << 16


@dataclass
class Bone:
    """One bone, or the root, which has no length."""

    name: str
    direction: tuple[float, ...] = (0.0, 0.0, 0.0)
    length: float = 0.0
    axis: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Rotations of the bone's own axes about x, y, z, in the unit of the file's angles."""
    order: str = "xyz"
    """In which order rotations are made, the first first."""
    channels: tuple[str, ...] = ()
    """What the motion file holds for this bone, in its order: "tx", ..., "rz"."""
    parent: int = 0

    def turn(self, angles: np.ndarray) -> np.ndarray:
        """(..., 3) radians about x, y, z to (..., 3, 3)."""
        matrix = np.eye(3)
        for axis in self.order:
            matrix = axis_rotations(axis, angles[..., "xyz".index(axis)]) @ matrix
        return matrix


@dataclass
class Skeleton:
    """Content of an ASF file."""

    path: Path
    bones: list[Bone] = field(default_factory=list)
    """The root first."""
    start: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Position of the root, in the file's unit."""
    unit: float | None = None
    """Meters of one unit of length; None = not stated."""
    degrees: bool = True
    """Unit of the angles in this file."""

    @property
    def offsets(self) -> np.ndarray:
        """(J, 3) each bone as a vector, in the file's unit and axes."""
        return np.array([[bone.length * value for value in bone.direction] for bone in self.bones])


def read_asf(path: Path) -> Skeleton:
    """Read a skeleton.

    Raises:
        DataError: for a file that is missing, damaged, or has more than ``MAX_JOINTS`` bones (naming the
            line).
    """
    skeleton = Skeleton(path)
    skeleton.bones.append(Bone("root"))
    section, parents = "", {}
    with open_text(path, errors="replace") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#")[0].split()
            where = f"{path}, line {number}"
            if number > _MAX_LINES:
                raise DataError(f"{where}: a skeleton of more than {_MAX_LINES} lines makes no sense.")
            if not words:
                continue
            if words[0].startswith(":"):
                section = words[0].lower()
            elif section == ":units":
                _unit(skeleton, words, where)
            elif section == ":root":
                _root(skeleton, words, where)
            elif section == ":bonedata":
                _bone(skeleton.bones, words, where)
            elif section == ":hierarchy" and words[0] not in ("begin", "end"):
                for child in words[1:]:
                    if child in parents:
                        raise DataError(f"{where}: '{child}' has two parents.")
                    parents[child] = words[0]
    return _joined(skeleton, parents)


def _unit(skeleton: Skeleton, words: list[str], where: str) -> None:
    if words[0] == "length":
        (length,) = _numbers(words[1:], 1, where)
        if length <= 0:
            raise DataError(f"{where}: a length of {length:g} makes no sense.")
        skeleton.unit = _INCH / length
    elif words[0] == "angle":
        skeleton.degrees = not words[-1].lower().startswith("rad")


def _root(skeleton: Skeleton, words: list[str], where: str) -> None:
    root = skeleton.bones[0]
    if words[0] == "order":
        root.channels = _channels(words[1:], where)
    elif words[0] == "axis":
        root.order = _order(words[-1], where)
    elif words[0] == "position":
        skeleton.start = _numbers(words[1:], 3, where)
    elif words[0] == "orientation":
        root.axis = _numbers(words[1:], 3, where)


def _bone(bones: list[Bone], words: list[str], where: str) -> None:
    key, bone = words[0], bones[-1]
    if key == "begin":
        if len(bones) > MAX_JOINTS:
            raise DataError(f"{where}: more than {MAX_JOINTS} bones make no sense.")
        bones.append(Bone(""))
    elif len(bones) == 1:
        raise DataError(f"{where}: '{key[:40]}' before the 'begin' of a bone.")
    elif key == "name" and len(words) == 2:
        bone.name = words[1]
    elif key == "direction":
        bone.direction = _numbers(words[1:], 3, where)
    elif key == "length":
        (bone.length,) = _numbers(words[1:], 1, where)
    elif key == "axis":
        bone.axis = _numbers(words[1:4], 3, where)
        bone.order = _order(words[4], where) if len(words) > 4 else "xyz"
    elif key == "dof":
        bone.channels = _channels(words[1:], where)
        if any(channel.startswith("t") for channel in bone.channels):
            raise DataError(f"{where}: bone '{bone.name}' moves along an axis; only rotations can be read.")


def _joined(skeleton: Skeleton, parents: dict[str, str]) -> Skeleton:
    place = {bone.name: number for number, bone in enumerate(skeleton.bones)}
    if len(place) != len(skeleton.bones) or "" in place:
        raise DataError(f"{skeleton.path}: a bone has no name, or two have the same.")
    if len(skeleton.bones) == 1:
        raise DataError(f"{skeleton.path} has no bones; the file may be cut off.")
    for number, bone in enumerate(skeleton.bones[1:], 1):
        above = parents.get(bone.name)
        if above not in place:
            raise DataError(f"{skeleton.path}: bone '{bone.name}' has no parent in :hierarchy.")
        skeleton.bones[number].parent = place[above]
    reached, parent_of = {0}, [bone.parent for bone in skeleton.bones]
    for number in range(1, len(parent_of)):
        trail: list[int] = []
        while number not in reached and len(trail) <= len(parent_of):
            trail.append(number)
            number = parent_of[number]
        if number not in reached:
            raise DataError(f"{skeleton.path}: bone '{skeleton.bones[number].name}' is its own ancestor.")
        reached.update(trail)
    return skeleton


def _channels(words: list[str], where: str) -> tuple[str, ...]:
    channels = tuple(word.lower() for word in words)
    unknown = next((channel for channel in channels if channel not in _CHANNELS), None)
    if unknown is not None or len(set(channels)) != len(channels):
        raise DataError(
            f"{where}: the degrees of freedom '{' '.join(channels)[:60]}' cannot be read; known, each once: "
            f"{' '.join(_CHANNELS)}."
        )
    return channels


def _order(word: str, where: str) -> str:
    if not re.fullmatch("[xyz]{3}", word.lower()) or len(set(word.lower())) != 3:
        raise DataError(f"{where}: '{word[:40]}' is no order of axes; expected for example XYZ.")
    return word.lower()


def _numbers(words: list[str], count: int, where: str) -> tuple[float, ...]:
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        values = ()
    if len(values) != count or not all(map(math.isfinite, values)):
        raise DataError(f"{where}: '{' '.join(words)[:40]}', expected {count} finite numbers.")
    return values
