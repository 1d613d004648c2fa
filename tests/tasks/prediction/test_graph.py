"""A predictor in dense form continues motion as the packed one."""

import numpy as np
import pytest
import torch

from factories import JOINTS, LAYOUT
from hitrs.tasks.prediction.graph import AnsweredPredictor, prediction_graph
from hitrs.tasks.prediction.predict import predict
from hitrs.transforms.config import PreprocessingConfig
from predictors import HEAD, predictor

MODELS = {
    "plain": {},
    "no encoder": {"context": 0},
    "preprocessed": {"preprocessing": PreprocessingConfig("joint", "first", "yaw", "y", "body")},
    "running": {"preprocessing": PreprocessingConfig("joint", "frame", "running", "y", "running")},
    "motion": {"preprocessing": PreprocessingConfig("motion", "frame")},
}


def observed(persons: int, seed: int = 0) -> np.ndarray:
    """(T, P, J, C): joints that flicker and one never seen; a second body comes late, a third never."""
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(HEAD.observed, persons, JOINTS, 3)).cumsum(0).astype(np.float32) / 5
    positions[rng.random(positions.shape[:3]) < 0.3] = np.nan
    positions[:, :, -1] = np.nan
    positions[:8, 1:2] = np.nan
    positions[:, 2:3] = np.nan
    return positions


@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("persons", [1, 2, 4])
def test_the_future_is_that_of_the_model(changes: dict, persons: int) -> None:
    graph = prediction_graph(predictor(**changes))
    positions = observed(persons)
    with torch.no_grad():
        found = graph.module(torch.from_numpy(positions)).numpy()
    expected = graph.answer(positions)
    assert np.isnan(expected[:, :, -1]).all()
    assert not np.isnan(expected[:, 0, 0]).any()
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_answers_from_elsewhere_are_tested_like_those_of_the_model() -> None:
    model = predictor(preprocessing=PreprocessingConfig("joint", "first", "none", "y", "body"))
    stand_in = AnsweredPredictor(model, prediction_graph(model).answer)
    positions = np.nan_to_num(observed(2))
    window = positions, ~np.isnan(observed(2)).any(-1)
    (ours, valid), (theirs, same) = (predict(each, [window], LAYOUT)[0] for each in (model, stand_in))
    np.testing.assert_allclose(theirs, ours, atol=1e-6)
    np.testing.assert_array_equal(same, valid)
