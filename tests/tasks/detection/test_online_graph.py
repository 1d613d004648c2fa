"""A causal detector as a graph of one frame: its answers are those of the model frame by frame."""

import numpy as np
import pytest
import torch

from detectors import SIDE_BY_SIDE, TUBELETS, detector, scene
from hitrs.errors import ConfigError
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.online_graph import online_detection_graph
from hitrs.tasks.graph import recording_arrays
from hitrs.transforms.config import PreprocessingConfig

RUNNING = PreprocessingConfig("fused", "frame", "running", "y", "running", tubelet=2)
FIRST = PreprocessingConfig("motion", "first", "running", "z")


@torch.no_grad()
def stepped(model: DetectionModel, positions: np.ndarray) -> np.ndarray:
    """What the graph answers for the frames of a recording (T, P, J, C), each behind the one before."""
    graph = online_detection_graph(model)
    memory = [torch.from_numpy(port.zeros(persons=positions.shape[1])) for port in graph.state]
    answers = []
    for frame in positions:
        answer, *memory = graph.module(torch.from_numpy(frame), *memory)
        answers.append(answer.numpy())
        for port, value in zip(graph.state, memory, strict=True):
            expected = port.zeros(persons=positions.shape[1])
            assert (value.numpy().shape, value.numpy().dtype) == (expected.shape, expected.dtype), port.name
    return np.stack(answers)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mode": "paper"},
        {"mode": "paper", "preprocessing": TUBELETS, "persons": 1},
        {"context": "window"},
        {"preprocessing": TUBELETS, "sizes": SIDE_BY_SIDE},
        {"preprocessing": RUNNING},
        {"preprocessing": FIRST, "history": 1},
        {"preprocessing": PreprocessingConfig("bone", "frame", "none", "y", "running"), "stride": 1},
    ],
)
def test_its_answers_are_those_frame_by_frame(settings: dict) -> None:
    model = detector(**settings)
    for seed, (frames, persons, gap) in enumerate([(70, 2, (20, 40)), (40, 1, (0, 9)), (3, 3, (0, 0))]):
        (positions,) = recording_arrays(scene(frames, persons, seed, gap))
        expected = online_detection_graph(model).answer(positions)
        np.testing.assert_allclose(stepped(model, positions), expected, atol=2e-5)


def test_what_needs_frames_to_come_has_no_such_graph() -> None:
    with pytest.raises(ConfigError, match="looks at frames to come"):
        online_detection_graph(detector(causal=False))
    with pytest.raises(ConfigError, match="needs the whole recording"):
        online_detection_graph(detector(preprocessing=PreprocessingConfig(align="yaw")))
