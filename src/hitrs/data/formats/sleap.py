"""SLEAP: animals in pixels, as a project (.slp) or an exported analysis (.h5 or .csv).

Points, skeleton and tracks come from the file; a point is seen where it has coordinates. Tracks become
persons as ``people`` says: by their ids where each animal has one, else by where they are. In a project what
people corrected takes the place of the prediction that it was made of; each video is a recording. The files
state no frame rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from hitrs.data.formats.csv_header import normal
from hitrs.data.formats.csv_table import read_csv
from hitrs.data.formats.format import Format, Head
from hitrs.data.formats.hdf5 import array, group, holds, is_hdf5, json_value, open_hdf5, text, texts
from hitrs.data.formats.markers import MAX_JOINTS, chosen_joints, edge_layout
from hitrs.data.formats.people import DetectedPerson, arrange, frame_span, reserve_detections
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout

_SCORE = "instance.score"
_USER, _PREDICTED = 0, 1
_PIXEL_CENTERS = 1.1
"""Projects of an older format than this count half a pixel more."""
_MANY = 100_000


def read_sleap(path: str | Path, layout: Layout | None = None) -> Iterator[Recording]:
    """Read the recordings of a file: one, or one for each video of a project; (T, P, J, 2).

    Args:
        layout: joints named as nodes of the skeleton; by default all nodes.

    Raises:
        DataError: for a file that is missing, damaged or of another form (naming what), and for .slp and .h5
            without h5py.
    """
    path = Path(path)
    with path.open("rb") as file:
        head = Head(path, file.read(1 << 16))
    if not is_hdf5(head):
        return iter((_csv(path, head, layout),))
    return _project(path, layout) if path.suffix.lower() == ".slp" else iter((_analysis(path, layout),))


def _csv(path: Path, head: Head, layout: Layout | None) -> Recording:
    cells = head.text.split("\n", 1)[0].strip().split(",")
    nodes = [normal(cell.removesuffix(".x")) for cell in cells if cell.endswith(".x")]
    with located(path):
        own_layout = edge_layout("sleap", nodes, (), 2)[0]
    return read_csv(path, layout or own_layout)


def _analysis(path: Path, layout: Layout | None) -> Recording:
    with open_hdf5(path) as file:
        nodes = texts(file, "node_names", path, MAX_JOINTS)
        tracks = array(file, "tracks", path, "f")
        edges = array(file, "edge_inds", path, "iu")
    if nodes is None or tracks is None:
        raise DataError(f"{path} has no 'node_names' and 'tracks' as an analysis file of SLEAP.")
    if tracks.ndim != 4 or tracks.shape[2] != len(nodes) or tracks.shape[1] not in (2, 3):
        raise DataError(
            f"{path}: 'tracks' is {tracks.shape}, expected (tracks, 2, {len(nodes)} nodes, frames)."
        )
    bones = [] if edges is None or edges.ndim != 2 or edges.shape[1] != 2 else edges.tolist()
    points = tracks.transpose(3, 0, 2, 1)  # (T, P, J, C)
    seen = np.isfinite(points).all(-1)
    where = np.argwhere(seen.any(-1))
    reserve_detections(path, len(where))
    found = [
        DetectedPerson(int(frame), points[frame, track], seen[frame, track], int(track))
        for frame, track in where
    ]
    return _recording(path, path.stem, nodes, bones, points.shape[-1], found, 0, len(points), layout)


def _recording(
    path: Path,
    name: str,
    nodes: list[str],
    bones: list[list[int]],
    dims: int,
    found: list[DetectedPerson],
    first: int,
    count: int,
    layout: Layout | None,
) -> Recording:
    notes: list[str] = []
    edges = [(a, b) for a, b in bones if 0 <= a < len(nodes) and 0 <= b < len(nodes)]
    with located(path):
        own_layout, order = edge_layout("sleap", nodes, edges, dims)
        fitted, chosen = chosen_joints(own_layout, layout, notes)
    place = [order[joint] for joint in chosen]
    found = [DetectedPerson(each.frame, each.points[place], each.seen[place], each.person) for each in found]
    positions, valid = arrange(path, found, first, count, fitted, notes)
    with located(path):
        return Recording(positions, valid, fitted, name=name, source=path.name, notes=tuple(notes))


def _project(path: Path, layout: Layout | None) -> Iterator[Recording]:
    with open_hdf5(path) as file:
        folder = group(file, "metadata")
        content = None if folder is None else json_value(folder.attrs.get("json"), f"{path}: its metadata")
        version = 0.0 if folder is None else float(np.asarray(folder.attrs.get("format_id", 0)).item())
        tables = {
            name: array(file, name, path, "V") for name in ("frames", "instances", "points", "pred_points")
        }
        videos = texts(file, "videos_json", path, _MANY) or []
    if content is None or any(tables[name] is None for name in ("frames", "instances", "points")):
        raise DataError(f"{path} has no metadata, frames, instances and points as a project of SLEAP.")
    nodes, bones = _skeleton(path, content)
    shift = 0.5 if version < _PIXEL_CENTERS else 0.0
    by_video = _instances(path, tables, len(nodes), shift)
    if not by_video:
        raise DataError(f"{path} has no instances: nothing is labeled or predicted in it.")
    for video, (frames, found) in sorted(by_video.items()):
        first, count = frame_span(path, frames, "Are these a few labeled frames of a long video?", 100_000)
        name = path.stem if len(by_video) == 1 else _video_name(videos, video)
        yield _recording(path, name, nodes, bones, 2, found, first, count, layout)


def _skeleton(path: Path, content: Any) -> tuple[list[str], list[list[int]]]:
    """Names of the nodes, and edges between their places."""
    try:
        (skeleton,) = content["skeletons"]
        graph = skeleton.get("nx_graph", skeleton)
        names = [str(node["name"]) for node in content["nodes"]]
        places = [int(node["id"]) for node in graph["nodes"]]
        nodes = [names[place] for place in places]
        bones = [
            [places.index(int(link["source"])), places.index(int(link["target"]))] for link in graph["links"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"{path}: a project with one skeleton is read; this has none or several.") from error
    return nodes, bones


def _instances(
    path: Path, tables: dict[str, np.ndarray | None], joints: int, shift: float
) -> dict[int, tuple[list[int], list[DetectedPerson]]]:
    """Video -> its frames and the animals in them."""
    frames, instances = tables["frames"], tables["instances"]
    assert frames is not None
    assert instances is not None
    reserve_detections(path, len(instances))
    points = {_USER: _xy(path, tables["points"], shift), _PREDICTED: _xy(path, tables["pred_points"], shift)}
    result: dict[int, tuple[list[int], list[DetectedPerson]]] = {}
    where = ("video", "frame_idx", "instance_id_start", "instance_id_end")
    what = ("instance_type", "track", "from_predicted", "point_id_start", "point_id_end")
    if not set(where) <= set(frames.dtype.names or ()) or not set(what) <= set(instances.dtype.names or ()):
        raise DataError(f"{path}: its frames or instances lack the columns {', '.join((*where, *what))}.")
    lists = [instances[key].tolist() for key in what]
    for video, frame, start, stop in zip(*(frames[key].tolist() for key in where), strict=True):
        if not 0 <= start <= stop <= len(instances) or stop - start > _MANY or not 0 <= frame < 1 << 40:
            raise DataError(f"{path}: frame {frame} has the instances {start} to {stop} of {len(instances)}.")
        here = range(start, stop)
        corrected = {lists[2][number] for number in here if lists[0][number] == _USER}
        for number in here:
            kind, track, _, begin, end = (values[number] for values in lists)
            if number in corrected or kind not in points:
                continue
            if end - begin != joints or not 0 <= begin <= end <= len(points[kind]):
                raise DataError(f"{path}: an animal in frame {frame} has the points {begin} to {end}.")
            xy = points[kind][begin:end]
            seen = np.isfinite(xy).all(-1)
            known, found = result.setdefault(video, ([], []))
            known.append(frame)
            found.append(
                DetectedPerson(frame, np.where(seen[:, None], xy, 0), seen, track if track >= 0 else None)
            )
    return result


def _xy(path: Path, table: np.ndarray | None, shift: float) -> np.ndarray:
    """(n, 2) of points, NaN where one is not visible."""
    if table is None:
        return np.empty((0, 2))
    if not {"x", "y", "visible"} <= set(table.dtype.names or ()):
        raise DataError(f"{path}: its points lack the columns x, y, visible.")
    xy = np.stack([table["x"], table["y"]], -1).astype(np.float64) - shift
    xy[~table["visible"].astype(bool)] = np.nan
    return xy


def _video_name(videos: list[str], number: int) -> str:
    """What the file calls a video, else its number."""
    content = json_value(videos[number], "a video") if number < len(videos) else {}
    backend = content.get("backend") if isinstance(content, dict) else None
    file = backend.get("filename") if isinstance(backend, dict) else None
    return f"{number}-{PureWindowsPath(text(file)).stem}" if file else str(number)


def _matches(head: Head) -> bool:
    if head.path.suffix.lower() == ".csv":
        return f",{_SCORE}," in head.text.split("\n", 1)[0]
    return holds(head, "frames", "instances") or holds(head, "tracks", "node_names")


FORMAT = Format("sleap", "SLEAP projects and analyses", (".slp", ".h5", ".csv"), _matches, read_sleap)
