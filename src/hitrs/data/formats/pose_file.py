"""``.pose``: the binary files of pose-format (0.0 to 0.2), which sign language processing uses.

A file has components (body, face, hands) of named points, and their bones; all of them become joints. The 25
points of OpenPose's body and the 33 of MediaPipe's get the names that they have in the layouts of this
package, other points the name of their component in front where two have the same. x and y are pixels; z,
where a file has it, is a guess in no unit and is only read for a 3-D layout. A point of confidence 0 was not
seen.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hitrs.data.formats.format import Format, Head, one
from hitrs.data.formats.json_text import LARGEST
from hitrs.data.formats.markers import MAX_JOINTS, chosen_joints, edge_layout, unique_names
from hitrs.data.formats.memory import reserve_joints
from hitrs.data.formats.people import DetectedPerson, arrange, seat
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout

_BODIES = {("Nose", 25): "openpose25", ("NOSE", 33): "mediapipe33_2d"}
"""(name of the first point, number of points) -> the layout that names them."""
_VERSIONS = (0.0, 0.1, 0.2)
_PEOPLE = 1000


@dataclass(frozen=True)
class _Component:
    """A part of the body."""

    name: str
    points: list[str]
    bones: list[tuple[int, int]]
    width: int
    """Numbers of a point: coordinates and confidence."""


class _Reader:
    """The bytes of a file and the place that has been reached."""

    def __init__(self, path: Path) -> None:
        try:
            self.data = path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}.") from error
        self.path, self.place = path, 0

    def take(self, form: str) -> tuple[float, ...]:
        size = struct.calcsize(f"<{form}")
        if self.place + size > len(self.data):
            raise DataError(
                f"{self.path} ends at byte {len(self.data)}, within its header; it seems cut short."
            )
        values = struct.unpack_from(f"<{form}", self.data, self.place)
        self.place += size
        return values

    def whole(self) -> int:
        return int(self.take("H")[0])

    def word(self) -> str:
        size = self.whole()
        self.take(f"{size}x")
        return self.data[self.place - size : self.place].decode("utf-8", errors="replace")

    @property
    def left(self) -> int:
        return len(self.data) - self.place


def read_pose(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one file; (T, P, J, 2), or (T, P, J, 3) for a 3-D layout.

    Args:
        layout: joints named as points of the file; by default all points.

    Raises:
        DataError: for a file that is missing, cut short, damaged or of another version.
    """
    path = Path(path)
    reader = _Reader(path)
    version = round(reader.take("f")[0], 3)
    if version not in _VERSIONS:
        raise DataError(f"{path} says version {version:g} of pose-format; 0.0, 0.1 and 0.2 are read.")
    reader.take("3H")  # width, height and depth of the picture
    components = [_component(reader) for _ in range(reader.whole())]
    count = sum(len(each.points) for each in components)
    if not 1 <= count <= MAX_JOINTS or len({each.width for each in components}) > 1:
        raise DataError(f"{path} has {count} points, or some with a z and others without.")
    width = components[0].width
    if version == 0:
        fps, rows = _varying(reader, count, width)
    else:
        fps, rows = _fixed(reader, count, width, version)
    notes: list[str] = []
    dims = 3 if layout is not None and layout.dims == 3 and width == 4 else 2
    if dims == 2 and width == 4:
        notes.append("z is a guess in no unit of length: only x and y are read")
    with located(path):
        own_layout, order = edge_layout("pose", _names(components), _bones(components), dims)
        fitted, chosen = chosen_joints(own_layout, layout, notes)
    place = [order[joint] for joint in chosen]
    n_frames, frames, persons, values = rows
    points = values[:, place, :dims].astype(np.float64)
    seen = (values[:, place, -1] > 0) & np.isfinite(points).all(-1) & (np.abs(points) < LARGEST).all(-1)
    points = np.where(seen[..., None], points, 0)
    if persons is None:
        found = [DetectedPerson(*row) for row in zip(frames.tolist(), points, seen, strict=True)]
        positions, valid = arrange(path, found, 0, n_frames, fitted, notes)
    else:
        positions, valid = seat(path, frames, persons, points, seen, 0, n_frames, fitted, notes)
    rate = float(fps) if np.isfinite(fps) and fps > 0 else None
    with located(path):
        return Recording(
            positions, valid, fitted, name=path.stem, fps=rate, source=path.name, notes=tuple(notes)
        )


