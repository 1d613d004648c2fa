"""Mean average precision the PASCAL-VOC way, with overlap in time in place of boxes.

Per class, proposals of all recordings come by falling confidence. Each takes, of the truths of its recording
that are still free, the one that it overlaps most, if intersection over union (in frames) is at least theta;
it is then right, otherwise wrong. A truth is taken once, so a second proposal for the same action is wrong.
AP is the area under the all-point interpolated precision over recall, mAP its mean over classes. Classes
without any truth in the part that is scored are left out of the mean, and so are their proposals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitrs.tasks.detection.overlap import interpolated_ap, iou
from hitrs.tasks.detection.segments import Proposal, of_class


def average_precisions(
    truth: Sequence[Sequence[Proposal]], proposals: Sequence[Sequence[Proposal]], thetas: Sequence[float]
) -> dict[int, list[float]]:
    """Class -> its AP at each theta, for the classes that have a truth.

    Args:
        truth, proposals: one list per recording. Of equal scores the earlier recording, then start, is first.
    """
    return {
        label: class_precisions(of_class(truth, label), of_class(proposals, label), thetas)
        for label in sorted({each.label for segments in truth for each in segments})
    }


def class_precisions(
    truth: Sequence[Sequence[Proposal]], proposals: Sequence[Sequence[Proposal]], thetas: Sequence[float]
) -> list[float]:
    """AP at each theta where all truths (at least one) and proposals are of one class."""
    total = sum(map(len, truth))
    offsets = np.cumsum([0, *map(len, truth)]).tolist()
    ranked = []
    for index, (true, found) in enumerate(zip(truth, proposals, strict=True)):
        if not found:
            continue
        overlaps = iou([(p.start, p.stop) for p in found], [(p.start, p.stop) for p in true])
        for each, row in zip(found, overlaps, strict=True):
            choices = np.argsort(-row, kind="stable")
            ranked.append(
                (
                    (-each.score, index, each.start, each.stop),
                    [(offsets[index] + int(i), float(row[i])) for i in choices],
                )
            )
    ranked.sort(key=lambda entry: entry[0])
    return [interpolated_ap(_hits([choices for _, choices in ranked], theta), total) for theta in thetas]


def _hits(ranked: Sequence[Sequence[tuple[int, float]]], theta: float) -> np.ndarray:
    """For each proposal whether a truth is left for it; its choices are (truth, overlap), the best first."""
    taken: set[int] = set()
    hits = np.zeros(len(ranked), dtype=bool)
    for place, choices in enumerate(ranked):
        free = next((truth for truth, overlap in choices if overlap >= theta and truth not in taken), None)
        if free is not None:
            taken.add(free)
            hits[place] = True
    return hits
