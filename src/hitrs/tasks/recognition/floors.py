"""What a recognizer has to beat: nearest neighbor on positions, and random convolutions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from hitrs.data.protocol import ProtocolSplit
from hitrs.errors import counted
from hitrs.models.card import ModelCard
from hitrs.models.features import knn_scores, resampled_positions
from hitrs.skeleton.layout import Layout
from hitrs.tasks.base import Metrics, drawn
from hitrs.tasks.recognition.metrics import split_metrics
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.predict import predict
from hitrs.tasks.recognition.ridge import convolution_recognizer
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

POSITIONS, CONVOLUTIONS = KEYS = "knn on positions", "random convolutions"
TITLES = {POSITIONS: "1-NN on positions"}
"""What people are shown in place of a key."""
RECORDINGS = 4096
"""Most training recordings that they learn from, with turned copies: a minute of one core."""


def recognition_floors(
    split: ProtocolSplit,
    card: ModelCard,
    seen_as: Layout | None = None,
    convolutions: RecognitionModel | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Metrics]:
    """Metrics of both on the test part, by their keys.

    Args:
        card: of the model beside which they stand, for its layout and preprocessing, and its classes, of
            which alone recordings are taken.
        seen_as: the test recordings as this layout would have recorded them.
        convolutions: from :func:`convolution_recognizer`, if they are there already.
        tell: called with what is done, and where not all of the training part is used.
    """
    layout, settings, classes = card.layout, card.preprocessing, split.store.classes
    known = np.isin(np.asarray(split.store.labels), np.flatnonzero(np.isin(classes, card.classes)))
    if card.classes and known[split.test].any():  # a model may have left some out
        split = dataclasses.replace(
            split, train=split.train[known[split.train]], test=split.test[known[split.test]]
        )
    whole = len(split.train)
    split = dataclasses.replace(split, train=drawn(split.train, RECORDINGS))
    learned = counted(len(split.train), "training recording")
    tell(f"beside it 1-NN on positions and random convolutions, which learn from {learned}")
    if len(split.train) < whole:
        tell(f"note: they learn from {len(split.train)} of {whole} training recordings, drawn at random")
    if convolutions is None:
        labeled = SkeletonDataset(split.store, split.train, layout, settings)
        convolutions = convolution_recognizer(labeled, rows=RECORDINGS)
    own = convolutions.card
    query = SkeletonDataset(split.store, split.test, own.layout, own.preprocessing, seen_as)
    return {
        POSITIONS: nearest_positions(split, layout, settings, seen_as),
        CONVOLUTIONS: split_metrics(predict(convolutions, query), split, classes),
    }


def nearest_positions(
    split: ProtocolSplit, layout: Layout, settings: PreprocessingConfig, seen_as: Layout | None = None
) -> Metrics:
    """Metrics of 1-NN on preprocessed positions at 16 frames: the reference that needs no training.

    Args:
        layout: joint layout in which recordings are compared.
        settings: how they are preprocessed.
        seen_as: the test recordings as this layout would have recorded them.
    """
    labeled = SkeletonDataset(split.store, split.train, layout, settings)
    query = SkeletonDataset(split.store, split.test, layout, settings, seen_as)
    persons = int(max(labeled.persons.max(), query.persons.max()))
    train, test = (resampled_positions(each, persons=persons) for each in (labeled, query))
    classes = split.store.classes
    scores = knn_scores(train, labeled.labels, test, len(classes), standardized=False)
    return split_metrics(scores, split, classes)
