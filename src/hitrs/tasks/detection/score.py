"""All scores of detection at once; each key names its scorer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hitrs.errors import DataError
from hitrs.tasks.detection import framewise, pku, voc
from hitrs.tasks.detection.overlap import THETAS
from hitrs.tasks.detection.segments import Proposal


def score_detection(
    truth: Sequence[Sequence[Proposal]],
    proposals: Sequence[Sequence[Proposal]],
    frame_truth: Sequence[np.ndarray],
    frame_prediction: Sequence[np.ndarray],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Scores as fractions of 1, not rounded; the modules voc, pku and framewise define them.

    Args:
        truth, proposals: one list per recording.
        frame_truth, frame_prediction: one (T,) int array per recording, background = len(classes).

    Returns:
        ``voc/map@X``, ``pku/map_action@X``, ``pku/map_video@X``, ``pku/f1@X`` for X = 0.1, 0.15, ..., 0.95;
        ``pku/2d_ap``; ``frame/accuracy``, ``frame/iou``, ``frame/edit``, ``frame/f1@10``, ``@25``, ``@50``;
        ``voc/ap@0.5``: class name -> AP, None for a class without truth; and the numbers of ``recordings``,
        ``segments`` and ``proposals``.

    Raises:
        DataError: if the lists do not belong to the same recordings, a segment or its label makes no sense,
            or there is no truth.
    """
    _check(truth, proposals, frame_truth, frame_prediction, len(classes))
    results: dict[str, Any] = {
        "recordings": len(truth),
        "segments": sum(map(len, truth)),
        "proposals": sum(map(len, proposals)),
    }
    precisions = voc.average_precisions(truth, proposals, THETAS)
    means = np.mean(list(precisions.values()), axis=0)
    matches = pku.Matches.of(truth, proposals)
    for theta, mean in zip(THETAS, means, strict=True):
        results[f"voc/map@{theta:g}"] = float(mean)
        results[f"pku/map_action@{theta:g}"] = pku.map_action(matches, theta)
        results[f"pku/map_video@{theta:g}"] = pku.map_video(matches, theta)
        results[f"pku/f1@{theta:g}"] = pku.f1(matches, theta)
    results["pku/2d_ap"] = pku.two_dimensional_ap(matches)
    half = THETAS.index(0.5)
    results["voc/ap@0.5"] = {
        name: precisions[label][half] if label in precisions else None for label, name in enumerate(classes)
    }
    true, found = (
        [framewise.labeled_segments(labels, len(classes)) for labels in side]
        for side in (frame_truth, frame_prediction)
    )
    results["frame/accuracy"] = framewise.accuracy(frame_truth, frame_prediction)
    results["frame/iou"] = framewise.frame_iou(frame_truth, frame_prediction, len(classes))
    results["frame/edit"] = framewise.edit_score(true, found)
    for percent in (10, 25, 50):
        results[f"frame/f1@{percent}"] = framewise.segment_f1(true, found, percent / 100)
    return results


def _check(
    truth: Sequence[Sequence[Proposal]],
    proposals: Sequence[Sequence[Proposal]],
    frame_truth: Sequence[np.ndarray],
    frame_prediction: Sequence[np.ndarray],
    n_classes: int,
) -> None:
    counts = [len(truth), len(proposals), len(frame_truth), len(frame_prediction)]
    if len(set(counts)) > 1:
        raise DataError(
            "truth, proposals, true frames and predicted frames must be of the same recordings; there are "
            f"{', '.join(map(str, counts))}"
        )
    if not any(truth):
        raise DataError("there is no labeled segment to score against")
    for index, (true, found, *frames) in enumerate(
        zip(truth, proposals, frame_truth, frame_prediction, strict=True)
    ):
        if len(frames[0]) != len(frames[1]):
            raise DataError(
                f"recording {index} has {len(frames[0])} true frames, but {len(frames[1])} predicted ones"
            )
        for each in (*true, *found):
            if not 0 <= each.label < n_classes:
                raise DataError(f"recording {index}: {each} has a label outside 0 to {n_classes - 1}")
            if not (0 <= each.start < each.stop <= len(frames[0]) and np.isfinite(each.score)):
                raise DataError(
                    f"recording {index}, of {len(frames[0])} frames: {each} does not fit or has no score"
                )
