"""Files of animals: DeepLabCut, SLEAP and ndx-pose; those of real projects where HITRS_DATA has them."""

import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from hitrs.cli.main import main
from hitrs.data import Store, import_dataset, read_recording
from hitrs.data.formats import hdf5
from hitrs.data.formats.memory import memory_limit
from hitrs.data.formats.registry import read_recordings
from hitrs.errors import DataError

RNG = np.random.default_rng(0)
NODES = ["nose", "left_ear", "right_ear", "tail"]


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py", reason="needs h5py (the extra hdf5)")


@pytest.fixture
def samples() -> Path:
    folder = Path(os.environ.get("HITRS_DATA", "nowhere")) / "samples"
    if not folder.is_dir():
        pytest.skip("HITRS_DATA has no samples")
    return folder


def mice(frames: int = 30, animals: int = 2) -> np.ndarray:
    """(T, P, J, 2) pixels."""
    start = 100 + 200 * np.arange(animals)[None, :, None, None]
    return start + 10 * RNG.normal(size=(1, 1, 4, 2)) + RNG.normal(size=(frames, animals, 1, 2)).cumsum(0)


def dlc_levels(animals: int, likelihood: bool = True) -> list[tuple[str, ...]]:
    coords = ("x", "y", "likelihood") if likelihood else ("x", "y")
    names = [f"mouse{n}" for n in range(animals)]
    return [("net", animal, part, coord) for animal in names for part in NODES for coord in coords]


def dlc_csv(path: Path, xy: np.ndarray, likelihood: np.ndarray | None = None) -> Path:
    frames, animals = xy.shape[:2]
    levels = dlc_levels(animals, likelihood is not None)
    values = xy if likelihood is None else np.concatenate([xy, likelihood[..., None]], -1)
    several = animals > 1
    heads = [("scorer", 0), *([("individuals", 1)] if several else []), ("bodyparts", 2), ("coords", 3)]
    lines = [",".join([name, *(level[place] for level in levels)]) for name, place in heads]
    for frame in range(frames):
        cells = ["" if np.isnan(value) else f"{value:.6f}" for value in values[frame].ravel()]
        lines.append(",".join([str(frame), *cells]))
    path.write_text("\n".join(lines) + "\n")
    return path


def dlc_hdf5(h5py, path: Path, xy: np.ndarray, likelihood: np.ndarray) -> Path:
    frames, animals = xy.shape[:2]
    values = np.concatenate([xy, likelihood[..., None]], -1).reshape(frames, -1)
    with h5py.File(path, "w") as file:
        table = np.zeros(frames, [("index", "<i8"), ("values_block_0", "<f8", (values.shape[1],))])
        table["index"], table["values_block_0"] = np.arange(frames), values
        stored = file.create_dataset("df_with_missing/table", data=table)
        stored.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(dlc_levels(animals), 0))
    return path


@pytest.mark.parametrize("animals", [1, 2])
def test_deeplabcut_csv(tmp_path: Path, animals: int) -> None:
    xy = mice(animals=animals)
    likelihood = RNG.uniform(0.61, 1, xy.shape[:3])
    likelihood[3, 0, 1] = 0.6
    xy[5, 0] = np.nan
    recording = read_recording(dlc_csv(tmp_path / "aDLC_net.csv", xy, likelihood))
    assert recording.layout.joints == tuple(NODES)
    assert recording.layout.dims == 2
    expected = np.ones(xy.shape[:3], bool)
    expected[3, 0, 1] = expected[5, 0] = False
    assert np.array_equal(recording.valid, expected)
    np.testing.assert_allclose(recording.positions[expected], xy[expected], rtol=1e-5)
    assert f"1 of {30 * animals * 4 - 4} points of likelihood 0.6 or less" in recording.notes[0]


def test_a_cell_without_end_is_refused(tmp_path: Path) -> None:
    path = dlc_csv(tmp_path / "a.csv", mice(animals=1))
    path.write_text(path.read_text().replace("nose", "n" * 200_000, 1))
    with pytest.raises(DataError, match=r"a\.csv, line 2: field larger than field limit"):
        read_recording(path, format="deeplabcut")


