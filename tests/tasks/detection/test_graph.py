"""A detector in dense form answers as the packed one, frame by frame."""

import numpy as np
import pytest
import torch

from detectors import SIDE_BY_SIDE, TUBELETS, detector, light, scene
from hitrs.tasks.detection.graph import AnsweredDetector, detection_graph
from hitrs.tasks.detection.predict import predict
from hitrs.tasks.graph import recording_arrays
from hitrs.tasks.inputs import as_recording
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import InMemoryDataset

RUNNING = PreprocessingConfig("fused", "frame", "running", "y", "running")
MODELS = {
    "offline": {"causal": False},
    "causal": {},
    "window": {"causal": False, "context": "window"},
    "paper": {"causal": False, "mode": "paper"},
    "causal paper": {"mode": "paper"},
    "tubelets": {"causal": False, "preprocessing": TUBELETS, "sizes": SIDE_BY_SIDE},
    "causal tubelets": {"preprocessing": TUBELETS, "sizes": SIDE_BY_SIDE},
    "running": {"preprocessing": RUNNING},
    "motion": {"causal": False, "preprocessing": PreprocessingConfig("motion", "first")},
}


@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize(
    ("frames", "persons", "gap"), [(1, 1, (0, 0)), (2, 2, (0, 0)), (37, 3, (10, 24)), (90, 2, (20, 40))]
)
def test_probabilities_are_those_of_the_model(changes: dict, frames: int, persons: int, gap: tuple) -> None:
    graph = detection_graph(detector(**changes))
    (positions,) = recording_arrays(scene(frames, persons, gap=gap))
    with torch.no_grad():
        found = graph.module(torch.from_numpy(positions)).numpy()
    np.testing.assert_allclose(found, graph.answer(positions), atol=1e-5)


def test_a_recording_in_which_nobody_is_seen_is_background() -> None:
    graph = detection_graph(light(causal=False))
    positions = torch.full((60, 2, 6, 3), torch.nan)
    with torch.no_grad():
        found = graph.module(positions).numpy()
    np.testing.assert_allclose(found, graph.answer(positions.numpy()), atol=1e-5)
    assert found[-1].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_answers_from_elsewhere_are_tested_like_those_of_the_model() -> None:
    model = light(causal=False)
    (positions,) = recording_arrays(scene(50))
    stand_in = AnsweredDetector(model, detection_graph(model).answer)
    recording = as_recording(positions, model.card.layout)
    rows = [
        predict(each, InMemoryDataset([recording], each.card.layout, each.card.preprocessing))[0]
        for each in (model, stand_in)
    ]
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-6)
