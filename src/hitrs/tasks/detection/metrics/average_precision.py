"""Average precision of segments, with overlap in time in place of boxes: the PASCAL-VOC and the PKU-MMD way.

PASCAL-VOC: per class, proposals of all recordings come by falling confidence. Each takes, of the truths of
its recording that are still free, the one that it overlaps most, if intersection over union (in frames) is
at least theta; it is then right, otherwise wrong. A truth is taken only by the first, so a second proposal
for the same action is wrong. AP is the area under the all-point interpolated precision over recall, mAP its
mean over classes. Classes without any truth in the part that is scored are left out of the mean, and so are
their proposals.

PKU-MMD, by the rules of its evaluation script:

- Overlap is intersection over union of [start, end] as numbers, frames counted from 1 and ``end`` the last
  frame: frames [s, e) here are the interval from s + 1 to e, of length e - s - 1.
- A proposal goes to the truth of its class and recording that it overlaps most (of equal ones the earliest),
  if that overlap is at least theta. A truth is detected if any proposal goes to it; several may.
- Precision is detected truths / proposals, recall detected truths / truths. Proposals are dropped from the
  least confident up, the best precision so far is kept, and AP is the sum of that precision times the loss
  of recall. Precision is looked at after every drop; one that loses recall never raises it, so this is
  all-point interpolation.

The script itself looks at the precision only when a proposal that went to a truth is dropped, which gives a
little less where few proposals are scored. Classes (mAP over actions) and recordings (mAP over videos)
without any truth are left out of the mean; the script counts them as 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitrs.tasks.detection.segments import Proposal, iou, of_class

THETAS = tuple(round(0.05 * step, 2) for step in range(2, 20))
"""Least overlaps that are reported: 0.1, 0.15, ..., 0.95."""
THETAS_2D = tuple(round(0.05 * step, 2) for step in range(1, 21))
"""Least overlaps over which PKU-MMD's 2D-AP is a mean."""


def interpolated_ap(hits: np.ndarray, total: int) -> float:
    """Average precision by all-point interpolation.

    At each recall the precision is the best one at that recall or a higher one (PASCAL VOC since 2010).

    Args:
        hits: (N,) bool, by falling confidence: whether the proposal is the first for its truth.
        total: number of truths, at least 1.
    """
    hits = np.asarray(hits, dtype=np.float64)
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((best * hits).sum() / total)


# PASCAL-VOC


def voc_precisions(
    truth: Sequence[Sequence[Proposal]], proposals: Sequence[Sequence[Proposal]], thetas: Sequence[float]
) -> dict[int, list[float]]:
    """Class -> its AP at each theta, for the classes that have a truth.

    Args:
        truth, proposals: one list per recording. Of equal scores the earlier recording, then start, is first.
    """
    return {
        label: voc_class_precisions(of_class(truth, label), of_class(proposals, label), thetas)
        for label in sorted({segment.label for segments in truth for segment in segments})
    }


def voc_class_precisions(
    truth: Sequence[Sequence[Proposal]], proposals: Sequence[Sequence[Proposal]], thetas: Sequence[float]
) -> list[float]:
    """AP at each theta where all truths (at least one) and proposals are of one class."""
    total = sum(map(len, truth))
    offsets = np.cumsum([0, *map(len, truth)]).tolist()
    ranked = []
    for index, (true, proposed) in enumerate(zip(truth, proposals, strict=True)):
        if not proposed:
            continue
        overlaps = iou([(p.start, p.stop) for p in proposed], [(p.start, p.stop) for p in true])
        for proposal, row in zip(proposed, overlaps, strict=True):
            choices = np.argsort(-row, kind="stable")
            ranked.append(
                (
                    (-proposal.score, index, proposal.start, proposal.stop),
                    [(offsets[index] + int(i), float(row[i])) for i in choices],
                )
            )
    ranked.sort(key=lambda entry: entry[0])
    return [interpolated_ap(_voc_hits([choices for _, choices in ranked], theta), total) for theta in thetas]