def test_deeplabcut_h5_holds_what_the_csv_does(tmp_path: Path, h5py) -> None:
    xy, likelihood = mice(), RNG.uniform(0, 1, (30, 2, 4))
    csv = read_recording(dlc_csv(tmp_path / "a.csv", xy, likelihood))
    hdf5 = read_recording(dlc_hdf5(h5py, tmp_path / "a.h5", xy, likelihood))
    assert np.array_equal(hdf5.valid, csv.valid)
    np.testing.assert_allclose(hdf5.positions, csv.positions, rtol=1e-5)
    store = import_dataset(tmp_path, tmp_path / "store")  # DeepLabCut writes both, and they are one recording
    assert [each.name for each in store] == ["a"]
    assert "a.h5 is left out: a.csv beside it holds the same" in store.meta["notes"]
    with h5py.File(tmp_path / "a.h5", "a") as file:
        evil = b"cposix\nsystem\n(Vtouch executed\ntR."
        file["df_with_missing/table"].attrs["values_block_0_kind"] = np.bytes_(evil)
    with pytest.raises(DataError, match=r"'posix.system'"):
        read_recording(tmp_path / "a.h5")


def test_bones_of_deeplabcut_are_those_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "skeleton: [[nose, left_ear], [nose, right_ear], [left_ear, tail]]\n"
    )
    (tmp_path / "videos").mkdir()
    recording = read_recording(dlc_csv(tmp_path / "videos" / "a.csv", mice(animals=1)))
    assert recording.layout.parents == (0, 0, 0, 1)


def test_labeled_frames_are_numbered_as_their_pictures(samples: Path) -> None:
    file = next(samples.glob("deeplabcut/examples/Reaching*/labeled-data/*/CollectedData_*.csv"))
    recording = read_recording(file)
    assert recording.n_frames == 241
    assert recording.layout.joints == ("Hand", "Finger1", "Tongue", "Joystick1", "Joystick2")
    first = recording.positions[0, 0, 0]  # of img005.png
    np.testing.assert_allclose(first, [185.25173502386923, 610.3622760638572], rtol=1e-6)
    assert recording.valid.any((1, 2)).sum() == 55


