"""A recognizer in dense form answers as the packed one."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from factories import CLASSES, JOINTS, LAYOUT, tiny
from hitrs.models.card import ModelCard
from hitrs.models.familiarity import Familiarity
from hitrs.models.features import collect, recording_features
from hitrs.tasks.graph import recording_arrays
from hitrs.tasks.inputs import as_recording
from hitrs.tasks.recognition.confidence import Confidence
from hitrs.tasks.recognition.config import RecognitionHeadConfig
from hitrs.tasks.recognition.graph import AnsweredRecognizer, recognition_graph
from hitrs.tasks.recognition.model import RecognitionModel, convolution_card
from hitrs.tasks.recognition.predict import predict
from hitrs.transforms.batch import Batch
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import InMemoryDataset

LIGHT = PreprocessingConfig("fused", "first", "yaw", "y", "body", 24, 4)
SIDE_BY_SIDE = {"window": 3, "stride": 3, "dilation": 1, "padded": False}


def recognizer(
    features: str = "video",
    convolutions: bool = False,
    preprocessing: PreprocessingConfig | None = None,
    **sizes,
) -> RecognitionModel:
    torch.manual_seed(0)
    config = tiny(**sizes)
    head = RecognitionHeadConfig(features, convolutions)
    card = ModelCard(config, LAYOUT, preprocessing or PreprocessingConfig(), CLASSES, head=asdict(head))
    if features == "convolutions":
        card = convolution_card(card)
    model = RecognitionModel.untrained(card).eval()
    model.confidence = Confidence(temperature=0.4, threshold=0.3)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(2.0)
    return model


def scene(frames: int, persons: int, seed: int = 0) -> np.ndarray:
    """(T, P, J, C) with unseen joints; a second body stays for half of the time, a third never comes."""
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(frames, persons, JOINTS, 3)).cumsum(0).astype(np.float32) / 3
    positions[rng.random(positions.shape[:3]) < 0.2] = np.nan
    positions[frames // 2 :, 1:2] = np.nan
    positions[:, 2:3] = np.nan
    return positions


MODELS = {
    "video": {},
    "paper": {"mode": "paper"},
    "pooled": {"features": "pooled"},
    "chunks": {"max_clips": 3},
    "light": {"features": "pooled", "preprocessing": LIGHT, "convolutions": True, **SIDE_BY_SIDE},
    "convolutions": {"features": "convolutions", "preprocessing": LIGHT},
    "motion": {"preprocessing": PreprocessingConfig("motion", "frame")},
}


@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize(("frames", "persons"), [(1, 1), (2, 2), (30, 3), (60, 4)])
def test_probabilities_are_those_of_the_model(changes: dict, frames: int, persons: int) -> None:
    graph = recognition_graph(recognizer(**changes))
    positions = scene(frames, persons)
    with torch.no_grad():
        found = graph.module(torch.from_numpy(positions)).numpy()
    np.testing.assert_allclose(found, graph.answer(positions), atol=1e-5)


def test_what_is_unlike_all_that_trained_is_so_in_the_graph() -> None:
    model = recognizer(features="pooled", preprocessing=LIGHT, convolutions=True, **SIDE_BY_SIDE)
    scenes = [scene(30, 1, seed) for seed in range(20)]
    dataset = InMemoryDataset([as_recording(each, LAYOUT) for each in scenes], LAYOUT, LIGHT)
    features = torch.from_numpy(
        collect(
            lambda batch: recording_features(model.encoder, batch, model.card, model.features), model, dataset
        )
    )
    model.familiarity = Familiarity.of(features, 60)
    distances = model.familiarity(features)
    middle = float(distances.median()) + 1e-3
    model.confidence = Confidence(threshold=0.4, distance=middle, axes=model.familiarity.axes.shape[1])
    graph, far = recognition_graph(model), []
    for positions in scenes:
        with torch.no_grad():
            found = graph.module(torch.from_numpy(positions)).numpy()
        np.testing.assert_allclose(found, graph.answer(positions), atol=1e-5)
        np.testing.assert_allclose(graph.compared(found), graph.compared(graph.answer(positions)), atol=1e-4)
        far.append(bool(found.max() < 0.34))
        if far[-1]:  # differences show all the same
            assert np.abs(graph.compared(found)).max() > 0.3
    assert far == (distances > middle).tolist()
    assert 5 <= sum(far) <= 15


def test_nobody() -> None:
    graph = recognition_graph(recognizer())
    positions = np.full((20, 2, JOINTS, 3), np.nan, np.float32)
    with torch.no_grad():
        found = graph.module(torch.from_numpy(positions)).numpy()
    np.testing.assert_allclose(found, graph.answer(positions), atol=1e-6)


def test_answers_from_elsewhere_are_tested_like_those_of_the_model() -> None:
    model = recognizer(preprocessing=LIGHT, features="pooled", **SIDE_BY_SIDE)
    stand_in = AnsweredRecognizer(model, recognition_graph(model).answer)
    recordings = [as_recording(scene(frames, 2), LAYOUT) for frames in (5, 40, 12)]
    rows = [
        predict(each, InMemoryDataset(recordings, LAYOUT, each.card.preprocessing))
        for each in (model, stand_in)
    ]
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-6)
    assert stand_in.confidence == model.confidence


def test_recordings_of_a_batch_are_what_they_were() -> None:
    positions = torch.from_numpy(scene(10, 2))
    valid = ~positions.isnan().any(-1)
    both = Batch(
        torch.stack([positions, positions]).nan_to_num().transpose(1, 2),
        torch.stack([valid, valid]).transpose(1, 2),
        torch.tensor([10, 4]),
    )
    first, second = recording_arrays(both)
    np.testing.assert_array_equal(first, positions.numpy())
    np.testing.assert_array_equal(second, positions[:4].numpy())
