"""Scores of a labeling of all frames, as in temporal action segmentation.

- Accuracy: share of all frames, background included, whose label is right.
- IoU: per class intersection over union of the sets of frames, mean over the classes that have a true frame;
  background is no class here.
- Edit score and F1 look at segments, runs of frames of one label. Background makes no segment. The edit score
  is 1 minus the Levenshtein distance between the two orders of segment labels over the length of the longer
  one, mean over recordings. In F1 a predicted segment, taken in order of time, is right if the true segment
  of its class that it overlaps most does so by at least theta and was not hit before; hits and misses are
  summed over recordings and classes. (Lea et al. 2017; Farha and Gall 2019. F1@50: theta 0.5.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitrs.tasks.detection.overlap import iou
from hitrs.tasks.detection.segments import Proposal, one_hot, runs


def labeled_segments(labels: np.ndarray, n_classes: int) -> list[Proposal]:
    """Runs of a labeling (T,) with background = ``n_classes``, by start."""
    start, stop, label = runs(one_hot(np.asarray(labels), n_classes))
    order = np.argsort(start, kind="stable")
    return [Proposal(int(start[i]), int(stop[i]), int(label[i])) for i in order]


def accuracy(truth: Sequence[np.ndarray], prediction: Sequence[np.ndarray]) -> float:
    """Share of right frames over all recordings; truth and prediction: (T,) int each."""
    return float((np.concatenate(truth) == np.concatenate(prediction)).mean())


def frame_iou(truth: Sequence[np.ndarray], prediction: Sequence[np.ndarray], n_classes: int) -> float:
    """Mean over the classes that occur; NaN if there is only background."""
    true, found = (one_hot(np.concatenate(labels), n_classes) for labels in (truth, prediction))
    occurs = true.any(0)
    if not occurs.any():
        return float("nan")
    return float(((true & found).sum(0)[occurs] / (true | found).sum(0)[occurs]).mean())


def edit_score(truth: Sequence[Sequence[Proposal]], found: Sequence[Sequence[Proposal]]) -> float:
    """Mean over recordings; 1 for a recording without any segment in both."""
    scores = []
    for true, predicted in zip(truth, found, strict=True):
        first, second = [p.label for p in true], [p.label for p in predicted]
        longest = max(len(first), len(second))
        scores.append(1 - levenshtein(first, second) / longest if longest else 1.0)
    return float(np.mean(scores))


def levenshtein(first: Sequence[int], second: Sequence[int]) -> int:
    """Least number of insertions, deletions and replacements that make one of the other."""
    places = np.arange(len(second) + 1)
    row, others = places, np.asarray(second)
    for count, label in enumerate(first, start=1):
        above = np.minimum(row[1:] + 1, row[:-1] + (others != label))
        # From left to right a step costs 1: the minimum of all places to the left, plus the distance.
        row = np.minimum.accumulate(np.r_[count, above] - places) + places
    return int(row[-1])


def segment_f1(
    truth: Sequence[Sequence[Proposal]], found: Sequence[Sequence[Proposal]], theta: float
) -> float:
    """F1 of segments at an overlap (0 < theta <= 1); 1 if there is none in both."""
    right = sum(_right(true, predicted, theta) for true, predicted in zip(truth, found, strict=True))
    total = sum(map(len, truth)) + sum(map(len, found))
    return 2 * right / total if total else 1.0


def _right(true: Sequence[Proposal], found: Sequence[Proposal], theta: float) -> int:
    if not true or not found:
        return 0
    found = sorted(found, key=lambda p: (p.start, p.stop, p.label))
    overlaps = iou([(p.start, p.stop) for p in found], [(p.start, p.stop) for p in true])
    overlaps[np.array([p.label for p in found])[:, None] != np.array([p.label for p in true])] = 0.0
    best = overlaps.argmax(1)
    # A second one for the same truth adds nothing, hence is wrong.
    return len(np.unique(best[overlaps[np.arange(len(best)), best] >= theta]))