def test_twenty_animals_that_take_turns_become_few_persons(tmp_path: Path) -> None:
    """At most five are there at once: they share places, nearest ones one after another."""
    xy = np.full((200, 20, 4, 2), np.nan)
    lanes = mice(200, 2)
    for part in range(20):
        when = slice(part // 2 * 20, part // 2 * 20 + 19)
        xy[when, part] = lanes[when, part % 2]
    recording = read_recording(dlc_csv(tmp_path / "a.csv", xy))
    assert recording.n_persons == 2
    seen = recording.valid.any(-1)
    near = np.linalg.norm(recording.positions[:, :, None, 0] - lanes[:, None, :, 0], axis=-1)  # (T, P, lanes)
    lane = near.argmin(-1)
    assert [set(lane[seen[:, person], person].tolist()) for person in (0, 1)] in ([{0}, {1}], [{1}, {0}])


def analysis(h5py, path: Path, xy: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        file["tracks"] = xy.transpose(1, 3, 2, 0)
        file["node_names"] = np.array(NODES, dtype="S")
        file["edge_inds"] = np.array([[3, 0], [0, 1], [0, 2]])
        file["track_names"] = np.array([f"track_{n}" for n in range(xy.shape[1])], dtype="S")
    return path


def test_sleap_analysis(tmp_path: Path, h5py) -> None:
    xy = mice()
    xy[4, 1] = np.nan
    recording = read_recording(analysis(h5py, tmp_path / "a.analysis.h5", xy))
    np.testing.assert_allclose(recording.positions[0], xy[0], rtol=1e-6)
    assert np.array_equal(recording.valid, np.isfinite(xy).all(-1))
    layout = recording.layout
    assert layout.joints == tuple(NODES)
    assert layout.joints[layout.root] == "tail"
    assert {(layout.joints[a], layout.joints[b]) for a, b in layout.bones()} == {
        ("nose", "tail"), ("left_ear", "nose"), ("right_ear", "nose"),
    }  # fmt: skip


@pytest.mark.parametrize("tracked", [True, False])
def test_coordinates_beyond_all_bounds_are_refused(tmp_path: Path, h5py, tracked: bool) -> None:
    """Nor does following animals by their places warn of them."""
    xy = mice()
    xy[3, 0, 1] = 1e300
    if tracked:
        path = analysis(h5py, tmp_path / "a.h5", xy)
    else:
        path = sleap_project(h5py, tmp_path / "a.slp")
        with h5py.File(path, "a") as file:
            points = file["points"][()]
            points["x"][0] = 1e300
            file["points"][...] = points
            instances = file["instances"][()]
            instances["track"] = -1
            file["instances"][...] = instances
    with pytest.raises(DataError, match="a valid joint needs finite ones"):
        list(read_recordings(path))


def test_a_long_analysis_needs_memory_for_each_animal_in_each_frame(tmp_path: Path, h5py) -> None:
    path = analysis(h5py, tmp_path / "a.h5", mice(3000, 2))
    with memory_limit(5999 << 10), pytest.raises(DataError, match=r"following 6,000 persons.*--max-memory"):
        read_recording(path)
    with memory_limit(8000 << 10):
        assert read_recording(path).n_frames == 3000


def test_hundreds_of_tracks_are_few_animals(tmp_path: Path, h5py) -> None:
    """A tracker that loses an animal every second: tracks become persons, not columns."""
    lanes = mice(600, 2)
    xy = np.full((600, 60, 4, 2), np.nan)
    for track in range(60):
        when = slice(track // 2 * 20, track // 2 * 20 + 20)
        xy[when, track] = lanes[when, track % 2]
    recording = read_recording(analysis(h5py, tmp_path / "a.h5", xy))
    assert recording.n_persons == 2
    np.testing.assert_allclose(recording.positions, lanes, rtol=1e-5)


def sleap_project(h5py, path: Path) -> Path:
    """Three frames: a prediction, the same corrected by hand, and two animals without tracks."""
    skeleton = {
        "nodes": [{"id": 1}, {"id": 0}],
        "links": [{"source": 1, "target": 0}],
        "graph": {"name": "s"},
    }
    content = {"skeletons": [skeleton], "nodes": [{"name": "tail"}, {"name": "nose"}]}
    frames = np.array([(0, 0, 0, 1), (0, 1, 1, 3), (0, 2, 3, 5)], [
        ("video", "<u4"), ("frame_idx", "<u8"), ("instance_id_start", "<u8"), ("instance_id_end", "<u8"),
    ])  # fmt: skip
    kinds = [(1, -1, -1, 0, 2), (1, -1, -1, 2, 4), (0, -1, 1, 0, 2), (1, -1, -1, 4, 6), (1, -1, -1, 6, 8)]
    instances = np.array(kinds, [
        ("instance_type", "u1"), ("track", "<i4"), ("from_predicted", "<i8"), ("point_id_start", "<u8"),
        ("point_id_end", "<u8"),
    ])  # fmt: skip
    point = [("x", "<f8"), ("y", "<f8"), ("visible", "?")]
    predicted = [(10 + n, 20, True) for n in range(6)] + [(500, 500, True), (510, 500, False)]
    with h5py.File(path, "w") as file:
        metadata = file.create_group("metadata")
        metadata.attrs["json"], metadata.attrs["format_id"] = np.bytes_(json.dumps(content)), 1.2
        file["frames"], file["instances"] = frames, instances
        file["points"] = np.array([(11.5, 21, True), (12.5, 21, True)], point)
        file["pred_points"] = np.array(predicted, point)
        file["videos_json"] = np.array(['{"backend": {"filename": "C:/a/cage.mp4"}}'], dtype="S")
    return path


def test_a_sleap_project(tmp_path: Path, h5py) -> None:
    (recording,) = read_recordings(sleap_project(h5py, tmp_path / "labels.slp"))
    assert recording.layout.joints == ("nose", "tail")
    assert recording.n_frames == 3
    assert recording.n_persons == 2
    np.testing.assert_allclose(recording.positions[:, 0, 0, 0], [10, 11.5, 14])  # the corrected one counts
    assert recording.valid[2, 1].tolist() == [True, False]


def nwb(h5py, path: Path, xy: np.ndarray, confidence: np.ndarray, names: list[str]) -> Path:
    with h5py.File(path, "w") as file:
        pose = file.create_group("processing/behavior/PoseEstimation")
        pose.attrs["neurodata_type"] = "PoseEstimation"
        pose["source_software"] = "DeepLabCut"
        skeleton = file.create_group("processing/behavior/Skeletons/mouse")
        skeleton["nodes"], skeleton["edges"] = names, np.array([[0, 1], [0, 2], [0, 3]], "u1")
        pose["skeleton"] = h5py.SoftLink("/processing/behavior/Skeletons/mouse")
        for n, name in enumerate(names):
            series = pose.create_group(name)
            series.attrs["neurodata_type"] = "PoseEstimationSeries"
            series["data"], series["confidence"] = xy[:, n], confidence[:, n]
            series["data"].attrs["unit"] = "pixels"
            series["timestamps"] = np.arange(len(xy)) / 50
    return path


def test_ndx_pose(tmp_path: Path, h5py) -> None:
    xy = mice(animals=1)[:, 0]
    confidence = np.ones(xy.shape[:2])
    confidence[7, 2] = 0.4
    recording = read_recording(nwb(h5py, tmp_path / "a.nwb", xy, confidence, NODES))
    assert recording.fps == 50
    assert recording.layout.joints == tuple(NODES)
    assert recording.layout.parents == (0, 0, 0, 0)
    assert np.argwhere(~recording.valid).tolist() == [[7, 0, 2]]
    np.testing.assert_allclose(recording.positions[0, 0], xy[0], rtol=1e-6)


def test_time_stamps_of_other_frames_tell_no_rate(tmp_path: Path, h5py) -> None:
    xy = mice(animals=1)[:, 0]
    path = nwb(h5py, tmp_path / "a.nwb", xy, np.ones(xy.shape[:2]), NODES)
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(lambda name: names.append(name) if name.endswith("timestamps") else None)
        for name in names:
            del file[name]
            file[name] = np.arange(99.0)
    recording = read_recording(path)
    assert recording.fps is None
    assert "there are 99 time stamps of 30 frames" in " ".join(recording.notes)


def test_links_to_other_files_are_not_followed(tmp_path: Path, h5py) -> None:
    analysis(h5py, tmp_path / "secret.h5", mice())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["tracks"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/tracks")
        file["node_names"] = np.array(NODES, dtype="S")
    with pytest.raises(DataError, match="no 'node_names' and 'tracks'"):
        read_recording(tmp_path / "a.h5", format="sleap")


def test_a_text_without_end_does_not_hang(tmp_path: Path, h5py) -> None:
    """libhdf5 walks a heap of texts by the sizes in it, for ever where one is 0."""
    path = nwb(h5py, tmp_path / "a.nwb", mice(animals=1)[:, 0], np.ones((30, 4)), NODES)
    data = bytearray(path.read_bytes())
    place = data.index(b"GCOL") + 16
    while data[place]:  # its number; 0 is what is free
        place += 16 + -(-int.from_bytes(data[place + 8 : place + 16], "little") // 8) * 8
    data[place + 8 : place + 16] = bytes(8)
    path.write_bytes(data)
    with pytest.raises(DataError, match="has no end"):
        read_recording(path)


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
@pytest.mark.parametrize(
    ("visitor", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the library of HDF5 crashes on it"),
        ("import time; time.sleep(60)", "has not read its texts after 0.2 s"),
    ],
)
def test_what_would_crash_the_library_is_refused(
    tmp_path: Path, h5py, monkeypatch: pytest.MonkeyPatch, visitor: str, said: str
) -> None:
    """A process of its own reads every text of a file first, which a damaged length can end."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = np.zeros((1, 2, 3, 4))
    monkeypatch.setattr(hdf5, "VISITOR", visitor)
    monkeypatch.setattr(hdf5, "_SECONDS", 0.2 if "sleep" in visitor else 60)
    with pytest.raises(DataError, match=said):
        read_recording(path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a bound on memory that holds")
def test_a_text_of_gigabytes_is_refused(tmp_path: Path, h5py, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads them is bounded; without that it was given what it asked for."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = np.zeros((1, 2, 3, 4))
    asks = "look(lambda: bytearray(5 << 30))\n"
    monkeypatch.setattr(hdf5, "VISITOR", hdf5.VISITOR + asks)
    with pytest.raises(DataError, match="its texts take more than 4 GiB to read"):
        read_recording(path)


def test_a_file_is_gone_through_once_however_many_formats_ask(
    tmp_path: Path, h5py, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    whole = hdf5.mmap.mmap
    monkeypatch.setattr(hdf5.mmap, "mmap", lambda *words, **more: opened.append(1) or whole(*words, **more))
    path = nwb(h5py, tmp_path / "a.nwb", mice(animals=1)[:, 0], np.ones((30, 4)), NODES)
    for _ in range(2):
        read_recording(path)
    assert len(opened) == 1
    os.utime(path, (1, 1))  # as far as anybody knows another one
    read_recording(path)
    assert len(opened) == 2


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, h5py) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset(
            "tracks", shape=(50, 2, 4, 1_000_000), dtype="f8", chunks=(1, 2, 4, 1000), compression="gzip"
        )
        file["node_names"] = np.array(NODES, dtype="S")
    with pytest.raises(DataError, match=r"3,200,000,000 bytes unpacked may take 8\.9 GiB"):
        read_recording(tmp_path / "a.h5")


def test_without_h5py_the_message_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a.slp").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(DataError, match=r"needs h5py: pip install"):
        read_recording(tmp_path / "a.slp")


@pytest.mark.parametrize(
    ("name", "frames", "persons", "joints"),
    [
        ("sleap/docs/notebooks/analysis_example/predictions.analysis.h5", 3000, 2, 13),
        ("sleap/tests/data/tracks/clip.predictions.slp", 1500, 2, 2),
        ("sleap/tests/data/tracks/clip.2node.slp", 1500, 2, 2),
        ("sleap/tests/data/slp_hdf5/dance.mp4.labels.slp", 450, 1, 17),
        ("deeplabcut_predictions/examples/m3v1mp4DLC_resnet50_openfieldAug20shuffle1_30000.h5", 2330, 1, 4),
        ("deeplabcut_predictions/examples/m3v1mp4DLC_resnet50_openfieldAug20shuffle1_30000.nwb", 2330, 1, 4),
        ("ndx_pose/src/pynwb/tests/back_compat/0.3.0_poseestimation_one_camera.nwb", 10, 1, 2),
    ],
)
def test_files_of_real_projects(
    samples: Path, h5py, name: str, frames: int, persons: int, joints: int
) -> None:
    recording = read_recording(samples / name)
    assert recording.positions.shape == (frames, persons, joints, 2)
    assert recording.valid.mean() > 0.4


def test_a_layout_of_animals_is_known_by_its_store(tmp_path: Path, capsys) -> None:
    (tmp_path / "mice").mkdir()
    dlc_csv(tmp_path / "mice" / "a.csv", mice(animals=1))
    store = import_dataset(tmp_path / "mice", tmp_path / "mice.store")
    np.save(tmp_path / "b.npy", mice(animals=1)[:, 0])
    recording = read_recording(tmp_path / "b.npy", tmp_path / "mice.store")
    assert recording.layout == Store.open(store.path).layout
    assert main(["layouts", str(tmp_path / "mice.store")]) == 0
    assert "right_ear" in capsys.readouterr().out
