"""Good, tiny files of every format and table, as the tests of the readers write them."""

from __future__ import annotations

import csv
import io
import json
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import test_animals
import test_asf_amc
import test_bvh
import test_c3d_file
import test_pose_file
import test_precog
import test_pyskl
import test_trc
import yaml
from ntu_files import chair, ntu_text, person, pku_text
from scipy.io import savemat

from hitrs.data.catalog.label_files import read_label_table, read_segments
from hitrs.data.formats.pku_mmd import read_labels
from hitrs.data.formats.registry import read_recordings
from hitrs.skeleton import get_layout

Read = Callable[[Path], Any]


@dataclass(frozen=True)
class Seed:
    """A good file, those that must lie beside it, and the call that reads it."""

    name: str
    target: str
    """Name of the file that is spoiled."""
    files: dict[str, bytes]
    """All files by name, ``target`` among them."""
    read: Read
    """Given the folder."""
    forced: Read | None = None
    """The same with the format named instead of found."""
    named: Callable[[str], Read] | None = None
    """How it is read under another name."""


@cache
def all_seeds() -> list[Seed]:
    """Several of each format of the registry, and of the tables and skeletons that lie beside files."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the writer of c3d files
        return [*_recordings(Path(folder)), *_beside()]


def _seed(format: str, name: str, content: bytes | str, **beside: bytes | str) -> Seed:
    """``beside``: other files, with "__" for the dot."""
    files = {key.replace("__", "."): _bytes(value) for key, value in beside.items()} | {name: _bytes(content)}

    def read(forced: str | None, name: str = name) -> Read:
        return lambda folder: list(read_recordings(folder / name, format=forced))

    return Seed(format, name, files, read(None), read(format), lambda name: read(None, name))


def _bytes(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _recordings(scratch: Path) -> Iterable[Seed]:
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).round(4)

    bodies = {"72057594037931101": person(range(3)), "72057594037931102": chair(range(1, 4))}
    yield _seed("ntu", "S001C001P001R001A001.skeleton", ntu_text(bodies, 4))
    yield _seed("pku-mmd", "0002-L.txt", pku_text([person(range(3)), person(range(1, 3), (1, 0, 3))], 3))
    table = test_precog.table(scratch / "Seq1_1.csv", draw(4, 20, 3), [0, 1, 1, 0])
    yield _seed("precog", "Seq1_1.csv", table.read_bytes())
    for columns in (117, 99):
        rows = "\n".join(",".join(map(str, row)) for row in draw(3, columns).tolist())
        yield _seed("expmap", "walking_1.txt", rows + "\n")
    yield _seed("bvh", "take.bvh", test_bvh.TEXT)
    yield _seed("amc", "02_01.amc", test_asf_amc.AMC, **{"02__asf": test_asf_amc.ASF})
    for scale in (-1.0, 0.1):  # floating point and whole numbers
        points = test_c3d_file.write(
            scratch / "a.c3d", test_c3d_file.points(), ["LFHD", "RFHD", "C7"], scale=scale
        )
        yield _seed("c3d", "take.c3d", points.read_bytes())
    yield _seed("trc", "take.trc", test_trc.TEXT)

    yield _seed("amass", "walk.npz", _npz(Jtr=draw(3, 24, 3), mocap_framerate=np.array(60)))
    yield _seed("amass", "walk_poses.npz", _amass(draw), smpl_regressor__npz=_regressor(draw))
    yield _seed("npz", "walk.npz", _npz(positions=draw(3, 20, 3), layout="kinect20", label="walk", fps=30))
    markers = rng.integers(1, 20_000, (3, 39, 3)).astype(np.int16)
    yield _seed("ui-prmd", "m01_s01_e01.npz", _npz(markers=markers))
    yield _seed(
        "npz", "fall.npz",
        _npz(joints=draw(3, 2, 20, 3), valid=np.ones((3, 2, 20), bool), subject="anna", camera="hall",
             layout=json.dumps(get_layout("kinect20").to_dict()), segments=np.array([[0, 2]]),
             segment_labels=np.array(["fall"])),
    )  # fmt: skip

    frames = draw(2, 20, 3).tolist()
    yield _json("nw-ucla", "a01_s01_e00_v01.json", {"file_name": "a", "skeletons": frames, "label": 1})
    points = {joints: draw(3 * joints).round(1).tolist() for joints in (17, 18, 25, 26)}
    for joints in (18, 25):
        people = [{"person_id": [-1], "pose_keypoints_2d": points[joints]}] * 2
        yield _json("openpose", "v_000000000007_keypoints.json", {"version": 1.3, "people": people})
    for joints in (17, 26):
        results = [
            {
                "image_id": f"{n}.jpg",
                "category_id": 1,
                "keypoints": points[joints],
                "score": 2.5,
                "idx": n % 2,
            }
            for n in range(3)
        ]
        yield _json("alphapose", "alphapose-results.json", results)
    images = {f"{n}.jpg": {"version": "AlphaPose", "bodies": [{"joints": points[18]}]} for n in range(2)}
    yield _json("alphapose", "alphapose-open.json", images)
    coco = {
        "images": [{"id": n, "file_name": f"{n:03}.jpg", "frame_id": n, "video_id": 1} for n in range(3)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "track_id": 4, "keypoints": points[17]}
            for n in range(3)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(get_layout("coco17").joints)}],
    }
    yield _json("coco", "person_keypoints.json", coco)
    yield _json(
        "coco", "results.json", [{"image_id": n, "keypoints": points[17], "score": 1} for n in (4, 5)]
    )

    def pose() -> list[dict[str, float]]:
        return [{"x": x, "y": y, "z": z, "visibility": 0.9} for x, y, z in draw(33, 3).tolist()]

    videos = [{"frame": n, "pose_landmarks": pose(), "pose_world_landmarks": pose()} for n in range(2)]
    yield _json("mediapipe", "walk.json", {"fps": 30, "width": 640, "height": 480, "frames": videos})
    yield _seed("mediapipe", "lines.jsonl", "\n".join(map(json.dumps, videos)))
    yield _json("mediapipe", "walk_000001.json", {"landmarks": draw(33, 3).tolist()})

    content = test_pyskl.content()
    for protocol in (2, 4, 5):
        yield _seed("pyskl", "all.pkl", pickle.dumps(content, protocol))
    for compressed in (False, True):
        yield _seed("utd-mhad", "a1_s1_t1_skeleton.mat", _mat(compressed, d_skel=draw(20, 3, 3)))
        clip = {"x": draw(3, 13), "y": draw(3, 13), "visibility": np.ones((3, 13), np.uint8), "nframes": 3}
        yield _seed("penn-action", "0001.mat", _mat(compressed, **clip, action="squat", train=-1))
    names = get_layout("mediapipe33").joints
    header = ["frame", "person", *(f"{joint}_{axis}" for joint in names for axis in "xyz")]
    rows = [[n // 2, n % 2, *draw(99).tolist()] for n in range(4)]
    yield _seed("csv", "walk.csv", _table(header, rows))
    header = ["time", *(f"{axis}{n}" for n in range(33) for axis in "xyzv")]
    yield _seed("csv", "walk.tsv", _table(header, [[n / 30, *draw(132).tolist()] for n in range(3)], "\t"))
    rows = [[n, joint, *draw(3).tolist(), 0.9] for n in range(2) for joint in names]
    yield _seed("csv", "long.csv", _table(["frame", "landmark", "x", "y", "z", "visibility"], rows, ";"))

    yield from _without_names(draw)
    yield from _animals(scratch)


def _without_names(draw: Callable[..., np.ndarray]) -> Iterable[Seed]:
    """Tables and arrays, whose layout and columns the user says."""
    kinect = get_layout("kinect20")
    numbers = [",".join(map(str, row)) for row in draw(3, 61).tolist()]
    table = {"walk.txt": "\n".join(f"{n}{row[row.index(',') :]}" for n, row in enumerate(numbers)).encode()}

    def read_table(folder: Path) -> Any:
        return list(read_recordings(folder / "walk.txt", kinect, columns="frame,x,y,z"))

    yield Seed("table", "walk.txt", table, read_table)

    def array(name: str, content: Any) -> Seed:
        file = io.BytesIO()
        np.save(file, content, allow_pickle=True)
        layout = None if isinstance(content, dict) else kinect
        return Seed(
            "npy", name, {name: file.getvalue()}, lambda folder: list(read_recordings(folder / name, layout))
        )

    yield array("walk.npy", draw(3, 20, 3))
    body = draw(25, 3) * [0.2, 0.5, 0.2] + draw(20, 1, 3)
    yield array("S001C001P001R001A001.skeleton.npy", {"nbodys": [1] * 20, "skel_body0": body})


def _animals(scratch: Path) -> Iterable[Seed]:
    xy = test_animals.mice(4)
    sure = np.ones(xy.shape[:3])
    yield _seed("opensim-motion", "walk.mot", test_pose_file.MOT)
    yield _seed("deeplabcut", "mice.csv", test_animals.dlc_csv(scratch / "mice.csv", xy, sure).read_bytes())
    header = "track,frame_idx,instance.score,A.x,A.y,A.score,B.x,B.y,B.score"
    yield _seed("sleap", "a.analysis.csv", f"{header}\nmouse,0,0.9,1,2,0.8,3,4,\nmouse,1,0.9,1,2,0.8,3,4,1\n")
    values = np.abs(xy[:, :1].reshape(4, 1, 4, 2)).repeat(8, 2)[..., :29, :]
    values = np.concatenate([values, np.ones((*values.shape[:3], 1))], -1)[:, :, :29]
    for version in (0.0, 0.1, 0.2):
        yield _seed(
            "pose", "a.pose", test_pose_file.header(version) + test_pose_file.content(version, values)
        )
    try:
        import h5py
    except ImportError:  # an extra
        return
    yield _seed(
        "deeplabcut", "mice.h5", test_animals.dlc_hdf5(h5py, scratch / "mice.h5", xy, sure).read_bytes()
    )
    yield _seed("sleap", "a.analysis.h5", test_animals.analysis(h5py, scratch / "a.h5", xy).read_bytes())
    yield _seed("sleap", "a.slp", test_animals.sleap_project(h5py, scratch / "a.slp").read_bytes())
    nwb = test_animals.nwb(h5py, scratch / "a.nwb", xy[:, 0], sure[:, 0], test_animals.NODES)
    yield _seed("nwb", "a.nwb", nwb.read_bytes())


def _beside() -> Iterable[Seed]:
    """Files that are no recordings, spoiled while what they belong to is good."""
    takes = {"02_01.amc": test_asf_amc.AMC.encode(), "02.asf": test_asf_amc.ASF.encode()}
    yield Seed("asf", "02.asf", takes, lambda folder: list(read_recordings(folder / "02_01.amc")))

    def draw(*shape: int) -> np.ndarray:
        return np.random.default_rng(1).normal(size=shape)

    def table(name: str, text: str, read: Callable[[Path], object]) -> Seed:
        file = f"{name}.csv"
        return Seed(name, file, {file: text.encode()}, lambda folder: read(folder / file))

    walk = {"walk.npz": _amass(draw), "smpl_regressor.npz": _regressor(draw)}
    yield Seed(
        "regressor", "smpl_regressor.npz", walk, lambda folder: list(read_recordings(folder / "walk.npz"))
    )
    labels = "file,label,subject,camera,fps,split\na.csv,walk,anna,,30,train\nb.csv,,ben,hall,,test\n"
    yield table("labels", labels, read_label_table)
    segments = "file,label,start,stop\na.csv,fall,12,18\na.csv,get up,18,30\n"
    yield table("segments", segments, read_segments)
    instances = {"0002-L.txt": b"3,12,30,2\n14,31,47,1\n"}
    yield Seed("pku-mmd labels", "0002-L.txt", instances, lambda folder: read_labels(folder / "0002-L.txt"))
    layout = yaml.safe_dump(get_layout("hand21").to_dict()).encode()
    yield Seed("layout", "mine.yaml", {"mine.yaml": layout}, lambda folder: get_layout(folder / "mine.yaml"))


def _json(format: str, name: str, content: object) -> Seed:
    return _seed(format, name, json.dumps(content))


def _npz(**content: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **content)
    return file.getvalue()


def _amass(draw: Callable[..., np.ndarray]) -> bytes:
    return _npz(poses=draw(3, 156), trans=draw(3, 3), betas=draw(4), mocap_framerate=120.0, gender="male")


def _regressor(draw: Callable[..., np.ndarray]) -> bytes:
    return _npz(J_template=draw(24, 3), J_shapedirs=draw(24, 3, 2))


def _mat(compressed: bool, **content: Any) -> bytes:
    file = io.BytesIO()
    savemat(file, content, do_compression=compressed)
    return file.getvalue()


def _table(header: list[str], rows: list[list[Any]], between: str = ",") -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=between, lineterminator="\n").writerows([header, *rows])
    return file.getvalue()
