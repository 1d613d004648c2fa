"""BVH (Biovision hierarchy): a skeleton of any joints and the rotations of its joints in each frame.

The skeleton is taken from the file; where a bone ends ("End Site") becomes the joint ``<parent>_end``. An End
Site right on its joint (offset 0 0 0) adds nothing and becomes no joint. Channels may stand in any order; a
position channel takes the place of that coordinate of the joint's offset, as usual in the field's tools.
``bvh_writer`` writes.

BVH states no unit: positions are kept as they are, and a note says so. The frame rate is taken from "Frame
Time", rounded to a whole number where the file's few digits mean one (0.00833333 s is 120 frames per second).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hitrs.data.formats.format import Format, check_layout, one
from hitrs.data.formats.markers import tree_layout, unique_names
from hitrs.data.formats.text_rows import gather, number_blocks, open_text
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout
from hitrs.skeleton.kinematics import axis_rotations, forward
from hitrs.skeleton.layout import MAX_JOINTS

_END = "_end"
_CHANNEL = re.compile(r"([XYZ])(POSITION|ROTATION)")
_UNIT = "BVH states no unit: positions are as in the file, not converted to meters"
_ROUNDING = 1e-4
"""A rate this close (relatively) to a whole number is that number."""
_MAX_HEADER = 1 << 16
"""More lines than this before the frames are a damaged file."""


@dataclass
class _Joint:
    name: str
    parent: int
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    channels: list[tuple[str, str]] = field(default_factory=list)
    """("x", "ROTATION"), ... in the order of the file."""
    end: bool = False


def read_bvh(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one file; (T, 1, J, 3) in the file's unit, all joints valid, joints in the order of the file.

    Raises:
        DataError: for a file that is missing, not text or cut off, a hierarchy that makes no sense, more or
            fewer frames than declared, or a value that is no finite number (naming line and frame); or if a
            layout is asked for that is not the file's.
    """
    path = Path(path)
    with open_text(path) as file:
        lines = enumerate(file, 1)
        joints = _used(path, _hierarchy(path, lines))
        declared, seconds = _motion(path, lines)
        columns = sum(len(joint.channels) for joint in joints)
        if columns == 0:
            raise DataError(f"{path}: no joint has channels, so nothing can move.")
        own_layout = _layout(path, joints)
        blocks = number_blocks(lines, columns, None, path, len(joints))
        positions = gather(blocks, lambda rows: _positions(rows, joints), path)[:, None]  # (T, 1, J, 3)
    if len(positions) != declared:
        raise DataError(
            f"{path} declares {declared} frames, but has {len(positions)}; the file may be cut off. If all "
            "its frames are there, correct the number after 'Frames:'."
        )
    fps = _rate(seconds)
    notes = (_UNIT,) if fps is not None else (_UNIT, f"no frame rate: the file's frame time is {seconds:g}")
    with located(path):
        return Recording(
            positions,
            np.ones(positions.shape[:-1], bool),
            check_layout(path, layout, own_layout),
            name=path.stem,
            fps=fps,
            source=path.name,
            notes=notes,
        )


def _rate(seconds: float) -> float | None:
    rate = 1 / seconds if seconds > 0 else math.inf
    if math.isinf(rate):
        return None
    whole = round(rate)
    return float(whole) if whole and abs(rate - whole) < _ROUNDING * rate else rate


def _tokens(lines: Iterator[tuple[int, str]], path: Path) -> Iterator[tuple[int, str]]:
    """Words of the header with their line numbers; braces are words of their own."""
    for number, line in lines:
        if number > _MAX_HEADER:
            raise DataError(f"{path}: no line 'MOTION' in the first {_MAX_HEADER} lines.")
        for word in line.replace("{", " { ").replace("}", " } ").split():
            yield number, word
            if word.upper() == "MOTION":
                return
    raise DataError(f"{path} ends before 'MOTION'; the file may be cut off.")


def _hierarchy(path: Path, lines: Iterator[tuple[int, str]]) -> list[_Joint]:
    tokens = _tokens(lines, path)
    number, word = next(tokens)
    if word.upper() != "HIERARCHY":
        raise DataError(f"{path}, line {number}: a BVH file starts with HIERARCHY, not '{word[:40]}'.")
    joints: list[_Joint] = []
    open_joints: list[int] = []
    for number, word in tokens:
        where, key = f"{path}, line {number}", word.upper()
        if key == "MOTION":
            if open_joints or not joints:
                raise DataError(f"{where}: MOTION, but {len(open_joints)} joints are not closed by }}.")
            return joints
        if key in ("ROOT", "JOINT", "END"):
            if (key == "ROOT") == bool(open_joints) or (key == "ROOT" and joints):
                raise DataError(
                    f"{where}: {word} where none may stand; a file holds one skeleton with one ROOT, and "
                    "joints stand within the braces of their parent."
                )
            name = _name(tokens, where)
            parent = open_joints[-1] if open_joints else 0
            if key == "END":
                name = f"{joints[parent].name}{_END}"
            if len(joints) >= MAX_JOINTS:
                raise DataError(f"{where}: more than {MAX_JOINTS} joints make no sense.")
            open_joints.append(len(joints))
            joints.append(_Joint(name, parent, end=key == "END"))
        elif key == "}" and open_joints:
            open_joints.pop()
        elif key == "OFFSET" and open_joints:
            joints[open_joints[-1]].offset = tuple(_number(tokens, where) for _ in range(3))
        elif key == "CHANNELS" and open_joints:
            count = int(_number(tokens, where))
            if not 0 <= count <= 6:
                raise DataError(f"{where}: {count} channels; a joint has at most 6.")
            joints[open_joints[-1]].channels = _channels(tokens, where, count)
        else:
            raise DataError(
                f"{where}: '{word[:40]}' is not known here; expected JOINT, OFFSET, CHANNELS or braces."
            )
    raise DataError(f"{path} ends before 'MOTION'; the file may be cut off.")


