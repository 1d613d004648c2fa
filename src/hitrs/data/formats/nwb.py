"""NWB: pose estimates of the extension ndx-pose in Neurodata Without Borders files (HDF5).

Each ``PoseEstimation`` of a file is a recording; its series are joints, its skeleton gives the bones (or
``nodes`` and ``edges`` in older files). Series that DLC2NWB calls ``ANIMAL_PART`` with "individual ANIMAL" in
their description are joined to animals. A point counts as seen where its confidence is above 0.6 if it comes
from DeepLabCut, and above 0 else. The frame rate is that of the time stamps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.csv_header import SCORES
from hitrs.data.formats.format import Format
from hitrs.data.formats.frames import regular_rate
from hitrs.data.formats.hdf5 import array, group, is_hdf5, open_hdf5, text, texts
from hitrs.data.formats.markers import MAX_JOINTS, METERS, chosen_joints, edge_layout
from hitrs.data.formats.people import seat
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout

_TYPE = "neurodata_type"
_DEPTH, _GROUPS = 8, 10_000
"""Groups of a file are looked at so deep, and so many of them."""
_INDIVIDUAL = re.compile(r"Keypoint (\S+) from individual (\S+?)\.")


@dataclass(frozen=True)
class _Series:
    """One point through the frames."""

    name: str
    animal: str
    part: str
    data: np.ndarray
    """(T, C)."""
    confidence: np.ndarray | None
    times: np.ndarray | None
    rate: float | None
    unit: str


def read_nwb(path: str | Path, layout: Layout | None = None) -> Iterator[Recording]:
    """Read the pose estimates of a file; (T, P, J, 2) in pixels, or (T, P, J, 3).

    Args:
        layout: joints named as series of the file; by default all of them.

    Raises:
        DataError: for a file that is missing or damaged, has no pose estimates, or series of different
            lengths; and without h5py.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        found = list(_groups(file, "PoseEstimation", ""))
        if not found:
            raise DataError(f"{path} has no pose estimates (PoseEstimation of ndx-pose) in it.")
        for name, pose in found:
            own_name = path.stem if len(found) == 1 else f"{path.stem}-{name}"
            yield _recording(path, own_name, pose, layout)


