"""Metrics of a labeling of all frames, as in temporal action segmentation, and delays of online detection.

- Accuracy: share of all frames, background included, whose label is right.
- IoU: per class intersection over union of the sets of frames, mean over the classes that have a true frame;
  background is no class here.
- Edit score and F1 look at segments, runs of frames of one label. Background makes no segment. The edit score
  is 1 minus the Levenshtein distance between the two orders of segment labels over the length of the longer
  one, mean over recordings. In F1 a predicted segment, taken in order of time, is right if the true segment
  of its class that it overlaps most does so by at least theta and was not hit before; hits and misses are
  summed over recordings and classes. (Lea et al. 2017; Farha and Gall 2019. F1@50: theta 0.5.)
- Latency: how many frames after its start an action is named.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitrs.errors import ConfigError, DataError
from hitrs.tasks.detection.segments import Proposal, iou, one_hot, runs


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
    true, predicted = (one_hot(np.concatenate(labels), n_classes) for labels in (truth, prediction))
    occurs = true.any(0)
    if not occurs.any():
        return float("nan")
    return float(((true & predicted).sum(0)[occurs] / (true | predicted).sum(0)[occurs]).mean())


def edit_score(truth: Sequence[Sequence[Proposal]], prediction: Sequence[Sequence[Proposal]]) -> float:
    """Mean over recordings; 1 for a recording without any segment in both."""
    scores = []
    for true, predicted in zip(truth, prediction, strict=True):
        first, second = [p.label for p in true], [p.label for p in predicted]
        longest = max(len(first), len(second))
        scores.append(1 - levenshtein(first, second) / longest if longest else 1.0)
    return float(np.mean(scores))


def levenshtein(first: Sequence[int], second: Sequence[int]) -> int:
    """Least number of insertions, deletions and replacements that make one of the other."""
    columns = np.arange(len(second) + 1)
    row, others = columns, np.asarray(second)
    for count, label in enumerate(first, start=1):
        above = np.minimum(row[1:] + 1, row[:-1] + (others != label))
        # From left to right a step costs 1: the minimum of all columns to the left, plus the distance.
        row = np.minimum.accumulate(np.r_[count, above] - columns) + columns
    return int(row[-1])


def segment_f1(
    truth: Sequence[Sequence[Proposal]], prediction: Sequence[Sequence[Proposal]], theta: float
) -> float:
    """F1 of segments at an overlap (0 < theta <= 1); 1 if there is none in both."""
    hits = sum(_hits(true, predicted, theta) for true, predicted in zip(truth, prediction, strict=True))
    total = sum(map(len, truth)) + sum(map(len, prediction))
    return 2 * hits / total if total else 1.0


def _hits(true: Sequence[Proposal], predicted: Sequence[Proposal], theta: float) -> int:
    if not true or not predicted:
        return 0
    predicted = sorted(predicted, key=lambda p: (p.start, p.stop, p.label))
    overlaps = iou([(p.start, p.stop) for p in predicted], [(p.start, p.stop) for p in true])
    overlaps[np.array([p.label for p in predicted])[:, None] != np.array([p.label for p in true])] = 0.0
    best = overlaps.argmax(1)
    # A second one for the same truth adds nothing, hence is wrong.
    return len(np.unique(best[overlaps[np.arange(len(best)), best] >= theta]))


def naming_delays(truth: Sequence[Proposal], labels: np.ndarray, confirm: int = 1) -> list[int | None]:
    """Frames from the start of each action until it was named; None if it never was while it went on.

    An action is named in the first frame that ends ``confirm`` frames in a row with its label, all of them in
    the action: 0 is its first frame, and ``confirm - 1`` the least that is possible.

    Args:
        truth: actions of one recording.
        labels: (T,) the class that was predicted in each frame, from this and earlier frames alone.

    Raises:
        ConfigError: if ``confirm`` is below 1.
        DataError: if an action runs over the end of ``labels``.
    """
    if confirm < 1:
        raise ConfigError(f"an action is named in at least 1 frame in a row, got {confirm}")
    delays: list[int | None] = []
    for action in truth:
        if action.stop > len(labels):
            raise DataError(f"{action} runs over the {len(labels)} frames that were labeled")
        right = np.r_[0, np.cumsum(np.asarray(labels[action.start : action.stop]) == action.label)]
        full = np.flatnonzero(right[confirm:] - right[:-confirm] == confirm)
        delays.append(int(full[0]) + confirm - 1 if len(full) else None)
    return delays


def latency(
    truth: Sequence[Sequence[Proposal]], labels: Sequence[np.ndarray], confirm: int = 1
) -> dict[str, float | None]:
    """Over all actions: the share that is named at all, and mean and median delay of those, in frames.

    Returns:
        ``latency/named`` (a fraction), ``latency/median_frames``, ``latency/mean_frames``; None where
        there is no action, or none was named.
    """
    delays = [
        delay
        for actions, predicted in zip(truth, labels, strict=True)
        for delay in naming_delays(actions, predicted, confirm)
    ]
    named = [delay for delay in delays if delay is not None]
    return {
        "latency/named": len(named) / len(delays) if delays else None,
        "latency/median_frames": float(np.median(named)) if named else None,
        "latency/mean_frames": float(np.mean(named)) if named else None,
    }
