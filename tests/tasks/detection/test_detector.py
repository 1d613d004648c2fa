"""Raw recordings in, named segments out; the same frame by frame."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from detectors import detector, light, scene
from factories import CLASSES, JOINTS, LAYOUT
from hitrs import Detector, Recording, write_npz
from hitrs.errors import CheckpointError, ConfigError, DataError, LayoutError
from hitrs.skeleton import get_layout
from hitrs.tasks.detection.online import OnlineDetector
from hitrs.tasks.detection.segments import SegmentSettings, propose
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.preprocessing import preprocess


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal detector of recordings with 30 frames a second."""
    model = detector(preprocessing=PreprocessingConfig(center="first"), fps=30.0)
    return model.save_pretrained(tmp_path_factory.mktemp("model") / "model")


def recording(frames: int = 60, **more) -> Recording:
    batch = scene(frames)
    positions, valid = batch.positions[0].transpose(0, 1).numpy(), batch.valid[0].transpose(0, 1).numpy()
    return Recording(positions, valid, LAYOUT, name="scene", **more)


def test_probabilities_are_those_of_the_model(folder: Path) -> None:
    found = Detector(folder)
    batch = preprocess(scene(60), PreprocessingConfig(center="first"), LAYOUT)
    with torch.inference_mode():
        expected = found.model(batch)[0].softmax(-1).numpy()
    result = found(recording(fps=30.0))
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-6)
    assert result.proposals == tuple(propose(expected, found.model.segments))
    first = result.rows()[0]
    assert first["label"] in CLASSES
    assert first["stop_seconds"] == round(first["stop"] / 30, 4)
    assert (result.frames, result.name, result.to_dict()["fps"]) == (60, "scene", 30.0)


def test_arrays_and_files_are_the_same(folder: Path, tmp_path: Path) -> None:
    found, given = Detector(folder), recording()
    write_npz(given, tmp_path / "scene.npz")
    expected = found(given)
    assert found(tmp_path / "scene.npz").to_dict() == expected.to_dict()
    result = found(given.positions, valid=given.valid)
    np.testing.assert_array_equal(result.probabilities, expected.probabilities)
    assert result.rows()[0]["start_seconds"] is None


def test_an_answer_that_is_not_finite_is_none() -> None:
    model = detector()
    with torch.no_grad():
        for weight in model.pose_proj.parameters():
            weight.fill_(3e38)
    with pytest.raises(DataError, match="not finite"):
        Detector(model)(recording())


def test_a_clip_of_tubelets_without_people_is_background() -> None:
    """Three tokens of four frames lie between two clips."""
    found, given = Detector(light()), recording()
    valid = given.valid.copy()
    valid[20:40] = False
    result, online = found(replace(given, valid=valid)), found.online()
    background = result.probabilities[:, -1] == 1
    assert background.nonzero()[0].tolist() == list(range(20 + 12 - 1, 40))
    for frame, seen, expected in zip(given.positions, valid, result.probabilities, strict=True):
        np.testing.assert_allclose(online.update(frame, seen).probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_recording_shorter_than_a_window(folder: Path, frames: int) -> None:
    assert Detector(folder)(recording(frames)).probabilities.shape == (frames, len(CLASSES) + 1)


def test_another_frame_rate_is_refused_or_resampled(folder: Path) -> None:
    found = Detector(folder)
    fast = recording(fps=60.0)
    with pytest.raises(DataError, match=r"60 frames a second.*30.*--resample"):
        found(fast)
    with pytest.raises(DataError, match="15 frames a second"):
        found(fast.positions, valid=fast.valid, fps=15.0)
    result = found(fast, resample=True)
    assert (result.frames, result.fps) == (30, 30.0)
    assert found(recording(fps=29.97)).fps == 29.97


def test_where_nobody_is_seen_nothing_happens(folder: Path) -> None:
    found, given = Detector(folder), recording()
    valid = given.valid.copy()
    valid[20:40] = False
    given = replace(given, valid=valid)
    stride = found.model.settings.stride
    probabilities, online = found(given).probabilities, found.online()
    background = probabilities[:, -1] == 1
    assert background.nonzero()[0].tolist() == list(range(20 + stride - 1, 40))
    for frame, seen, expected in zip(given.positions, given.valid, probabilities, strict=True):
        np.testing.assert_allclose(online.update(frame, seen).probabilities, expected, atol=1e-5)


def test_what_is_no_recording_for_it(folder: Path, tmp_path: Path) -> None:
    found = Detector(folder)
    with pytest.raises(DataError, match="no joint was seen"):
        found(np.zeros((9, JOINTS, 3)), valid=np.zeros((9, JOINTS), bool))
    flat = Recording(np.ones((9, 1, 17, 2)), np.ones((9, 1, 17), bool), get_layout("coco17"), name="flat")
    with pytest.raises(LayoutError, match=r"2-D.*3-D"):
        found(flat)
    with pytest.raises(CheckpointError, match="not a model directory"):
        Detector(tmp_path)


RUNNING = {"align": "running", "scale": "running", "stream": "fused"}


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        *(({"stream": stream}, detector) for stream in ("joint", "bone", "motion", "fused")),
        (RUNNING, detector),
        ({**RUNNING, "tubelet": 4}, light),
    ],
)
@pytest.mark.parametrize("center", ["none", "first", "frame"])
def test_frame_by_frame_equals_the_whole(settings: dict, make, center: str) -> None:
    model = make(preprocessing=PreprocessingConfig(center=center, **settings))
    given = recording(50)
    batch = preprocess(scene(50), model.card.preprocessing, LAYOUT)
    with torch.inference_mode():
        expected = model(batch)[0].softmax(-1).numpy()
    given.positions.setflags(write=False)  # as those of a store
    online = OnlineDetector(model)
    for _ in range(2):  # the second time as if it were the first
        results = [online.update(*frame) for frame in zip(given.positions, given.valid, strict=True)]
        found = np.stack([result.probabilities for result in results])
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert [result.frame for result in results] == list(range(50))
        ended = [e.segment for r in results for e in r.events if e.kind == "ended"]
        ended += [event.segment for event in online.finish()]
        proposals = propose(found, SegmentSettings(min_length=model.segments.min_length))
        assert [(p.label, p.start, p.stop) for p in ended] == [(p.label, p.start, p.stop) for p in proposals]
        assert [p.score for p in ended] == pytest.approx([p.score for p in proposals])
        started = [(r.frame, e.segment.start) for r in results for e in r.events if e.kind == "started"]
        assert started == [(p.start + model.segments.min_length - 1, p.start) for p in proposals]


def test_frames_that_do_not_fit(folder: Path) -> None:
    online = Detector(folder).online()
    with pytest.raises(LayoutError, match="frame 0 has 5 joints"):
        online.update(np.zeros((5, 3)))
    online.update(np.zeros((JOINTS, 3)))
    with pytest.raises(DataError, match="frame 1 has 2 bodies"):
        online.update(np.zeros((2, JOINTS, 3)))
    bad = np.zeros((JOINTS, 3))
    bad[0] = np.inf
    with pytest.raises(DataError, match=r"frame 1.*pelvis"):
        online.update(bad)
    gone = online.update(np.full((JOINTS, 3), np.nan))  # nobody there is no error
    assert gone.frame == 1


@pytest.mark.parametrize(("name", "value"), [("align", "yaw"), ("scale", "body")])
def test_preprocessing_that_needs_the_whole_recording(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"preprocessing\.{name}"):
        OnlineDetector(detector(preprocessing=PreprocessingConfig(**{name: value})))
