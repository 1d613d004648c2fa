"""Recognition from a frozen encoder, and what needs none: k-NN on positions, random convolutions."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from hitrs.data.protocol import ProtocolSplit
from hitrs.models.card import ModelCard
from hitrs.models.config import ModelConfig
from hitrs.models.convolutions import RandomConvolutions
from hitrs.models.encoder import HiTRS
from hitrs.models.features import (
    BodyFeatures,
    all_levels,
    collect,
    knn_scores,
    linear_scores,
    pooled_features,
    recording_features,
    resampled_positions,
    video_feature,
)
from hitrs.models.ridge import Ridge, fit_ridge
from hitrs.skeleton.layout import Layout
from hitrs.tasks.base import Metrics, RunConfig
from hitrs.tasks.recognition.config import RecognitionHeadConfig
from hitrs.tasks.recognition.metrics import split_metrics
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.predict import predict
from hitrs.transforms.batch import Batch, stream_bodies
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig, ViewsConfig
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.transforms.random import KeyedGenerator

CONVOLUTION_FRAMES = 48
"""Random convolutions see recordings resampled to this many frames."""
CONVOLUTION_COPIES = 3
"""Turned and scaled copies of each training recording that they learn from, beside itself."""
RIDGE_ROWS = 8192
"""A ridge classifier costs the cube of the rows that it learns from: about half a minute for these."""
TURNED_AND_SCALED = AugmentConfig("views", ViewsConfig(noise=0.0, drop=0.0))


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
    return collect(features, encoder, dataset, change=_augmented(dataset, augment, seed))


def _augmented(
    dataset: SkeletonDataset, config: AugmentConfig, seed: int, in_time: bool = True
) -> Callable[[Batch], Batch]:
    """A change of batches for ``collect``: recordings are augmented, by their number in order of calls."""
    numbers = itertools.count()

    def change(batch: Batch) -> Batch:
        generator = KeyedGenerator.from_seed(seed, [next(numbers) for _ in batch.lengths])
        return dataset.augmented(batch, config, generator, in_time)

    return change


def probe(
    encoder: HiTRS,
    split: ProtocolSplit,
    config: RunConfig,
    train: np.ndarray | None = None,
    ridge: RecognitionModel | None = None,
) -> dict[str, Metrics]:
    """k-NN, linear and ridge probes of the frozen encoder.

    k-NN and linear probe read its video feature (the paper's) and all levels, ridge the pooled features.

    Args:
        encoder: with its ``card``, whose layout and preprocessing are used.
        config: its sections ``probe`` and ``augment`` are used.
        train: labeled recordings to learn from, as store indices; by default the whole training part.
        ridge: from :func:`ridge_recognizer` of the same recordings, if it is there already.
    Returns:
        metrics for each of "knn", "linear", "knn, all levels", "linear, all levels", "ridge".

    >>> probe(HiTRS.from_pretrained("runs/pretrained"), protocol_split(store), load_config("small"))
    """
    layout, settings = encoder.card.layout, encoder.card.preprocessing
    labeled = SkeletonDataset(split.store, split.train if train is None else train, layout, settings)
    query = SkeletonDataset(split.store, split.test, layout, settings)
    classes, views = split.store.classes, config.probe.train_views
    metrics: dict[str, Metrics] = {}
    for suffix, body_features in (("", video_feature), (", all levels", all_levels)):
        train_views = _train_views(encoder, labeled, config, body_features)
        test = encoder_features(encoder, query, body_features)
        knn = knn_scores(train_views[0], labeled.labels, test, len(classes), config.probe.k)
        labels = np.tile(labeled.labels, views)
        linear = linear_scores(np.concatenate(train_views), labels, test, len(classes), config.probe.C)
        metrics[f"knn{suffix}"] = split_metrics(knn, split, classes)
        metrics[f"linear{suffix}"] = split_metrics(linear, split, classes)
    ridge = ridge or ridge_recognizer(encoder, labeled, config)
    metrics["ridge"] = split_metrics(predict(ridge, query), split, classes)
    return metrics


def _train_views(
    encoder: HiTRS, labeled: SkeletonDataset, config: RunConfig, body_features: BodyFeatures
) -> list[np.ndarray]:
    """Features of the training recordings: as they are, then of augmented copies."""
    return [
        encoder_features(encoder, labeled, body_features, config.augment if view else None, view)
        for view in range(config.probe.train_views)
    ]


def ridge_recognizer(encoder: HiTRS, labeled: SkeletonDataset, config: RunConfig) -> RecognitionModel:
    """A recognizer made in seconds: a ridge classifier on the pooled features of a frozen encoder.

    Args:
        encoder: with its ``card``; it is part of the result.
        labeled: recordings to learn from.
        config: its sections ``probe`` (augmented copies) and ``augment`` are used.

    >>> ridge_recognizer(encoder, dataset, load_config("light")).save_pretrained("recognizer")
    """
    views = _train_views(encoder, labeled, config, pooled_features)
    classes = tuple(labeled.store.classes)
    ridge = _fit_ridge(views, labeled.labels, len(classes))
    trained = {
        "task": "recognition",
        "data": labeled.store.fingerprint,
        "recordings": len(labeled),
        "from": "frozen encoder, ridge classifier",
    }
    head = dataclasses.asdict(RecognitionHeadConfig(features="pooled", norm=False))
    card = dataclasses.replace(
        encoder.card,
        classes=classes,
        task="recognition",
        head=head,
        space=labeled.space,
        trained=trained,
    )
    return _with_ridge(RecognitionModel(encoder, card), ridge)


def _fit_ridge(train_views: Sequence[np.ndarray], labels: np.ndarray, classes: int) -> Ridge:
    """A ridge classifier that learns from ``RIDGE_ROWS`` rows at most.

    Where there are more, copies are left out first, then recordings at random.

    Args:
        train_views: features (N, F) of the training recordings, once for each of their copies.
        labels: (N,) int64.
    """
    views = max(1, min(len(train_views), RIDGE_ROWS // len(labels)))
    chosen = np.arange(len(labels))
    if len(labels) > RIDGE_ROWS:
        chosen = np.sort(np.random.default_rng(0).permutation(len(labels))[:RIDGE_ROWS])
    features = np.concatenate([view[chosen] for view in train_views[:views]])
    groups = np.tile(chosen, views)
    return fit_ridge(torch.from_numpy(features), np.tile(labels[chosen], views), classes, groups)


def random_convolutions(
    split: ProtocolSplit, train: np.ndarray, layout: Layout, config: RunConfig, seed: int = 0
) -> Metrics:
    """Metrics of random convolutions with a ridge classifier: two minutes that a trained encoder has to beat.

    Args:
        train: labeled recordings, as store indices.
        layout: joint layout in which recordings are compared.
        config: of its section ``preprocessing`` all but the stream is used.
        seed: of the kernels.
    """
    labeled = SkeletonDataset(split.store, train, layout, config.preprocessing)
    model = convolution_recognizer(labeled, seed)
    query = SkeletonDataset(split.store, split.test, layout, model.card.preprocessing)
    return split_metrics(predict(model, query), split, split.store.classes)


def convolution_recognizer(labeled: SkeletonDataset, seed: int = 0) -> RecognitionModel:
    """A recognizer made in a minute or two: a ridge classifier on random convolutions, without an encoder.

    Args:
        labeled: recordings to learn from; of their preprocessing all but the stream is used.
        seed: of the kernels.

    >>> convolution_recognizer(dataset).save_pretrained("recognizer")
    """
    settings, layout = convolution_settings(labeled.settings), labeled.layout
    labeled = SkeletonDataset(labeled.store, labeled.indices, layout, settings)
    classes = tuple(labeled.store.classes)
    trained = {
        "task": "recognition",
        "data": labeled.store.fingerprint,
        "recordings": len(labeled),
        "from": "random convolutions, ridge classifier",
        "seed": seed,
    }
    head = dataclasses.asdict(RecognitionHeadConfig(features="convolutions"))
    card = ModelCard(
        ModelConfig(), layout, settings, classes, head=head, space=labeled.space, trained=trained
    )
    model = RecognitionModel(None, card)
    bank = RandomConvolutions(layout.n_joints * layout.dims, CONVOLUTION_FRAMES, seed=seed)
    some = np.linspace(0, len(labeled) - 1, min(len(labeled), 128)).astype(np.int64)
    model.convolutions = bank.fit(body_sequences(labeled.batch(some), settings, layout)[0])

    def features(batch: Batch) -> Tensor:
        return recording_features(None, batch, model.card, model.features)

    copies = min(CONVOLUTION_COPIES, RIDGE_ROWS // len(labeled))
    views = [
        collect(features, model, labeled, change=turned_and_scaled(labeled, view) if view else None)
        for view in range(copies + 1)
    ]
    return _with_ridge(model, _fit_ridge(views, labeled.labels, len(classes)))


def _with_ridge(model: RecognitionModel, ridge: Ridge) -> RecognitionModel:
    """The model with the ridge classifier as its linear layer, such that softmax gives its probabilities."""
    with torch.no_grad():
        model.classifier.weight.copy_(ridge.sharpness * ridge.weight.T)
        model.classifier.bias.copy_(ridge.sharpness * (ridge.bias - ridge.mean @ ridge.weight))
    return model.eval()


def convolution_settings(settings: PreprocessingConfig) -> PreprocessingConfig:
    """Preprocessing for random convolutions: joints, resampled; the rest as it is."""
    return dataclasses.replace(settings, stream="joint", frames=CONVOLUTION_FRAMES, tubelet=1)


def body_sequences(batch: Batch, settings: PreprocessingConfig, layout: Layout) -> tuple[Tensor, Tensor]:
    """The bodies of a batch as sequences with coordinates as channels, (S, J C, F); their recordings (S,)."""
    bodies = stream_bodies(batch, settings, layout)
    return bodies.positions.flatten(2).transpose(1, 2), bodies.recording


def turned_and_scaled(dataset: SkeletonDataset, view: int) -> Callable[[Batch], Batch]:
    """A change of batches for ``collect``: each recording turned and scaled at random; ``view``: the seed."""
    return _augmented(dataset, TURNED_AND_SCALED, view, in_time=False)


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
