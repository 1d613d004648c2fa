"""The parts of a protocol, and what is reported on its test part."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.evaluate.metrics import recognition_metrics
from hitrs.models.hitrs import HiTRS
from hitrs.skeleton.layout import Layout
from hitrs.tasks.features import collect, resampled_positions
from hitrs.tasks.levels import Describe, all_levels, video_feature
from hitrs.tasks.probe import knn_scores, linear_scores
from hitrs.tasks.recognition import RecognitionModel, recording_features
from hitrs.train.config import Config
from hitrs.transforms.batch import Batch
from hitrs.transforms.draws import Draws
from hitrs.transforms.preprocess import yaw_matrix
from hitrs.transforms.source import Source

TURN = np.pi / 6
"""Test views are spread evenly from -30 to 30 degrees about the up axis."""


@dataclass(frozen=True)
class Split:
    """Training and test recordings of a protocol, as store indices."""

    store: Store
    protocol: str
    train: np.ndarray
    test: np.ndarray
    twins: np.ndarray
    """Test recordings whose exact content also stands in the training part."""

    def report(self, scores: np.ndarray) -> dict[str, Any]:
        """Metrics on all test recordings and, where some have twins in training, on the clean rest."""
        labels = np.asarray(self.store.labels)[self.test]
        found = {"all": recognition_metrics(scores, labels)}
        if len(self.twins):
            clean = ~np.isin(self.test, self.twins)
            found["clean"] = recognition_metrics(scores[clean], labels[clean])
        return found


def split_of(store: Store, protocol: str | None = None, usable: np.ndarray | None = None) -> Split:
    """The labeled recordings of a protocol; the store's first one by default.

    Args:
        usable: (N,) bool, which recordings count as labeled; by default those with a class.
    Raises:
        DataError: if the store has no protocol, or one without labeled recordings in both parts.
    """
    if protocol is None:
        if not store.protocols:
            raise DataError(
                f"{store.path} has no protocol, so nothing tells training from test; import it with a split"
            )
        protocol = store.protocols[0]
    labeled = np.asarray(store.labels) >= 0 if usable is None else usable
    parts = {part: store.split(protocol, part) for part in ("train", "test")}
    parts = {part: indices[labeled[indices]] for part, indices in parts.items()}
    for part, indices in parts.items():
        if not len(indices):
            raise DataError(
                f"protocol {protocol} of {store.path} has no labeled recording in its {part} part"
            )
    return Split(store, protocol, parts["train"], parts["test"], store.twins(protocol))


def recognizer_scores(model: RecognitionModel, source: Source, views: int = 1) -> np.ndarray:
    """Class probabilities (N, classes), averaged over ``views`` turned copies of each recording (if 3-D)."""
    angles = np.linspace(-TURN, TURN, views) if views > 1 and source.layout.dims == 3 else [0.0]

    def probabilities(batch: Batch) -> torch.Tensor:
        return torch.softmax(model(batch).float(), dim=1)

    return np.mean([collect(probabilities, model, source, change=_turned(a, source)) for a in angles], axis=0)


def encoder_features(
    encoder: HiTRS,
    source: Source,
    describe: Describe = video_feature,
    config: Config | None = None,
    copy: int = 0,
) -> np.ndarray:
    """Frozen features (N, ...); ``copy`` above 0 gives those of an augmented copy of every recording."""

    def features(batch: Batch) -> torch.Tensor:
        return recording_features(encoder, batch, encoder.card, describe)

    if copy == 0 or config is None:
        return collect(features, encoder, source)
    numbers = itertools.count()

    def changed(batch: Batch) -> Batch:
        draws = Draws.of(copy, [next(numbers) for _ in batch.lengths])
        return source.augmented(batch, config.augment, draws)

    return collect(features, encoder, source, change=changed)


def probe(
    encoder: HiTRS, split: Split, config: Config, train: np.ndarray | None = None
) -> dict[str, dict[str, Any]]:
    """k-NN and linear probe of the frozen encoder, on its video feature (the paper's) and on all levels.

    Args:
        train: labeled recordings to read from; by default the whole training part.
    Returns:
        a report for each of "knn", "linear", "knn, all levels", "linear, all levels".
    """
    layout, settings = encoder.card.layout, encoder.card.preprocessing
    known = Source(split.store, split.train if train is None else train, layout, settings)
    query = Source(split.store, split.test, layout, settings)
    classes, views = len(split.store.classes), config.probe.train_views
    found: dict[str, dict[str, Any]] = {}
    for suffix, describe in (("", video_feature), (", all levels", all_levels)):
        copies = [encoder_features(encoder, known, describe, config, n) for n in range(views)]
        asked = encoder_features(encoder, query, describe)
        nearest = knn_scores(copies[0], known.labels, asked, classes, config.probe.neighbors)
        labels = np.tile(known.labels, views)
        linear = linear_scores(np.concatenate(copies), labels, asked, classes, config.probe.strength)
        found |= {f"knn{suffix}": split.report(nearest), f"linear{suffix}": split.report(linear)}
    return found


def nearest_positions(split: Split, train: np.ndarray, layout: Layout, config: Config) -> dict[str, Any]:
    """Report of 1-NN on preprocessed positions at 16 frames: what needs no training at all."""
    known, query = (Source(split.store, i, layout, config.preprocessing) for i in (train, split.test))
    positions = resampled_positions(known), known.labels, resampled_positions(query)
    return split.report(knn_scores(*positions, len(split.store.classes), standardized=False))


def _turned(angle: float, source: Source):
    if angle == 0:
        return None
    matrix = yaw_matrix(torch.tensor([angle], dtype=torch.float32), source.settings.up_axis)[0]
    return lambda b: Batch(b.positions @ matrix.T, b.valid, b.lengths)
