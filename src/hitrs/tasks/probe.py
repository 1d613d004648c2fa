"""Recognition from a frozen encoder."""

from __future__ import annotations

import numpy as np

from hitrs.data.protocol import ProtocolSplit
from hitrs.models.encoder import HiTRS
from hitrs.models.features import all_levels, knn_scores, linear_scores, video_feature
from hitrs.tasks.base import Metrics, RunConfig
from hitrs.tasks.recognition.metrics import split_metrics
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.ridge import encoder_features, ridge_recognizer, train_views
from hitrs.tasks.recognition.task import TASK
from hitrs.transforms.dataset import SkeletonDataset


def probe(
    encoder: HiTRS,
    split: ProtocolSplit,
    config: RunConfig,
    train: np.ndarray | None = None,
    ridge: RecognitionModel | None = None,
    convolutions: RecognitionModel | None = None,
) -> dict[str, Metrics]:
    """k-NN, linear and ridge probes of the frozen encoder.

    k-NN and linear probe read its video feature (the paper's) and all levels, ridge the pooled features.

    Args:
        encoder: with its ``card``, whose layout and preprocessing are used.
        config: its sections ``probe`` and ``augment`` are used.
        train: labeled recordings to learn from, as store indices; by default the whole training part.
        ridge: from :func:`ridge_recognizer` of the same recordings, if it is there already.
        convolutions: from :func:`convolution_recognizer` of the same recordings, to be read together with the
            encoder: the probabilities are averaged.
    Returns:
        metrics for each of "knn", "linear", "knn, all levels", "linear, all levels", "ridge", and with
        convolutions "ridge with convolutions".

    >>> probe(HiTRS.from_pretrained("runs/pretrained"), protocol_split(store), load_config("light"))
    """
    layout, settings = encoder.card.layout, encoder.card.preprocessing
    labeled = SkeletonDataset(split.store, split.train if train is None else train, layout, settings)
    query = SkeletonDataset(split.store, split.test, layout, settings)
    classes, views = split.store.classes, config.probe.train_views
    metrics: dict[str, Metrics] = {}
    for suffix, body_features in (("", video_feature), (", all levels", all_levels)):
        copies = train_views(encoder, labeled, config, body_features)
        test = encoder_features(encoder, query, body_features)
        knn = knn_scores(copies[0], labeled.labels, test, len(classes), config.probe.k)
        labels = np.tile(labeled.labels, views)
        linear = linear_scores(np.concatenate(copies), labels, test, len(classes), config.probe.C)
        metrics[f"knn{suffix}"] = split_metrics(knn, split, classes)
        metrics[f"linear{suffix}"] = split_metrics(linear, split, classes)
    ridge = ridge or ridge_recognizer(encoder, labeled, config)
    metrics["ridge"] = TASK.evaluate([ridge], split)
    if convolutions is not None:
        ridge.add_convolutions(convolutions)
        metrics["ridge with convolutions"] = TASK.evaluate([ridge], split)
        ridge.add_convolutions(None)
    return metrics
