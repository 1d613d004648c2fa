"""Frame by frame gives what the causal detector gives for whole recordings."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from detectors import detector, light, scene
from factories import LAYOUT
from hitrs.errors import ConfigError, DataError
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.online import OnlineDetector
from hitrs.tasks.detection.segments import SegmentSettings, propose
from hitrs.tasks.detection.stepping import OnlineModel
from hitrs.transforms.batch import Batch, take_stream
from hitrs.transforms.config import PreprocessingConfig


def online(model: DetectionModel, batch: Batch) -> torch.Tensor:
    stepper = OnlineModel(model, batch.positions.shape[1])
    stream = take_stream(batch.positions[0], batch.valid[0], model.card.preprocessing.stream, LAYOUT)
    frames = zip(*(each.unbind(1) for each in stream), strict=True)
    return torch.stack([stepper(*frame) for frame in frames])


@pytest.mark.parametrize("context", ["video", "window"])
@pytest.mark.parametrize("mode", ["default", "paper"])
@torch.inference_mode()
def test_it_equals_the_whole_recording(context: str, mode: str) -> None:
    """Far beyond the history of 5 clips; two bodies, one of which leaves, gaps, joints unseen."""
    model = detector(context=context, mode=mode)
    for batch in (scene(200, gap=(20, 60)), scene(4), scene(1, persons=1), scene(30, persons=3)):
        torch.testing.assert_close(online(model, batch), model(batch)[0], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_clips_that_overlap_or_leave_gaps() -> None:
    batch = scene(70, gap=(20, 30))
    for stride in (1, 9):
        model = detector(stride=stride)
        torch.testing.assert_close(online(model, batch), model(batch)[0], atol=1e-5, rtol=0)


TUBELETS = [
    ({}, 12),
    ({"stride": 1}, 4),
    ({"stride": 5, "context": "window"}, 20),
    ({"sizes": {"window": 3}, "stride": 2}, 8),
    ({"sizes": {"window": 3}, "mode": "paper"}, 12),
    ({"preprocessing": PreprocessingConfig(stream="bone", tubelet=3)}, 9),
    ({"preprocessing": PreprocessingConfig(stream="fused")}, 3),
]


@pytest.mark.parametrize(("changes", "step"), TUBELETS, ids=str)
@torch.inference_mode()
def test_tubelets_and_clips_side_by_side(changes: dict, step: int) -> None:
    """Also of recordings that end within a token, and far beyond the history of 5 clips."""
    model = light(**changes)
    assert model.clip_times.step == step  # frames from clip to clip
    for batch in (scene(210, gap=(20, 75)), scene(3), scene(1, persons=1), scene(30, persons=3)):
        torch.testing.assert_close(online(model, batch), model(batch)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [detector, light])
def test_memory_is_bounded(make) -> None:
    batch = scene(1100, persons=1)
    model = make()
    stepper = OnlineModel(model, 1)
    values, valid = take_stream(batch.positions, batch.valid, model.card.preprocessing.stream, LAYOUT)

    def held() -> int:
        kept = [each for each in vars(stepper).values() if torch.is_tensor(each)]
        return sum(each.untyped_storage().nbytes() for each in kept + stepper._head)

    sizes = []
    for time in range(1100):
        stepper(values[0, :, time], valid[0, :, time])
        sizes.append(held())
    assert max(sizes[50:]) == sizes[50]


def test_a_detector_that_looks_ahead_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"detect\.head\.causal"):
        OnlineModel(detector(causal=False), 1)


def test_a_frame_that_is_absurdly_large_leaves_no_trace() -> None:
    """3e38 is finite, but its square is not: it went through the layers that look back."""
    batch = scene(60, persons=1)
    frames = [
        (p.numpy(), v.numpy())
        for p, v in zip(*(x[0].unbind(1) for x in (batch.positions, batch.valid)), strict=True)
    ]
    clean, disturbed = OnlineDetector(detector()), OnlineDetector(detector())
    for number, (positions, valid) in enumerate(frames):
        if number in (0, 20):
            with pytest.raises(DataError, match=rf"'frame {number}': .* needs ones up to 1e"):
                disturbed.update(np.full_like(positions, 3e38), valid)
        expected, found = clean.update(positions, valid), disturbed.update(positions, valid)
        assert np.array_equal(expected.probabilities, found.probabilities)
        assert np.isfinite(found.probabilities).all()


def test_an_answer_that_is_not_finite_is_none() -> None:
    model = detector()
    with torch.no_grad():
        for weight in model.pose_proj.parameters():
            weight.fill_(3e38)
    batch = scene(3, persons=1)
    with pytest.raises(DataError, match="frame 0: what the model makes of it is not finite"):
        OnlineDetector(model).update(batch.positions[0, :, 0].numpy(), batch.valid[0, :, 0].numpy())


@pytest.mark.parametrize("settings", [
    SegmentSettings(),
    SegmentSettings(min_length=4),
    SegmentSettings(threshold=(0.4,)),
    SegmentSettings("threshold", (0.2,)),
    SegmentSettings("threshold", (0.3, 0.1, 0.2), min_length=3),
])  # fmt: skip
def test_segments_are_those_of_the_whole_recording(settings: SegmentSettings) -> None:
    """In threshold mode none was found where background was more probable than each class."""
    model = detector()
    model.card = replace(model.card, postprocessing={"segments": asdict(settings)})
    batch, online_ = scene(150, persons=1), OnlineDetector(model, as_is=True)
    frames = zip(batch.positions[0].unbind(1), batch.valid[0].unbind(1), strict=True)
    results = [online_.update(positions.numpy(), valid.numpy()) for positions, valid in frames]
    events = [*(event for result in results for event in result.events), *online_.finish()]
    found = sorted((e.segment.start, e.segment.stop, e.segment.label) for e in events if e.kind == "ended")
    whole = propose(np.stack([result.probabilities for result in results]), settings)
    assert found == sorted((p.start, p.stop, p.label) for p in whole)
    assert len(found) > 2
    assert online_.left_out == ()


def test_what_needs_frames_to_come_is_named() -> None:
    model = detector()
    settings = SegmentSettings("threshold", smoothing=5, levels=3)
    model.card = replace(model.card, postprocessing={"segments": asdict(settings)})
    assert OnlineDetector(model).left_out == ("smoothing", "levels")
