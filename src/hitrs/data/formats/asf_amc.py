"""ASF/AMC (Acclaim): a skeleton in one file (.asf), its motion in others (.amc).

A .amc file is read; its skeleton is found beside it: the .asf file whose name its own name starts with
(02.asf of 02_01.amc), or the only one in the folder. Joints are the root and the far end of each bone. A
skeleton with the 30 bones of the CMU motion capture gets layout "cmu31", whose joints have anatomical names.

ASF states its unit: at length 0.45 one unit is 1/0.45 inch. Positions become meters. No frame rate is stated
(CMU's is nominally 120 frames per second); it stays unknown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hitrs.data.formats.asf import Skeleton, read_asf
from hitrs.data.formats.format import Format, check_layout, one
from hitrs.data.formats.markers import tree_layout, unique_names
from hitrs.data.formats.text_rows import gather, number_blocks, open_text
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout
from hitrs.skeleton.kinematics import forward

_LEG = ("hipjoint", "femur", "tibia", "foot", "toes")
_ARM = ("clavicle", "humerus", "radius", "wrist", "hand", "fingers", "thumb")
CMU_BONES = (
    "root", *("l" + bone for bone in _LEG), *("r" + bone for bone in _LEG),
    "lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head",
    *("l" + bone for bone in _ARM), *("r" + bone for bone in _ARM),
)  # fmt: skip
"""Bones of the CMU skeletons; the joint at the end of each is that of layout "cmu31" in the same place."""
_RATE = "no frame rate: AMC files state none (those of CMU are nominally 120 frames per second)"
_UNIT = "the skeleton states no unit of length: positions are as in the file, not converted to meters"


def read_amc(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one .amc file with the .asf file that lies beside it; (T, 1, J, 3), all joints valid.

    Raises:
        DataError: for a file that is missing or damaged, a skeleton that is not found, or a bone that is
            missing in a frame or has a wrong number of values (naming line and frame).
    """
    path = Path(path)
    skeleton = read_asf(find_asf(path))
    own_layout, order = _layout(skeleton)
    jumps: list[int] = []
    with open_text(path, errors="replace") as file:  # the comments of HDM05 are Latin-1
        lines = enumerate(file, 1)
        degrees = _in_degrees(path, lines)
        columns = sum(len(bone.channels) for bone in skeleton.bones)
        blocks = number_blocks(
            _frames(path, lines, skeleton, jumps), columns, None, path, len(skeleton.bones)
        )
        positions = gather(blocks, lambda rows: _positions(rows, skeleton, degrees)[:, order], path)[:, None]
    notes = [_RATE]
    if skeleton.unit is None:
        notes.append(_UNIT)
    if jumps:
        notes.append(f"the frame numbers jump in {len(jumps)} places, first at frame {jumps[0]}")
    with located(path):
        return Recording(
            positions,
            np.ones(positions.shape[:-1], bool),
            check_layout(path, layout, own_layout),
            name=path.stem,
            source=path.name,
            notes=tuple(notes),
        )


def find_asf(path: Path) -> Path:
    """The skeleton of a motion file; DataError if there is none or it is not clear which it is."""
    try:
        skeletons = sorted(
            entry.path for entry in os.scandir(path.parent) if entry.name.lower().endswith(".asf")
        )
    except OSError as error:
        raise DataError(f"cannot read the folder of {path}: {error.strerror}.") from error
    files = [Path(name) for name in skeletons]
    own = [file for file in files if path.stem.startswith(file.stem)]
    if own:
        return max(own, key=lambda file: len(file.stem))
    if len(files) == 1:
        return files[0]
    if not files:
        raise DataError(
            f"{path} needs its skeleton: put the .asf file it was recorded with into the same folder, for "
            f"example {path.with_suffix('.asf').name}."
        )
    raise DataError(
        f"{path}: there are {len(files)} skeletons in its folder ({files[0].name}, {files[1].name}, ...), "
        f"and none has a name that '{path.stem}' starts with; rename the one that belongs to it."
    )


