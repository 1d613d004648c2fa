"""Recordings in chunks, and recordings in which nobody is seen for long: the same as in one piece."""

from pathlib import Path

import numpy as np
import pytest
import torch

from detectors import detector, light, scene
from factories import CLASSES, LAYOUT
from hitrs import Detector, OnlineDetector
from hitrs.data.protocol import ProtocolSplit
from hitrs.data.recording import Recording, Segment
from hitrs.data.store import Store, write_store
from hitrs.tasks.detection import task as task_module
from hitrs.tasks.detection.choose import choose_settings
from hitrs.tasks.detection.job import DetectionJob
from hitrs.tasks.detection.metrics.score import score_detection
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.predict import chunked_scores
from hitrs.tasks.detection.task import TASK
from hitrs.transforms.batch import Batch
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

MAKE = {"frames": detector, "tubelets": light}


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
        shown = scores(model, padded(batch, 70))[: int(batch.lengths)]
        torch.testing.assert_close(shown, scores(model, batch), atol=1e-5, rtol=0)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("mode", ["default", "paper"])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("tokens", MAKE)
@torch.inference_mode()
def test_chunks_give_what_the_whole_gives(causal: bool, mode: str, padded: bool, tokens: str) -> None:
    model = MAKE[tokens](causal=causal, mode=mode, sizes={"window": 3, "padded": padded}, stride=2)
    for frames in (1, 13, 47, 60):
        for batch in (scene(frames), scene(frames, persons=1, gap=(12, 40))):
            expected = model(batch)
            for size in (1, 7, 24, 100):
                torch.testing.assert_close(chunked_scores(model, batch, size), expected, atol=1e-5, rtol=0)


FRAMES, ABSENT = 80, slice(25, 55)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two recordings of 80 frames; in 30 of them nobody is there, in 10 of these an action is labeled."""

    def recordings():
        for seed in range(2):
            batch = scene(FRAMES, seed=seed, gap=(ABSENT.start, ABSENT.stop))
            positions, valid = (x[0].transpose(0, 1).numpy() for x in (batch.positions, batch.valid))
            segments = (Segment(5, 35, "wave"), Segment(60, 75, "nod"))
            yield Recording(positions, valid, LAYOUT, name=f"gap-{seed}", fps=30.0, segments=segments)

    return write_store(
        tmp_path / "store", recordings(), layout=LAYOUT, classes=CLASSES, protocols={}, meta={}
    )


def test_evaluation_thresholds_validation_and_deployment_see_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames in which nobody is there for a clip's stride are background wherever one looks."""
    model = detector(preprocessing=PreprocessingConfig(center="first"), fps=30.0)
    dataset = SkeletonDataset(store, [0, 1], LAYOUT, model.card.preprocessing)
    expected = [Detector(model)(store[i]).probabilities for i in range(2)]
    first = ABSENT.start + model.settings.stride - 1
    for rows in expected:
        assert (rows[:, -1] == 1).nonzero()[0].tolist() == list(range(first, ABSENT.stop))

    online = OnlineDetector(model)
    for i, rows in enumerate(expected):
        recording = store[i]
        frames = zip(recording.positions, recording.valid, strict=True)
        stepwise = np.stack([online.update(*frame).probabilities for frame in frames])
        np.testing.assert_allclose(stepwise, rows, atol=1e-5)
        online.finish()

    used = {}

    def choose(probabilities, truths):
        used["thresholds"] = probabilities
        return choose_settings(probabilities, truths)

    def score(actions, proposals, true_labels, labels, classes):
        used["evaluation"] = labels
        return score_detection(actions, proposals, true_labels, labels, classes)

    monkeypatch.setattr(task_module, "choose_settings", choose)
    monkeypatch.setattr(task_module, "score_detection", score)
    nothing = np.arange(0)
    metrics = TASK.evaluate([model], ProtocolSplit(store, "all", nothing, np.arange(2), nothing))["all"]
    for rows, labels in zip(expected, used["evaluation"], strict=True):
        np.testing.assert_array_equal(labels, rows.argmax(1))
    truth = np.full(FRAMES, len(CLASSES))
    truth[5:35], truth[60:75] = 0, 1
    right = np.mean([rows.argmax(1) == truth for rows in expected])
    assert metrics["frame/accuracy"] == pytest.approx(100 * right, abs=0.01)
    assert metrics["latency/named"] is not None

    job = DetectionJob.__new__(DetectionJob)
    job.validation, job.model = dataset, model
    assert job.evaluate(torch.nn.ModuleDict({"model": model}))["validation/accuracy"] == pytest.approx(right)
    TASK.after_training(job, dataset)
    for rows, chosen_on in zip(expected, used["thresholds"], strict=True):
        np.testing.assert_array_equal(chosen_on, rows)
