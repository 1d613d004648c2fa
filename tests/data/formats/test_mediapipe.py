"""MediaPipe landmarks in the forms in which scripts write them, and what is said about others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hitrs.data import import_dataset, read_recording
from hitrs.data.formats.mediapipe import FORMAT
from hitrs.data.formats.registry import find_format
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

POSE = get_layout("mediapipe33")
FRAMES = 4


def body(seed: int = 0) -> np.ndarray:
    """(FRAMES, 33, 3) somewhere in the unit square."""
    return np.random.default_rng(seed).uniform(0.2, 0.8, (FRAMES, 33, 3)).round(5)


def landmarks(points: np.ndarray, visibility: float = 0.9) -> list[dict[str, float]]:
    return [{"x": x, "y": y, "z": z, "visibility": visibility} for x, y, z in points.tolist()]


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content, indent=1))
    return path


def assert_body(path: Path, points: np.ndarray, dims: int = 3) -> None:
    assert find_format(path) is FORMAT
    found = read_recording(path)
    assert (found.layout.n_joints, found.layout.dims) == (33, dims)
    np.testing.assert_allclose(found.positions[:, 0], points[..., :dims], rtol=1e-6)
    assert found.valid.all()


@pytest.mark.parametrize(
    ("frame", "dims"),
    [
        (lambda p: {"pose_world_landmarks": landmarks(p)}, 3),
        (lambda p: {"poseWorldLandmarks": [landmarks(p)]}, 3),  # a list of poses, as the newer API has it
        (lambda p: {"landmarks": [landmarks(p / 2)], "worldLandmarks": [landmarks(p)]}, 3),
        (lambda p: {"pose_world_landmarks": p.tolist()}, 3),
        (lambda p: {"pose_world_landmarks": [p.tolist()]}, 3),
        (lambda p: {"pose_world_landmarks": np.pad(p, ((0, 0), (0, 1)), constant_values=0.7).tolist()}, 3),
        (lambda p: {"pose_world_landmarks": {"landmark": landmarks(p)}}, 3),  # a protocol buffer as a dict
        (lambda p: {"pose_world_landmarks": [{"landmark": landmarks(p)}]}, 3),
        (lambda p: {"pose_landmarks": landmarks(p)}, 2),
        (lambda p: {"landmarks": landmarks(p)}, 2),
        (landmarks, 2),
    ],
)
def test_a_video_in_every_form(tmp_path: Path, frame: Any, dims: int) -> None:
    points = body()
    frames = [frame(each) for each in points]
    assert_body(write(tmp_path / "list.json", frames), points, dims)
    if isinstance(frames[0], dict):
        assert_body(write(tmp_path / "object.json", {"source": "a.mp4", "frames": frames}), points, dims)
        lines = tmp_path / "lines.jsonl"
        lines.write_text("\n".join(map(json.dumps, frames)))
        assert_body(lines, points, dims)
        assert_body(lines.rename(tmp_path / "lines.json"), points, dims)


def test_one_file_a_frame(tmp_path: Path) -> None:
    points = body()
    for number, each in enumerate(points):
        name = f"clip_{number if number < 2 else number + 1:05}.json"  # frame 2 is missing
        write(
            tmp_path / name, {"pose_world_landmarks": [landmarks(each)], "pose_landmarks": [landmarks(each)]}
        )
        write(tmp_path / f"take{number}.json", [{"landmarks": landmarks(each)} for each in points])
    write(tmp_path / "clip_00005.json", {"pose_world_landmarks": []})
    found = read_recording(tmp_path / "clip_00000.json")
    assert (found.name, found.n_frames) == ("clip", 6)
    assert found.valid[:, 0].any(-1).tolist() == [True, True, False, True, True, False]
    np.testing.assert_allclose(found.positions[[0, 1, 3, 4], 0], points, rtol=1e-6)
    assert any("1 frames have no file" in note for note in found.notes)
    assert read_recording(tmp_path / "take1.json").n_frames == FRAMES  # a video, whatever its number


def test_a_folder_of_frames_and_videos(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number, each in enumerate(body()):
        write(source / f"walk_{number}.json", {"pose_world_landmarks": landmarks(each)})
        video = [{"frame": n, "pose_world_landmarks": landmarks(p)} for n, p in enumerate(body(number))]
        write(source / f"fall{number}.json", video)
    store = import_dataset(source, tmp_path / "store")
    assert sorted(store.name(n) for n in range(len(store))) == ["fall0", "fall1", "fall2", "fall3", "walk"]
    assert store.layout == POSE


def test_visibility_and_who_was_not_detected(tmp_path: Path) -> None:
    points = body()
    frames: list[Any] = [{"frame": 7 + n, "pose_world_landmarks": landmarks(p)} for n, p in enumerate(points)]
    frames[0]["pose_world_landmarks"][3]["visibility"] = 0.49
    frames[0]["pose_world_landmarks"][4]["visibility"] = 0.5
    frames[1] = {"frame": 8, "pose_world_landmarks": None}
    frames[2] = {"frame": 9}
    frames[3]["frame"] = 11
    frames[3]["pose_world_landmarks"][5]["x"] = None
    found = read_recording(write(tmp_path / "a.json", frames))
    assert found.valid[:, 0].sum(-1).tolist() == [32, 0, 0, 0, 32]
    assert not found.valid[0, 0, 3]
    assert found.valid[0, 0, 4]
    assert not found.valid[4, 0, 5]
    assert any("1 joints count as not seen" in note for note in found.notes)
    assert any("y points down" in note for note in found.notes)


def test_a_visibility_that_was_never_written_hides_nobody(tmp_path: Path) -> None:
    found = read_recording(write(tmp_path / "a.json", [{"landmarks": landmarks(p, 0)} for p in body()]))
    assert found.valid.all()
    assert any("was not written" in note for note in found.notes)


def test_nobody_at_all_is_a_recording_without_seen_joints(tmp_path: Path) -> None:
    found = read_recording(write(tmp_path / "a.json", [{"pose_world_landmarks": []}, None]))
    assert found.layout == POSE
    assert not found.valid.any()


def test_image_landmarks_are_pixels_where_the_size_is_known(tmp_path: Path) -> None:
    points = body()
    frames = [{"landmarks": landmarks(each)} for each in points]
    known = {"width": 640, "height": 480, "fps": 25, "frames": frames}
    found = read_recording(write(tmp_path / "a.json", known))
    np.testing.assert_allclose(found.positions[:, 0], points[..., :2] * (640, 480), rtol=1e-6)
    assert found.fps == 25
    assert found.layout == get_layout("mediapipe33_2d")
    in_pixels = [{"landmarks": landmarks(each * 500), "width": 640, "height": 480} for each in points]
    found = read_recording(write(tmp_path / "a.json", in_pixels))
    np.testing.assert_allclose(found.positions[:, 0], points[..., :2] * 500, rtol=1e-6)
    unknown = write(tmp_path / "a.json", frames)
    assert any("parts of the image's width" in note for note in read_recording(unknown).notes)
    solid = read_recording(unknown, layout=POSE)  # asked for: with z
    np.testing.assert_allclose(solid.positions[:, 0], points, rtol=1e-6)


@pytest.mark.parametrize("factor", [1, 1000])
def test_time_stamps_tell_the_frame_rate(tmp_path: Path, factor: int) -> None:
    key = "timestamp_ms" if factor > 1 else "time"
    frames = [{key: n / 30 * factor, "landmarks": landmarks(p)} for n, p in enumerate(body())]
    assert read_recording(write(tmp_path / "a.json", frames)).fps == pytest.approx(30, abs=0.01)


def test_several_poses_are_followed_by_their_image_landmarks(tmp_path: Path) -> None:
    one, other = body(1), body(2)
    frames = []
    for n in range(FRAMES):
        poses = [(one[n], one[n] * 0.1), (other[n], other[n] * 0.1 + (0.5, 0.5, 0))]
        poses = poses[:: -1 if n % 2 else 1]  # MediaPipe may name them in another order
        frames.append(
            {
                "pose_world_landmarks": [landmarks(world) for world, _ in poses],
                "pose_landmarks": [landmarks(image) for _, image in poses],
            }
        )
    found = read_recording(write(tmp_path / "a.json", frames))
    assert found.n_persons == 2
    np.testing.assert_allclose(found.positions[:, 0], one, rtol=1e-6)
    np.testing.assert_allclose(found.positions[:, 1], other, rtol=1e-6)
    for frame in frames:
        del frame["pose_landmarks"]
    found = read_recording(write(tmp_path / "a.json", frames))  # nothing tells where they are: in order
    np.testing.assert_allclose(found.positions[1, 0], other[1], rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "a.json is an empty sequence"),
        ([{"landmarks": landmarks(np.zeros((21, 3)))}], "frame 0, pose 0 has 21 landmarks, but layout"),
        ([{"landmarks": [{"x": 1}]}], r"entry 0: landmarks, landmark 0 is an object with the keys 'x'"),
        ([{"landmarks": [{"x": "1", "y": 2}]}], 'has "1" among its numbers'),
        ([{"landmarks": [[1, 2, 3, 4, 5]]}], "landmark 0 is a list of 5"),
        ([{"landmarks": [[[[[]]]]]}], "pose 0, landmark 0 is a list of 1, expected x, y, z and visibility"),
        ([{"landmarks": "none"}], "expected a list of landmarks"),
        ([{"face": []}], "entry 0 is an object with the keys 'face', without pose_world_landmarks"),
        ([{"frame": 1}, {"frame": 1}], "frame 1 occurs twice"),
        ([{"frame": 1}, {"landmarks": []}], "only 1 of 2 frames have a number"),
        ([{"frame": "first"}], 'frame\'s number is "first", expected a whole number'),
        ([{"frame": 0}, {"frame": 10**9}], "'frame' must count frames"),
        ([7], "entry 0 is 7, expected a frame"),
        (7, "a.json is 7, expected a list of frames"),
        ({"frames": []}, "expected one list of frames with landmarks"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path / "a.json", content)
    with pytest.raises(DataError, match=message):
        read_recording(path, format="mediapipe")


def test_a_flat_layout_needs_image_landmarks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [{"pose_world_landmarks": landmarks(body()[0])}])
    with pytest.raises(DataError, match="3-D world landmarks only"):
        read_recording(path, layout=get_layout("mediapipe33_2d"))


def test_json_of_others_is_not_taken(tmp_path: Path) -> None:
    person = {"pose_keypoints_2d": [1.0, 2.0, 0.9] * 25}
    openpose = write(tmp_path / "clip_000_keypoints.json", {"version": 1.3, "people": [person]})
    coco = write(
        tmp_path / "a.json", [{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 2] * 17, "score": 1}]
    )
    names = [found.name for found in (find_format(openpose), find_format(coco)) if found is not None]
    assert names == ["openpose", "coco"]


@pytest.mark.parametrize(
    "keys", [("landmarks", "worldLandmarks"), ("hand_landmarks", "hand_world_landmarks")]
)
def test_hands(tmp_path: Path, keys: tuple[str, str]) -> None:
    hands = [body()[:, :21], body(1)[:, :21] + 0.5]
    image, world = keys
    frames = [
        {image: [landmarks(hand[n]) for hand in hands], world: [landmarks(hand[n]) for hand in hands]}
        for n in range(FRAMES)
    ]
    path = write(tmp_path / "a.json", frames)
    assert find_format(path) is FORMAT
    found = read_recording(path)
    assert found.layout == get_layout("hand21")
    np.testing.assert_allclose(found.positions, np.stack(hands, 1), rtol=1e-6)


def test_frames_that_mix_2d_and_3d_image_landmarks(tmp_path: Path) -> None:
    """A person is followed by image landmarks, whether they have a z or not; this ended in a traceback."""
    solid = [[0.1, 0.2, 0.3]] * 33
    flat = [[0.1, 0.2]] * 33
    frames = [
        {"pose_world_landmarks": [solid], "pose_landmarks": [solid]},
        {"pose_world_landmarks": [solid], "pose_landmarks": [flat]},
        {"pose_landmarks": [flat]},
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(frames))
    recording = read_recording(path)
    assert recording.positions.shape == (3, 1, 33, 3)
    assert recording.valid.any((1, 2)).tolist() == [True, True, False]
    assert "1 frames have image landmarks only" in recording.notes[0]
