"""Recognizers made in seconds: a ridge classifier on a frozen encoder, or on random convolutions."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from hitrs.models.card import ModelCard
from hitrs.models.config import ModelConfig
from hitrs.models.encoder import HiTRS
from hitrs.models.familiarity import Familiarity
from hitrs.models.features import (
    BodyFeatures,
    collect,
    pooled_features,
    recording_features,
    video_feature,
)
from hitrs.models.ridge import Ridge, fit_ridge
from hitrs.skeleton.layout import Layout
from hitrs.tasks.base import RunConfig, drawn
from hitrs.tasks.recognition.calibration import HeldOut
from hitrs.tasks.recognition.confidence import MOST_AXES
from hitrs.tasks.recognition.config import RecognitionHeadConfig
from hitrs.tasks.recognition.model import RecognitionModel, convolution_card
from hitrs.transforms.batch import Batch, stream_bodies
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig, ViewsConfig
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.transforms.random import KeyedGenerator

CONVOLUTION_COPIES = 3
"""Turned and scaled copies of each training recording that they learn from, beside itself."""
RIDGE_ROWS = 8192
"""A ridge classifier costs the cube of the rows that it learns from: about half a minute for these."""
FAMILIAR = 1024
"""Recordings by which features are told that are unlike all that trained: a second."""
TURNED_AND_SCALED = AugmentConfig("views", ViewsConfig(noise=0.0, drop=0.0))


def ridge_recognizer(encoder: HiTRS, labeled: SkeletonDataset, config: RunConfig) -> RecognitionModel:
    """A recognizer made in seconds: a ridge classifier on the pooled features of a frozen encoder.

    Args:
        encoder: with its ``card``; it is part of the result.
        labeled: recordings to learn from.
        config: its sections ``probe`` (augmented copies) and ``augment`` are used.
    Raises:
        DataError: if all recordings have the same label.

    >>> ridge_recognizer(encoder, dataset, load_config("light")).save_pretrained("recognizer")
    """
    labeled.check_classes()
    views = train_views(encoder, labeled, config, pooled_features)
    classes = tuple(labeled.store.classes)
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
    return _with_ridge(RecognitionModel(encoder, card), views, labeled)


def convolution_recognizer(
    labeled: SkeletonDataset, seed: int = 0, rows: int = RIDGE_ROWS
) -> RecognitionModel:
    """A recognizer made in a minute or two: a ridge classifier on random convolutions, without an encoder.

    Args:
        labeled: recordings to learn from; of their preprocessing all but the stream is used.
        seed: of the kernels.
        rows: most recordings and copies of them that the ridge classifier learns from.

    >>> convolution_recognizer(dataset).save_pretrained("recognizer")
    """
    layout, classes = labeled.layout, tuple(labeled.store.classes)
    trained = {
        "task": "recognition",
        "data": labeled.store.fingerprint,
        "recordings": len(labeled),
        "from": "random convolutions, ridge classifier",
        "seed": seed,
    }
    card = convolution_card(
        ModelCard(ModelConfig(), layout, labeled.settings, classes, space=labeled.space, trained=trained)
    )
    settings = card.preprocessing
    labeled = SkeletonDataset(labeled.store, labeled.indices, layout, settings)
    model = RecognitionModel(None, card, seed)
    some = np.linspace(0, len(labeled) - 1, min(len(labeled), 128)).astype(np.int64)
    model.convolutions.fit(body_sequences(labeled.batch(some), settings, layout)[0])

    def features(batch: Batch) -> Tensor:
        return recording_features(None, batch, model.card, model.features)

    copies = min(CONVOLUTION_COPIES, max(0, rows // len(labeled) - 1))
    views = [
        collect(features, model, labeled, change=turned_and_scaled(labeled, view) if view else None)
        for view in range(copies + 1)
    ]
    return _with_ridge(model, views, labeled, rows)


def _with_ridge(
    model: RecognitionModel,
    train_views: Sequence[np.ndarray],
    labeled: SkeletonDataset,
    rows: int = RIDGE_ROWS,
) -> RecognitionModel:
    """The model with a ridge classifier as its linear layer, such that softmax gives its probabilities.

    What it answers for people who did not train chooses how probable a class must be, and how far features
    may be from those that trained; where people are not known, recordings that did not train.

    Args:
        train_views: features (N, F) of the training recordings, once for each of their copies.
        rows: most that it learns from; where there are more, copies are left out first, then recordings at
            random.
    """
    chosen = drawn(np.arange(len(labeled)), rows)
    views = max(1, min(len(train_views), rows // len(labeled)))
    labels = labeled.labels[chosen]
    people = np.asarray(labeled.store.subjects)[labeled.indices][chosen]
    ridge = fit_ridge(
        torch.from_numpy(np.concatenate([view[chosen] for view in train_views[:views]])),
        np.tile(labels, views),
        len(labeled.store.classes),
        np.tile(chosen, views),
        people=np.tile(people, views) if people.min() >= 0 and len(np.unique(people)) > 1 else None,
    )
    with torch.no_grad():
        model.classifier.weight.copy_(ridge.sharpness * ridge.weight.T)
        model.classifier.bias.copy_(ridge.sharpness * (ridge.bias - ridge.mean @ ridge.weight))
    features = torch.from_numpy(train_views[0][chosen])
    familiarity, model.held_out = _familiarity(features, labels, ridge)
    model.familiarity = familiarity and familiarity.to(model.classifier.weight.device)
    model.confidence = model.held_out.confidence()
    return model.eval()


def _familiarity(features: Tensor, labels: np.ndarray, ridge: Ridge) -> tuple[Familiarity | None, HeldOut]:
    """What tells features that are unlike those that trained, and what is known of these when held out.

    Args:
        features: (N, F) of the recordings; the rows of ``ridge`` are these, then copies of them.
    """
    fold, probabilities = ridge.fold[: len(labels)], ridge.held_out[: len(labels)].numpy()
    told, distances = np.zeros(len(labels), bool), np.zeros(len(labels))
    for number in np.unique(fold):
        test = fold == number
        if test.all():
            continue
        # a class that one fold alone has cannot be told there
        told |= test & np.isin(labels, labels[~test])
        known = drawn(np.flatnonzero(~test), FAMILIAR)
        distances[test] = np.nan_to_num(Familiarity.of(features[known], MOST_AXES)(features[test]).numpy())
    if not told.any():
        told[:] = True
    familiarity = Familiarity.of(features[drawn(np.arange(len(labels)), FAMILIAR)], MOST_AXES)
    axes = familiarity.axes.shape[1] if probabilities.shape[1] > 1 else 0
    held_out = HeldOut(probabilities[told], distances[told], axes)
    return (familiarity if axes else None), held_out


def body_sequences(batch: Batch, settings: PreprocessingConfig, layout: Layout) -> tuple[Tensor, Tensor]:
    """The bodies of a batch as sequences with coordinates as channels, (S, J C, F); their recordings (S,)."""
    bodies = stream_bodies(batch, settings, layout)
    return bodies.positions.flatten(2).transpose(1, 2), bodies.recording


def turned_and_scaled(dataset: SkeletonDataset, view: int) -> Callable[[Batch], Batch]:
    """A change of batches for ``collect``: each recording turned and scaled at random; ``view``: the seed."""
    return _augmented(dataset, TURNED_AND_SCALED, view, in_time=False)


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


def train_views(
    encoder: HiTRS, labeled: SkeletonDataset, config: RunConfig, body_features: BodyFeatures
) -> list[np.ndarray]:
    """Features of the training recordings: as they are, then of augmented copies."""
    return [
        encoder_features(encoder, labeled, body_features, config.augment if view else None, view)
        for view in range(config.probe.train_views)
    ]
