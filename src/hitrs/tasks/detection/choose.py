"""Segment settings from validation recordings, without a person in the loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np

from hitrs.errors import DataError
from hitrs.tasks.detection.metrics.average_precision import voc_class_precisions
from hitrs.tasks.detection.metrics.frames import segment_f1
from hitrs.tasks.detection.segments import Proposal, SegmentSettings, of_class, propose

Mode = Literal["runs", "threshold"]
Score = tuple[float, float]


@dataclass(frozen=True)
class Grid:
    """What is tried; of equally good settings the first stands, so the plainest values come first."""

    modes: tuple[Mode, ...] = ("runs", "threshold")
    smoothing: tuple[int, ...] = (1, 7, 15)
    merge: tuple[int, ...] = (0, 5)
    min_length: tuple[int, ...] = (1, 8)
    thresholds: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    levels: tuple[int, ...] = (1, 3)


def choose_settings(
    probabilities: Sequence[np.ndarray], truths: Sequence[Sequence[Proposal]], grid: Grid | None = None
) -> SegmentSettings:
    """The settings with the highest mAP at IoU 0.5 (VOC); of equal ones those with the highest F1@50.

    Classes do not touch each other's proposals, so that each class has its own best threshold under every
    choice of the rest. A class without truth takes the threshold that is best over the others. Both scores
    are means over the classes that have a truth, F1 of the proposals themselves.

    Args:
        probabilities: (T, K + 1) of each validation recording, background last.
        truths: its labeled segments.

    Raises:
        DataError: if the two do not belong together or no action is labeled in them.
    """
    grid = grid or Grid()
    if len(probabilities) != len(truths) or not any(truths):
        raise DataError(
            "segment settings are chosen on labeled recordings: got probabilities of "
            f"{len(probabilities)}, and {sum(map(len, truths))} segments in {len(truths)} of them"
        )
    n_classes = np.shape(probabilities[0])[1] - 1
    bases = (
        SegmentSettings(mode=mode, smoothing=smoothing, merge=merge, min_length=min_length, levels=levels)
        for mode, smoothing, merge, min_length, levels in product(
            grid.modes, grid.smoothing, grid.merge, grid.min_length, grid.levels
        )
        if mode == "threshold" or levels == 1
    )
    tried = (_with_thresholds(base, probabilities, truths, grid.thresholds, n_classes) for base in bases)
    return max(tried, key=lambda scored: _rounded(scored[0]))[1]


def _with_thresholds(
    base: SegmentSettings,
    probabilities: Sequence[np.ndarray],
    truths: Sequence[Sequence[Proposal]],
    thresholds: Sequence[float],
    n_classes: int,
) -> tuple[Score, SegmentSettings]:
    """The best threshold of each class under ``base``, and the score with them."""
    labels = sorted({segment.label for segments in truths for segment in segments})
    table = np.zeros((len(thresholds), len(labels), 2))  # mAP and F1 of each threshold and class
    for row, threshold in zip(table, thresholds, strict=True):
        settings = replace(base, threshold=(threshold,))
        proposals = [propose(values, settings) for values in probabilities]
        for column, label in enumerate(labels):
            row[column] = _class_score(of_class(truths, label), of_class(proposals, label))
    common = max(range(len(thresholds)), key=lambda i: _rounded(table[i].mean(0)))
    chosen = np.full(n_classes, thresholds[common])
    total = np.zeros(2)
    for column, label in enumerate(labels):
        own = max(range(len(thresholds)), key=lambda i: _rounded(table[i, column]))
        chosen[label] = thresholds[own]
        total += table[own, column]
    return tuple(total / len(labels)), replace(base, threshold=tuple(chosen.tolist()))


def _class_score(truth: Sequence[Sequence[Proposal]], proposals: Sequence[Sequence[Proposal]]) -> Score:
    return voc_class_precisions(truth, proposals, (0.5,))[0], segment_f1(truth, proposals, 0.5)


def _rounded(score: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    """Sums in another order must not decide between equal scores."""
    return tuple(round(float(value), 9) for value in score)
