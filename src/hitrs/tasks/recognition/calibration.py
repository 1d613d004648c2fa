"""Temperature and threshold, both chosen on held-out recordings, and how far probabilities are off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from hitrs.tasks.recognition.confidence import ABOVE_FLAT, TEMPERATURES, Confidence
from hitrs.tasks.recognition.config import RecognitionEvalConfig

REFUSED = RecognitionEvalConfig.refused
"""Share of the held-out recordings, all of known classes, that the threshold costs unless told otherwise."""
BINS = 15
"""Of the calibration error."""
_MOST = 0.999
"""Highest threshold."""


@dataclass(frozen=True)
class HeldOut:
    """What a classifier says of the recordings that it learned from, each by a fit that did not."""

    probabilities: np.ndarray
    """(N, classes)."""
    distances: np.ndarray
    """(N,) of their features to those of the fit."""
    axes: int
    """Of the distances; 0: there are none."""

    def beside(self, other: HeldOut) -> HeldOut:
        """For both classifiers together; only this one's features are looked at."""
        if len(self.probabilities) != len(other.probabilities):  # one of them learned from fewer
            return self
        return replace(self, probabilities=(self.probabilities + other.probabilities) / 2)

    def confidence(self) -> Confidence:
        """What all but a share of them keep to."""
        if not self.axes:
            return Confidence(threshold=choose_threshold(self.probabilities))
        threshold, distance = choose_limits(self.probabilities, self.distances)
        return Confidence(threshold=threshold, distance=distance, axes=self.axes)


def choose_confidence(scores: np.ndarray, labels: np.ndarray, refused: float = REFUSED) -> Confidence:
    """The temperature that makes held-out recordings most likely, and the threshold that refuses some.

    Args:
        scores: (N, classes) before softmax, of recordings that did not train.
        labels: (N,) int.
        refused: share of the recordings that the threshold may cost.

    >>> choose_confidence(model_scores, labels)
    Confidence(temperature=1.8, threshold=0.31)
    """

    def loss(exponent: float) -> float:
        chances = log_softmax(scores / np.exp(exponent), axis=1)
        return -float(chances[np.arange(len(labels)), labels].mean())

    bounds = tuple(np.log(TEMPERATURES))
    temperature = float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
    return Confidence(temperature, choose_threshold(softmax(scores / temperature, axis=1), refused))


def choose_threshold(probabilities: np.ndarray, refused: float = REFUSED) -> float:
    """The probability that all but a share of held-out recordings of known classes reach.

    Args:
        probabilities: (N, classes).
        refused: the share.
    """
    return min(float(np.quantile(probabilities.max(1), refused, method="lower")), _MOST)


def choose_limits(
    probabilities: np.ndarray, distances: np.ndarray, refused: float = REFUSED
) -> tuple[float, float]:
    """The probability that a class needs, and the distance that features may have: together they cost a share
    of held-out recordings of known classes, each about as many.

    Args:
        probabilities: (N, classes); distances: (N,).
        refused: the share.
    """
    most, classes = probabilities.max(1), probabilities.shape[1]
    chances, far = np.sort(most), np.sort(distances)[::-1]
    each = 0
    for more in range(1, int(refused * len(most)) + 1):
        if ((most < chances[more]) | (distances > far[more])).mean() <= refused:
            each = more
    return min(max(float(chances[each]), ABOVE_FLAT / classes), _MOST), float(far[each])


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """How far the probability of the most probable class is from the share that is right, in percent.

    The expected calibration error: over ``BINS`` equal ranges of the probability, weighted by the recordings
    in each.

    Args:
        probabilities: (N, classes); labels: (N,) int.

    >>> calibration_error(np.array([[0.7, 0.3]] * 10), np.array([0] * 7 + [1] * 3))
    0.0
    """
    most, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((most * BINS).astype(np.int64), BINS - 1)
    gaps = [abs(float((right[own] - most[own]).sum())) for own in (bins == b for b in range(BINS))]
    return 100 * sum(gaps) / len(labels)
