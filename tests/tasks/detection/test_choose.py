"""Segment settings from validation recordings."""

from __future__ import annotations

import numpy as np
import pytest

from hitrs.errors import DataError
from hitrs.tasks.detection.choose import Grid, choose_settings
from hitrs.tasks.detection.metrics.average_precision import THETAS, voc_precisions
from hitrs.tasks.detection.segments import Proposal, SegmentSettings, propose

SMALL = Grid(smoothing=(1, 5), merge=(0, 3), min_length=(1, 4), thresholds=(0.0, 0.2, 0.5), levels=(1,))


def recordings(n_classes: int = 2, count: int = 3, noise: float = 0.35, seed: int = 0):
    """Truths, and the probabilities of a detector that flickers."""
    rng = np.random.default_rng(seed)
    truths, probabilities = [], []
    for _ in range(count):
        truth = [Proposal(10 + 30 * place, 28 + 30 * place, place % n_classes) for place in range(4)]
        values = rng.uniform(0, noise, (140, n_classes + 1))
        values[:, -1] += 0.4
        for each in truth:
            values[each.start : each.stop, each.label] += rng.uniform(0.2, 1.0, each.stop - each.start)
        truths.append(truth)
        probabilities.append(values / values.sum(1, keepdims=True))
    return probabilities, truths


def voc(probabilities, truths, settings):
    proposals = [propose(values, settings) for values in probabilities]
    return np.mean([row[THETAS.index(0.5)] for row in voc_precisions(truths, proposals, THETAS).values()])


def test_no_plain_setting_of_the_grid_is_better():
    probabilities, truths = recordings()
    chosen = choose_settings(probabilities, truths, SMALL)
    best = voc(probabilities, truths, chosen)
    assert best > voc(probabilities, truths, SegmentSettings())
    for mode in SMALL.modes:
        for smoothing in SMALL.smoothing:
            for threshold in SMALL.thresholds:
                plain = SegmentSettings(mode=mode, smoothing=smoothing, threshold=(threshold,))
                assert voc(probabilities, truths, plain) <= best + 1e-9
    assert chosen == choose_settings(probabilities, truths, SMALL)


def test_each_class_has_its_own_threshold():
    """Class 0 is never surer than 0.4, and class 1 says 0.45 everywhere that it is not."""
    truth = [Proposal(5, 15, 0), Proposal(25, 35, 1)]
    values = np.zeros((40, 3))
    values[5:15, 0], values[:, 1], values[25:35, 1] = 0.4, 0.45, 0.9
    grid = Grid(
        modes=("threshold",), smoothing=(1,), merge=(0,), min_length=(1,), thresholds=(0.3, 0.6), levels=(1,)
    )
    settings = choose_settings([values], [truth], grid)
    assert settings.threshold == (0.3, 0.6)
    assert voc([values], [truth], settings) == 1


def test_of_equal_maps_the_better_f1_decides_and_then_the_plainer_setting():
    """A short false alarm of low score does not cost average precision, but F1."""
    truth = [Proposal(10, 30, 0)]
    values = np.tile([0.05, 0.95], (50, 1))
    values[10:30] = [0.9, 0.1]
    values[40:42] = [0.6, 0.4]
    grid = Grid(
        modes=("runs",), smoothing=(1,), merge=(0,), min_length=(1, 5), thresholds=(0.0,), levels=(1,)
    )
    assert choose_settings([values], [truth], grid) == SegmentSettings(min_length=5)
    values[40:42] = [0.05, 0.95]
    assert choose_settings([values], [truth], grid) == SegmentSettings()


def test_a_class_without_truth_takes_the_common_threshold():
    probabilities, truths = recordings(n_classes=3)
    truths = [[each for each in truth if each.label != 2] for truth in truths]
    settings = choose_settings(probabilities, truths, SMALL)
    assert len(settings.threshold) == 3
    assert settings.threshold[2] in SMALL.thresholds


@pytest.mark.parametrize("truths", [[[], []], [[Proposal(0, 2, 0)]]])
def test_without_labels_there_is_nothing_to_choose(truths):
    with pytest.raises(DataError, match="chosen on labeled recordings"):
        choose_settings([np.ones((5, 2))] * 2, truths)
