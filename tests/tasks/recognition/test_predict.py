"""Class probabilities of recordings."""

import dataclasses

import numpy as np
import pytest

from factories import LAYOUT, small_store, tiny
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.predict import predict
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset


def test_averaged_views_are_the_mean_over_turned_recordings(tmp_path):
    store = small_store(tmp_path / "s", 4)
    card = ModelCard(tiny(), LAYOUT, PreprocessingConfig(), store.classes)
    model = RecognitionModel(HiTRS(tiny(), LAYOUT.n_joints), card).eval()
    dataset = SkeletonDataset(store, np.arange(4), LAYOUT, PreprocessingConfig())
    one, three = (predict(model, dataset, views) for views in (1, 3))
    assert one.sum(1) == pytest.approx(np.ones(4), abs=1e-5)
    assert three.sum(1) == pytest.approx(np.ones(4), abs=1e-5)
    assert np.abs(one - three).max() > 0
    flat = dataclasses.replace(card, preprocessing=PreprocessingConfig(align="yaw"))
    aligned = SkeletonDataset(store, np.arange(4), LAYOUT, flat.preprocessing)
    assert predict(model, aligned, 1).shape == (4, 3)
