"""Recognition from features of a frozen encoder (k-NN and linear probe), and k-NN on positions."""

from __future__ import annotations

import itertools

import numpy as np
from torch import Tensor

from hitrs.data.protocol import ProtocolSplit
from hitrs.models.encoder import HiTRS
from hitrs.models.features import (
    BodyFeatures,
    all_levels,
    collect,
    knn_scores,
    linear_scores,
    recording_features,
    resampled_positions,
    video_feature,
)
from hitrs.skeleton.layout import Layout
from hitrs.tasks.base import Metrics, RunConfig
from hitrs.tasks.recognition.metrics import split_metrics
from hitrs.transforms.batch import Batch
from hitrs.transforms.config import AugmentConfig
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.transforms.random import KeyedGenerator


def encoder_features(
    encoder: HiTRS,
    dataset: SkeletonDataset,
    body_features: BodyFeatures = video_feature,
    augment: AugmentConfig | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Frozen features (N, ...) of every recording; by default the video feature, (N, 4D).

    Args:
        encoder: with its ``card``.
        body_features: which features of a body.
        augment: how the recordings are augmented first; None: not at all.
        seed: of the augmentation.

    >>> features = encoder_features(HiTRS.from_pretrained("runs/pretrained"), dataset)
    """

    def features(batch: Batch) -> Tensor:
        return recording_features(encoder, batch, encoder.card, body_features)

    if augment is None:
        return collect(features, encoder, dataset)
    numbers = itertools.count()

    def augmented(batch: Batch) -> Batch:
        generator = KeyedGenerator.from_seed(seed, [next(numbers) for _ in batch.lengths])
        return dataset.augmented(batch, augment, generator)

    return collect(features, encoder, dataset, change=augmented)


def probe(
    encoder: HiTRS, split: ProtocolSplit, config: RunConfig, train: np.ndarray | None = None
) -> dict[str, Metrics]:
    """k-NN and linear probe of the frozen encoder, on its video feature (the paper's) and on all levels.

    Args:
        encoder: with its ``card``, whose layout and preprocessing are used.
        config: its sections ``probe`` and ``augment`` are used.
        train: labeled recordings to learn from, as store indices; by default the whole training part.
    Returns:
        metrics for each of "knn", "linear", "knn, all levels", "linear, all levels".

    >>> probe(HiTRS.from_pretrained("runs/pretrained"), protocol_split(store), load_config("small"))
    """
    layout, settings = encoder.card.layout, encoder.card.preprocessing
    labeled = SkeletonDataset(split.store, split.train if train is None else train, layout, settings)
    query = SkeletonDataset(split.store, split.test, layout, settings)
    classes, views = split.store.classes, config.probe.train_views
    metrics: dict[str, Metrics] = {}
    for suffix, body_features in (("", video_feature), (", all levels", all_levels)):
        # the first view is the recording itself
        train_views = [
            encoder_features(encoder, labeled, body_features, config.augment if view else None, view)
            for view in range(views)
        ]
        test = encoder_features(encoder, query, body_features)
        knn = knn_scores(train_views[0], labeled.labels, test, len(classes), config.probe.k)
        labels = np.tile(labeled.labels, views)
        linear = linear_scores(np.concatenate(train_views), labels, test, len(classes), config.probe.C)
        metrics[f"knn{suffix}"] = split_metrics(knn, split, classes)
        metrics[f"linear{suffix}"] = split_metrics(linear, split, classes)
    return metrics


def nearest_positions(split: ProtocolSplit, train: np.ndarray, layout: Layout, config: RunConfig) -> Metrics:
    """Metrics of 1-NN on preprocessed positions at 16 frames: the reference that needs no training.

    Args:
        train: labeled recordings, as store indices.
        layout: joint layout in which recordings are compared.
        config: its section ``preprocessing`` is used.
    """
    labeled, query = (
        SkeletonDataset(split.store, indices, layout, config.preprocessing) for indices in (train, split.test)
    )
    positions = resampled_positions(labeled), labeled.labels, resampled_positions(query)
    classes = split.store.classes
    return split_metrics(knn_scores(*positions, len(classes), standardized=False), split, classes)
