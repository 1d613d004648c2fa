"""Frame by frame gives what the causal detector gives for whole recordings."""

import pytest
import torch

from detectors import detector, scene
from hitrs.errors import ConfigError
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.online import OnlineModel
from hitrs.transforms.batch import Batch


def online(model: DetectionModel, batch: Batch) -> torch.Tensor:
    stepper = OnlineModel(model, batch.positions.shape[1])
    frames = zip(batch.positions[0].unbind(1), batch.valid[0].unbind(1), strict=True)
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


def test_memory_is_bounded() -> None:
    batch = scene(1100, persons=1)
    stepper = OnlineModel(detector(), 1)

    def held() -> int:
        kept = [each for each in vars(stepper).values() if torch.is_tensor(each)]
        return sum(each.untyped_storage().nbytes() for each in kept + stepper._head)

    sizes = []
    for time in range(1100):
        stepper(batch.positions[0, :, time], batch.valid[0, :, time])
        sizes.append(held())
    assert max(sizes[50:]) == sizes[50]


def test_a_detector_that_looks_ahead_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"detect\.head\.causal"):
        OnlineModel(detector(causal=False), 1)
