"""Nearest neighbours and the linear probe on frozen features."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler


def knn_scores(
    train: np.ndarray,
    labels: np.ndarray,
    query: np.ndarray,
    classes: int,
    k: int = 1,
    standardized: bool = True,
) -> np.ndarray:
    """Class scores (Q, classes) of the k nearest training features by cosine distance.

    Learned features are ``standardized`` before. Positions should not be: they share one unit, and a joint
    that hardly moves would count as much as a hand.
    """
    neighbors = KNeighborsClassifier(min(k, len(train)), weights="distance")
    model = make_pipeline(*([StandardScaler()] if standardized else []), Normalizer(), neighbors)
    return _scores(model, train, labels, query, classes)


def linear_scores(
    train: np.ndarray, labels: np.ndarray, query: np.ndarray, classes: int, strength: float
) -> np.ndarray:
    """Class scores (Q, classes) of logistic regression on standardized features; ``strength``: its C."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
    return _scores(model, train, labels, query, classes)


def _scores(
    model: Pipeline, train: np.ndarray, labels: np.ndarray, query: np.ndarray, classes: int
) -> np.ndarray:
    if len(np.unique(labels)) == 1:  # nothing to learn: scikit-learn refuses a single class
        scores = np.zeros((len(query), classes))
        scores[:, labels[0]] = 1.0
        return scores
    model.fit(train, labels)
    scores = np.zeros((len(query), classes))
    scores[:, model.classes_] = model.predict_proba(query)
    return scores
