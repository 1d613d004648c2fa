"""The scores of PKU-MMD, by the rules of its evaluation script.

- Overlap is intersection over union of [start, end] as numbers, frames counted from 1 and ``end`` the last
  frame: frames [s, e) here are the interval from s + 1 to e, of length e - s - 1.
- A proposal goes to the truth of its class and recording that it overlaps most (of equal ones the earliest),
  if that overlap is at least theta. A truth is found if any proposal goes to it; several may.
- Precision is found / proposals, recall found / truths. Proposals are dropped from the least confident up,
  the best precision so far is kept, and AP is the sum of that precision times the loss of recall. Precision
  is looked at after every drop; one that loses recall never raises it, so this is all-point interpolation.

The script itself looks at the precision only when a proposal that went to a truth is dropped, which gives a
little less where few proposals are scored. Classes (mAP over actions) and recordings (mAP over videos)
without any truth are left out of the mean; the script counts them as 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitrs.tasks.detection.overlap import interpolated_ap, iou
from hitrs.tasks.detection.segments import Proposal

THETAS_2D = tuple(round(0.05 * step, 2) for step in range(1, 21))


@dataclass(frozen=True)
class Matches:
    """All proposals by falling confidence, each with the truth that it overlaps most.

    ``label``, ``video``, ``target`` (index of a truth, -1 = none) and ``overlap`` are (N,) of proposals,
    ``true_label`` and ``true_video`` (M,) of truths.
    """

    label: np.ndarray
    video: np.ndarray
    target: np.ndarray
    overlap: np.ndarray
    true_label: np.ndarray
    true_video: np.ndarray

    @staticmethod
    def of(truth: Sequence[Sequence[Proposal]], proposals: Sequence[Sequence[Proposal]]) -> Matches:
        """Match proposals to truths, one list each per recording."""
        rows: list[tuple[tuple[float, ...], int, int, int, float]] = []
        true_label: list[int] = []
        true_video: list[int] = []
        for video, (unsorted, found) in enumerate(zip(truth, proposals, strict=True)):
            true = sorted(unsorted, key=lambda p: (p.start, p.stop))
            overlaps = iou([(p.start + 1, p.stop) for p in found], [(p.start + 1, p.stop) for p in true])
            other = np.array([p.label for p in found])[:, None] != np.array([p.label for p in true])
            overlaps[other] = 0.0
            for each, row in zip(found, overlaps, strict=True):
                best = int(row.argmax()) if row.any() else -1
                order = (-each.score, video, each.start, each.stop, each.label)
                target = len(true_label) + best if best >= 0 else -1
                rows.append((order, each.label, video, target, float(row[best]) if best >= 0 else 0.0))
            true_label += [p.label for p in true]
            true_video += [video] * len(true)
        rows.sort(key=lambda row: row[0])
        return Matches(
            label=np.array([row[1] for row in rows], dtype=np.int64),
            video=np.array([row[2] for row in rows], dtype=np.int64),
            target=np.array([row[3] for row in rows], dtype=np.int64),
            overlap=np.array([row[4] for row in rows], dtype=np.float64),
            true_label=np.array(true_label, dtype=np.int64),
            true_video=np.array(true_video, dtype=np.int64),
        )

    def found(self, theta: float, chosen: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(n,) bool: whether a chosen proposal is the first to go to its truth."""
        target = np.where(self.overlap >= theta, self.target, -1)[chosen]
        first = np.zeros(len(target), dtype=bool)
        first[np.unique(target, return_index=True)[1]] = True
        return first & (target >= 0)


def average_precision(matches: Matches, theta: float) -> float:
    """AP over all classes and recordings at once."""
    return interpolated_ap(matches.found(theta), len(matches.true_label))


def map_action(matches: Matches, theta: float) -> float:
    """Mean over classes of the AP over all recordings."""
    return _mean_ap(matches, theta, matches.label, matches.true_label)


def map_video(matches: Matches, theta: float) -> float:
    """Mean over recordings of the AP over all classes."""
    return _mean_ap(matches, theta, matches.video, matches.true_video)


def f1(matches: Matches, theta: float) -> float:
    """Harmonic mean of precision and recall of all proposals; 0 where nothing is found."""
    found = int(matches.found(theta).sum())
    return 2 * found / (len(matches.label) + len(matches.true_label)) if found else 0.0


def two_dimensional_ap(matches: Matches) -> float:
    """2D-AP: mean of the AP over theta 0.05, 0.10, ..., 1.00."""
    return float(np.mean([average_precision(matches, theta) for theta in THETAS_2D]))


def _mean_ap(matches: Matches, theta: float, groups: np.ndarray, true_groups: np.ndarray) -> float:
    names, counts = np.unique(true_groups, return_counts=True)
    precisions = [
        interpolated_ap(matches.found(theta, groups == name), int(count))
        for name, count in zip(names, counts, strict=True)
    ]
    return float(np.mean(precisions))