def _groups(parent: Any, kind: str, name: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(name, group) of this type below a group, by hard links only: each once, and none in other files."""
    import h5py

    if text(parent.attrs.get(_TYPE)) == kind:
        yield name, parent
        return
    if depth < _DEPTH and len(parent) < _GROUPS:
        for key in parent:
            if isinstance(parent.get(key, getlink=True), h5py.HardLink):
                below = group(parent, key)
                if below is not None:
                    yield from _groups(below, kind, key, depth + 1)


def _recording(path: Path, name: str, pose: Any, layout: Layout | None) -> Recording:
    where = f"{path}: {name}"
    software = "".join(texts(pose, "source_software", path, 1) or [])
    series = [_series(path, key, each) for key in pose if (each := _child(pose, key)) is not None]
    if not series or len({len(each.data) for each in series}) > 1:
        lengths = ", ".join(f"{each.part} {len(each.data)}" for each in series[:4])
        raise DataError(f"{where} has no series, or they differ in length ({lengths}).")
    notes: list[str] = []
    dims = min(each.data.shape[1] for each in series)
    if any(each.data.shape[1] != dims for each in series):
        notes.append(f"some points are 3-D and others 2-D: the first {dims} coordinates are read")
    animals = list(dict.fromkeys(each.animal for each in series))
    known = texts(_skeleton(pose), "nodes", path, MAX_JOINTS) or []
    series.sort(key=lambda each: known.index(each.name) if each.name in known else len(known))
    part_of = {each.name: each.part for each in series}
    parts = list(dict.fromkeys(part_of.values()))
    edges = array(_skeleton(pose), "edges", path, "iu")
    bones = [] if edges is None or edges.ndim != 2 or edges.shape[1] != 2 else edges.tolist()
    named = [(part_of.get(known[a]), part_of.get(known[b])) for a, b in bones if max(a, b) < len(known)]
    with located(where):
        edge_list = [(parts.index(a), parts.index(b)) for a, b in named if a and b]
        own_layout, order = edge_layout("nwb", parts, edge_list, dims)
        fitted, chosen = chosen_joints(own_layout, layout, notes)
    least = SCORES["likelihood"] if "deeplabcut" in software.lower() else 0.0
    points, seen = _points(series, animals, [parts[order[joint]] for joint in chosen], dims, least, notes)
    points *= _scale(series, dims, notes)
    count = len(points)
    frame, animal = np.nonzero(seen.any(-1)) if seen.any() else (np.arange(count), np.zeros(count, int))
    rows = points[frame, animal], seen[frame, animal]
    people = [animals[number] for number in animal.tolist()]
    positions, valid = seat(path, frame, people, *rows, 0, count, fitted, notes)
    fps, about = _rate(series)
    with located(where):
        return Recording(
            positions, valid, fitted, name=name, fps=fps, source=path.name, notes=(*notes, *about)
        )


def _child(pose: Any, key: str) -> Any | None:
    each = group(pose, key)
    kind = "" if each is None else text(each.attrs.get(_TYPE))
    return each if kind == "PoseEstimationSeries" else None


def _skeleton(pose: Any) -> Any:
    """The group that has the nodes and edges."""
    linked = group(pose, "skeleton")
    return pose if linked is None else linked


def _series(path: Path, key: str, each: Any) -> _Series:
    data = array(each, "data", path, "fiu")
    confidence = array(each, "confidence", path, "fiu")
    if data is None or data.ndim != 2 or data.shape[1] not in (2, 3):
        shape = None if data is None else data.shape
        raise DataError(f"{path}: the data of '{key}' are {shape}, expected (frames, 2 or 3).")
    if confidence is not None and confidence.shape != data.shape[:1]:
        raise DataError(f"{path}: '{key}' has {len(data)} points and {confidence.shape} confidences.")
    match = _INDIVIDUAL.match(text(each.attrs.get("description")))
    animal, part = (match[2], match[1]) if match and f"{match[2]}_{match[1]}" == key else ("", key)
    times = array(each, "timestamps", path, "fiu")
    start = None if times is not None else each.get("starting_time")
    rate = None if start is None else start.attrs.get("rate")
    unit = text(each["data"].attrs.get("unit"))
    good = isinstance(rate, np.number | int | float) and np.isfinite(rate) and rate > 0
    return _Series(key, animal, part, data, confidence, times, float(rate) if good and rate else None, unit)


def _points(
    series: list[_Series], animals: list[str], parts: list[str], dims: int, least: float, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """(T, P, J, C) and seen (T, P, J)."""
    shape = (len(series[0].data), len(animals), len(parts))
    points, sure = np.full((*shape, dims), np.nan), np.ones(shape, bool)
    for each in series:
        if each.part in parts:
            place = animals.index(each.animal), parts.index(each.part)
            points[(slice(None), *place)] = each.data[:, :dims]
            if each.confidence is not None:
                sure[(slice(None), *place)] = each.confidence > least
    there = np.isfinite(points).all(-1)
    hidden = int((there & ~sure).sum())
    if hidden:
        notes.append(
            f"{hidden} of {int(there.sum())} points of confidence {least:g} or less count as not seen"
        )
    return points, there & sure


def _scale(series: list[_Series], dims: int, notes: list[str]) -> float:
    units = {each.unit.lower() for each in series}
    scale = METERS.get(units.pop()) if len(units) == 1 else None
    if dims == 3 and scale is None:
        notes.append(
            f"the unit '{series[0].unit}' is no length: positions are as in the file, not converted to meters"
        )
    return scale if dims == 3 and scale is not None else 1.0


def _rate(series: list[_Series]) -> tuple[float | None, list[str]]:
    rate = next((each.rate for each in series if each.rate is not None), None)
    times = next((each.times for each in series if each.times is not None), None)
    if rate is not None or times is None or times.ndim != 1 or len(times) < 2:
        return rate, []
    count = len(series[0].data)
    if len(times) != count:
        return None, [f"no frame rate: there are {len(times)} time stamps of {count} frames"]
    return regular_rate(np.arange(count), times, seconds=True)


FORMAT = Format("nwb", "pose estimates in NWB (ndx-pose)", (".nwb",), is_hdf5, read_nwb)
