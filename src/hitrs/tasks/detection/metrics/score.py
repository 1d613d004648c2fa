"""All scores of detection at once; each key names its scorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hitrs.errors import DataError
from hitrs.tasks.detection.metrics import average_precision as ap
from hitrs.tasks.detection.metrics import frames
from hitrs.tasks.detection.segments import Proposal


def score_detection(
    truth: Sequence[Sequence[Proposal]],
    proposals: Sequence[Sequence[Proposal]],
    frame_truth: Sequence[np.ndarray],
    frame_prediction: Sequence[np.ndarray],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Scores as fractions of 1, not rounded; the modules average_precision and frames define them.

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
    precisions = ap.voc_precisions(truth, proposals, ap.THETAS)
    means = np.mean(list(precisions.values()), axis=0)
    matches = ap.PkuMatches.of(truth, proposals)
    for theta, mean in zip(ap.THETAS, means, strict=True):
        results[f"voc/map@{theta:g}"] = float(mean)
        results[f"pku/map_action@{theta:g}"] = ap.pku_map_action(matches, theta)
        results[f"pku/map_video@{theta:g}"] = ap.pku_map_video(matches, theta)
        results[f"pku/f1@{theta:g}"] = ap.pku_f1(matches, theta)
    results["pku/2d_ap"] = ap.pku_2d_ap(matches)
    half = ap.THETAS.index(0.5)
    results["voc/ap@0.5"] = {
        name: precisions[label][half] if label in precisions else None for label, name in enumerate(classes)
    }
    true, predicted = (
        [frames.labeled_segments(labels, len(classes)) for labels in side]
        for side in (frame_truth, frame_prediction)
    )
    results["frame/accuracy"] = frames.accuracy(frame_truth, frame_prediction)
    results["frame/iou"] = frames.frame_iou(frame_truth, frame_prediction, len(classes))
    results["frame/edit"] = frames.edit_score(true, predicted)
    for percent in (10, 25, 50):
        results[f"frame/f1@{percent}"] = frames.segment_f1(true, predicted, percent / 100)
    return results


def to_percent(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Fractions as percent with two digits, also inside; counts and None as they are."""
    return {
        key: to_percent(value)
        if isinstance(value, Mapping)
        else round(100 * value, 2)
        if isinstance(value, float)
        else value
        for key, value in scores.items()
    }


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
    for index, (true, proposed, *labels) in enumerate(
        zip(truth, proposals, frame_truth, frame_prediction, strict=True)
    ):
        if len(labels[0]) != len(labels[1]):
            raise DataError(
                f"recording {index} has {len(labels[0])} true frames, but {len(labels[1])} predicted ones"
            )
        for segment in (*true, *proposed):
            if not 0 <= segment.label < n_classes:
                raise DataError(f"recording {index}: {segment} has a label outside 0 to {n_classes - 1}")
            if not (0 <= segment.start < segment.stop <= len(labels[0]) and np.isfinite(segment.score)):
                raise DataError(
                    f"recording {index}, of {len(labels[0])} frames: {segment} does not fit or has no score"
                )