def is_end(joint: str) -> bool:
    """Whether a joint's name is that of a bone's end, which some exporters write and others do not."""
    return joint.endswith(_END)


def _name(tokens: Iterator[tuple[int, str]], where: str) -> str:
    words: list[str] = []
    for _, word in tokens:
        if word == "{":
            return " ".join(words)
        if word.upper() in ("OFFSET", "CHANNELS", "MOTION", "}"):
            break
        words.append(word)
    raise DataError(f"{where}: the joint has no opening brace {{.")


def _number(tokens: Iterator[tuple[int, str]], where: str) -> float:
    _, word = next(tokens, (0, "nothing"))
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: '{word[:40]}' where a finite number is expected.")
    return value


def _channels(tokens: Iterator[tuple[int, str]], where: str, count: int) -> list[tuple[str, str]]:
    channels: list[tuple[str, str]] = []
    for _ in range(count):
        _, word = next(tokens, (0, "nothing"))
        match = _CHANNEL.fullmatch(word.upper())
        if match is None:
            raise DataError(f"{where}: '{word[:40]}' is no channel; expected Xposition, Zrotation, ....")
        channels.append((match[1].lower(), match[2]))
    return channels


def _used(path: Path, joints: list[_Joint]) -> list[_Joint]:
    """All but End Sites that stand on their joint; only leaves are left out, so parents are told anew."""
    keep = [number for number, joint in enumerate(joints) if not joint.end or any(joint.offset)]
    place = {old: new for new, old in enumerate(keep)}
    for old in keep:
        if joints[old].parent not in place:
            raise DataError(f"{path}: joint '{joints[old].name}' stands within an End Site.")
        joints[old].parent = place[joints[old].parent]
    return [joints[old] for old in keep]


def _layout(path: Path, joints: list[_Joint]) -> Layout:
    with located(path):
        names = unique_names([joint.name for joint in joints])
        return tree_layout(f"bvh{len(joints)}", names, [joint.parent for joint in joints])


def _motion(path: Path, lines: Iterator[tuple[int, str]]) -> tuple[int, float]:
    """Declared frames and seconds of a frame."""
    values = []
    for pattern, form in (
        (r"Frames\s*:\s*(\d+)", "Frames: 100"),
        (r"Frame\s*Time\s*:\s*(\S+)", "Frame Time: 0.01"),
    ):
        number, line = next(((n, text) for n, text in lines if text.strip()), (0, ""))
        match = re.fullmatch(pattern, line.strip(), re.IGNORECASE)
        try:
            values.append(float(match[1]) if match else math.nan)
        except ValueError:
            values.append(math.nan)
        if not math.isfinite(values[-1]):
            raise DataError(f"{path}, line {number}: '{line.strip()[:40]}', expected for example '{form}'.")
    return int(values[0]), values[1]


def _positions(rows: np.ndarray, joints: list[_Joint]) -> np.ndarray:
    """(n, columns) of channels to (n, J, 3)."""
    local = np.tile(np.eye(3), (len(rows), len(joints), 1, 1))
    offsets = np.tile(np.array([joint.offset for joint in joints]), (len(rows), 1, 1))  # (n, J, 3)
    column = 0
    for number, joint in enumerate(joints):
        for axis, kind in joint.channels:
            if kind == "POSITION":
                offsets[:, number, "xyz".index(axis)] = rows[:, column]
            else:
                local[:, number] = local[:, number] @ axis_rotations(axis, np.radians(rows[:, column]))
            column += 1
    parents = [joint.parent for joint in joints]
    return forward(local, offsets, parents, root=offsets[:, 0])[0]


FORMAT = Format(
    name="bvh",
    title="BVH motion capture (Biovision hierarchy)",
    suffixes=(".bvh",),
    matches=lambda head: re.match(r"\s*HIERARCHY\s", head.text, re.IGNORECASE) is not None,
    read=one(read_bvh),
    memory=16,
)
