"""Metrics against hand-computed cases."""

import numpy as np
import pytest

from hitrs.evaluate.metrics import mean_deviation, recognition_metrics


def test_top1_top5_per_class_and_confusion_by_hand():
    scores = np.eye(6)[[0, 1, 1, 3]] + 0.01 * np.arange(6)  # predicted 0, 1, 1, 3; after that 5, 4, 3, ...
    found = recognition_metrics(scores, np.array([0, 1, 0, 2]))
    assert found["top1"] == 50.0
    assert (
        found["top5"] == 75.0
    )  # class 0 stands sixth behind 1, 5, 4, 3, 2; class 2 stands fourth behind 3, 5, 4
    assert found["per_class"] == [50.0, 100.0, 0.0, None, None, None]
    assert found["confusion"][0] == [1, 1, 0, 0, 0, 0]
    assert found["recordings"] == 4


def test_ties_count_against_the_truth():
    # a 1-NN vote leaves all other classes at 0: they must not all count as second best
    scores = np.zeros((1, 7))
    scores[0, 3] = 1
    assert recognition_metrics(scores, np.array([0]))["top5"] == 0.0


def test_top5_says_nothing_about_five_classes():
    assert recognition_metrics(np.eye(5), np.arange(5))["top5"] is None


def test_deviation_is_that_of_a_sample():
    assert mean_deviation([1.0, 3.0]) == pytest.approx((2.0, np.sqrt(2)))
    assert mean_deviation([4.0]) == (4.0, None)
