"""Recordings in stretches, and recordings in which nobody is seen for long: the same as in one piece."""

import pytest
import torch

from detectors import detector, scene
from hitrs.tasks.detection.long import long_scores
from hitrs.tasks.detection.model import DetectionModel
from hitrs.transforms.batch import Batch


def cut(batch: Batch, frames: int) -> Batch:
    return Batch(batch.positions[:, :, :frames], batch.valid[:, :, :frames], batch.lengths.clamp(max=frames))


def padded(batch: Batch, frames: int) -> Batch:
    more = frames - batch.positions.shape[2]
    positions = torch.nn.functional.pad(batch.positions, (0, 0, 0, 0, 0, more))
    return Batch(positions, torch.nn.functional.pad(batch.valid, (0, 0, 0, more)), batch.lengths)


@torch.inference_mode()
def scores(model: DetectionModel, batch: Batch) -> torch.Tensor:
    return model(batch)[0]


@pytest.mark.parametrize("context", ["video", "window"])
@pytest.mark.parametrize("mode", ["default", "paper"])
def test_a_causal_detector_knows_no_future(context: str, mode: str) -> None:
    """Whatever comes, nothing for a long time included, what was said of earlier frames stays."""
    model = detector(context=context, mode=mode)
    for batch in (scene(60), scene(60, gap=(15, 40)), scene(60, persons=1, gap=(15, 60))):
        whole = scores(model, batch)
        for frames in (1, 4, 17, 30, 45):
            torch.testing.assert_close(scores(model, cut(batch, frames)), whole[:frames], atol=1e-5, rtol=0)
        assert whole.std(0).min() > 0.01  # frames differ


@pytest.mark.parametrize("causal", [True, False])
def test_padding_does_not_matter(causal: bool) -> None:
    """A recording that ends, and one in which nobody is seen any more, alone and in a longer batch."""
    model = detector(causal)
    for batch in (scene(20), scene(40, persons=1, gap=(15, 40))):
        found = scores(model, padded(batch, 70))[: int(batch.lengths)]
        torch.testing.assert_close(found, scores(model, batch), atol=1e-5, rtol=0)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("mode", ["default", "paper"])
@torch.inference_mode()
def test_stretches_give_what_the_whole_gives(causal: bool, mode: str) -> None:
    model = detector(causal, mode=mode)
    for frames in (1, 13, 47, 60):
        for batch in (scene(frames), scene(frames, persons=1, gap=(12, 40))):
            expected = model(batch)
            for size in (1, 7, 24, 100):
                torch.testing.assert_close(long_scores(model, batch, size), expected, atol=1e-5, rtol=0)