def _component(reader: _Reader) -> _Component:
    name, form = reader.word(), reader.word()
    points, bones, colors = reader.whole(), reader.whole(), reader.whole()
    if form not in ("XYC", "XYZC"):
        raise DataError(
            f"{reader.path}: the points of '{name[:40]}' are '{form[:10]}', expected XYC or XYZC."
        )
    names = [reader.word() for _ in range(points)]
    ends = [(reader.whole(), reader.whole()) for _ in range(bones)]
    reader.take(f"{6 * colors}x")
    known = [(start, stop) for start, stop in ends if start < points and stop < points]
    return _Component(name, names, known, len(form))


def _names(components: list[_Component]) -> tuple[str, ...]:
    """A name for each point, unique."""
    count = Counter(point for each in components for point in each.points)
    names: list[str] = []
    for each in components:
        body = _BODIES.get((each.points[0] if each.points else "", len(each.points)))
        if body is not None and "WORLD" not in each.name:
            names += get_layout(body).joints
        else:
            names += [point if count[point] == 1 else f"{each.name}_{point}" for point in each.points]
    return unique_names(names)


def _bones(components: list[_Component]) -> list[tuple[int, int]]:
    bones: list[tuple[int, int]] = []
    first = 0
    for each in components:
        bones += [(first + start, first + stop) for start, stop in each.bones]
        first += len(each.points)
    return bones


_Rows = tuple[int, np.ndarray, "list[int] | None", np.ndarray]
"""Number of frames; of each body its frame (n,), its id where there are ids, and its points (n, J, width)."""


def _fixed(reader: _Reader, points: int, width: int, version: float) -> tuple[float, _Rows]:
    """Versions 0.1 and 0.2: arrays of all frames and persons, coordinates first."""
    if version < 0.2:
        fps, frames, people = reader.take("3H")
    else:
        fps, frames, people = reader.take("fIH")
    each = int(people) * points * width * 4
    if each and not frames and version < 0.2:  # more than its number can say
        frames = reader.left // each
    if not people or not frames or reader.left != frames * each or people > _PEOPLE:
        raise DataError(
            f"{reader.path}: {frames:g} frames of {people:g} persons need {int(frames) * each:,} bytes, but "
            f"{reader.left:,} are there; the file may be cut off."
        )
    shape = int(frames), int(people), points
    reserve_joints(reader.path, math.prod(shape))
    numbers = np.frombuffer(reader.data, "<f4", offset=reader.place)
    values = np.empty((*shape, width), np.float32)
    split = math.prod(shape) * (width - 1)
    values[..., :-1] = numbers[:split].reshape(*shape, width - 1)
    values[..., -1] = numbers[split:].reshape(shape)
    frame, person = np.nonzero((values[..., -1] > 0).any(-1))
    if not len(frame):
        frame, person = np.arange(shape[0]), np.zeros(shape[0], int)
    return fps, (shape[0], frame, person.tolist(), values[frame, person])


def _varying(reader: _Reader, points: int, width: int) -> tuple[float, _Rows]:
    """Version 0.0: frame after frame its persons, each with an id, which is always the same in practice."""
    fps, count = reader.take("2H")
    size = points * width
    frames: list[int] = []
    rows: list[np.ndarray] = []
    for frame in range(int(count)):
        for _ in range(reader.whole()):
            reader.take("h")
            start = reader.place
            reader.take(f"{4 * size}x")
            frames.append(frame)
            rows.append(np.frombuffer(reader.data, "<f4", size, start).reshape(points, width))
    if not count or reader.left:
        raise DataError(f"{reader.path} has {count:g} frames, and {reader.left:,} bytes after them; damaged.")
    values = np.stack(rows) if rows else np.zeros((0, points, width), np.float32)
    return fps, (int(count), np.array(frames, int), None, values)


def _matches(head: Head) -> bool:
    version = struct.unpack_from("<f", head.data)[0] if len(head.data) > 12 else -1.0
    return round(version, 3) in _VERSIONS


FORMAT = Format("pose", "pose-format (.pose)", (".pose",), _matches, one(read_pose), memory=48)