def _layout(skeleton: Skeleton) -> tuple[Layout, list[int]]:
    """The layout, and for each of its joints the bone that ends there."""
    names = [bone.name for bone in skeleton.bones]
    cmu = get_layout("cmu31")
    if sorted(names) == sorted(CMU_BONES):
        order = [names.index(bone) for bone in CMU_BONES]
        parents = tuple(order.index(skeleton.bones[bone].parent) for bone in order)
        if parents == cmu.parents:
            return cmu, order
    with located(skeleton.path):
        joints, parents = unique_names(names), tuple(bone.parent for bone in skeleton.bones)
        return tree_layout(f"asf{len(names)}", joints, parents), list(range(len(names)))


def _in_degrees(path: Path, lines: Iterator[tuple[int, str]]) -> bool:
    """Read up to the keyword of the angles' unit; whether it is degrees."""
    for number, line in lines:
        word = line.strip().lower()
        if word in (":degrees", ":radians"):
            return word == ":degrees"
        if word and not word.startswith(("#", ":")):
            raise DataError(f"{path}, line {number}: expected :DEGREES or :RADIANS before the first frame.")
    raise DataError(f"{path} has no frames.")


def _frames(
    path: Path, lines: Iterator[tuple[int, str]], skeleton: Skeleton, jumps: list[int]
) -> Iterator[tuple[int, str]]:
    """(line, all values of a frame in the order of the bones) of each frame."""
    moving = {bone.name: len(bone.channels) for bone in skeleton.bones if bone.channels}
    values: dict[str, str] = {}
    start, frame, last = 0, -1, None

    def whole() -> tuple[int, str]:
        missing = next((name for name in moving if name not in values), None)
        if missing is not None:
            raise DataError(
                f"{path}, line {start} (frame {frame}): bone '{missing}' is missing; the file may be cut "
                f"off, or belong to another skeleton than {skeleton.path.name}."
            )
        return start, " ".join(values[name] for name in moving)

    for number, line in lines:
        name, _, rest = line.strip().partition(" ")
        if not name or name.startswith(("#", ":")):
            continue
        if name.isdecimal() and not rest:
            if frame >= 0:
                yield whole()
            count = int(name) if len(name) < 18 else 0
            if last is not None and count != last + 1:
                jumps.append(frame + 1)
            start, frame, last, values = number, frame + 1, count, {}
            continue
        where = f"{path}, line {number} (frame {frame})"
        if frame < 0:
            raise DataError(f"{path}, line {number}: '{name[:40]}' before the number of the first frame.")
        if name not in moving:
            raise DataError(f"{where}: '{name[:40]}' is no moving bone of the skeleton {skeleton.path.name}.")
        if name in values:
            raise DataError(f"{where}: bone '{name}' stands twice in the frame.")
        if len(rest.split()) != moving[name]:
            raise DataError(
                f"{where}: bone '{name}' has {len(rest.split())} values, the skeleton {skeleton.path.name} "
                f"wants {moving[name]}."
            )
        values[name] = rest
    if frame >= 0:
        yield whole()


def _positions(rows: np.ndarray, skeleton: Skeleton, degrees: bool) -> np.ndarray:
    """(n, columns) to (n, J, 3) in meters, joints in the order of the bones."""
    bones, offsets = skeleton.bones, skeleton.offsets
    local = np.empty((len(rows), len(bones), 3, 3))
    vectors = np.empty((len(rows), len(bones), 3))
    start = np.tile(np.array(skeleton.start), (len(rows), 1))
    column = 0
    for number, bone in enumerate(bones):
        angles = np.zeros((len(rows), 3))
        for channel in bone.channels:
            if channel[0] == "t":
                start[:, "xyz".index(channel[1])] += rows[:, column]
            else:
                angles[:, "xyz".index(channel[1])] = rows[:, column]
            column += 1
        axes = bone.turn(np.radians(bone.axis) if skeleton.degrees else np.array(bone.axis))
        turn = axes @ bone.turn(np.radians(angles) if degrees else angles) @ axes.T
        local[:, number] = turn
        vectors[:, number] = turn @ offsets[number]  # a bone turns about its near end, so itself as well
    positions, _ = forward(local, vectors, [bone.parent for bone in bones], start)
    return positions * (1.0 if skeleton.unit is None else skeleton.unit)


FORMAT = Format(
    name="amc",
    title="ASF/AMC motion capture (Acclaim; the .asf file lies beside the .amc files)",
    suffixes=(".amc",),
    matches=lambda head: re.search(r"^\s*:(DEGREES|RADIANS)\s*$", head.text, re.M | re.I) is not None,
    read=one(read_amc),
    memory=16,
)