def _voc_hits(ranked: Sequence[Sequence[tuple[int, float]]], theta: float) -> np.ndarray:
    """For each proposal whether a truth is left for it; its choices are (truth, overlap), the best first."""
    taken: set[int] = set()
    hits = np.zeros(len(ranked), dtype=bool)
    for rank, choices in enumerate(ranked):
        free = next((truth for truth, overlap in choices if overlap >= theta and truth not in taken), None)
        if free is not None:
            taken.add(free)
            hits[rank] = True
    return hits


# PKU-MMD


@dataclass(frozen=True)
class PkuMatches:
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
    def of(truth: Sequence[Sequence[Proposal]], proposals: Sequence[Sequence[Proposal]]) -> PkuMatches:
        """Match proposals to truths, one list each per recording."""
        rows: list[tuple[tuple[float, ...], int, int, int, float]] = []
        true_label: list[int] = []
        true_video: list[int] = []
        for video, (unsorted, proposed) in enumerate(zip(truth, proposals, strict=True)):
            true = sorted(unsorted, key=lambda p: (p.start, p.stop))
            overlaps = iou([(p.start + 1, p.stop) for p in proposed], [(p.start + 1, p.stop) for p in true])
            other = np.array([p.label for p in proposed])[:, None] != np.array([p.label for p in true])
            overlaps[other] = 0.0
            for proposal, row in zip(proposed, overlaps, strict=True):
                best = int(row.argmax()) if row.any() else -1
                order = (-proposal.score, video, proposal.start, proposal.stop, proposal.label)
                target = len(true_label) + best if best >= 0 else -1
                rows.append((order, proposal.label, video, target, float(row[best]) if best >= 0 else 0.0))
            true_label += [p.label for p in true]
            true_video += [video] * len(true)
        rows.sort(key=lambda row: row[0])
        return PkuMatches(
            label=np.array([row[1] for row in rows], dtype=np.int64),
            video=np.array([row[2] for row in rows], dtype=np.int64),
            target=np.array([row[3] for row in rows], dtype=np.int64),
            overlap=np.array([row[4] for row in rows], dtype=np.float64),
            true_label=np.array(true_label, dtype=np.int64),
            true_video=np.array(true_video, dtype=np.int64),
        )

    def hits(self, theta: float, chosen: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(n,) bool: whether a chosen proposal is the first to go to its truth."""
        target = np.where(self.overlap >= theta, self.target, -1)[chosen]
        first = np.zeros(len(target), dtype=bool)
        first[np.unique(target, return_index=True)[1]] = True
        return first & (target >= 0)


def pku_ap(matches: PkuMatches, theta: float) -> float:
    """AP over all classes and recordings at once."""
    return interpolated_ap(matches.hits(theta), len(matches.true_label))


def pku_map_action(matches: PkuMatches, theta: float) -> float:
    """Mean over classes of the AP over all recordings."""
    return _mean_ap(matches, theta, matches.label, matches.true_label)


def pku_map_video(matches: PkuMatches, theta: float) -> float:
    """Mean over recordings of the AP over all classes."""
    return _mean_ap(matches, theta, matches.video, matches.true_video)


def pku_f1(matches: PkuMatches, theta: float) -> float:
    """Harmonic mean of precision and recall of all proposals; 0 where no truth is detected."""
    hits = int(matches.hits(theta).sum())
    return 2 * hits / (len(matches.label) + len(matches.true_label)) if hits else 0.0


def pku_2d_ap(matches: PkuMatches) -> float:
    """2D-AP: mean of the AP over theta 0.05, 0.10, ..., 1.00."""
    return float(np.mean([pku_ap(matches, theta) for theta in THETAS_2D]))


def _mean_ap(matches: PkuMatches, theta: float, groups: np.ndarray, true_groups: np.ndarray) -> float:
    names, counts = np.unique(true_groups, return_counts=True)
    precisions = [
        interpolated_ap(matches.hits(theta, groups == name), int(count))
        for name, count in zip(names, counts, strict=True)
    ]
    return float(np.mean(precisions))
