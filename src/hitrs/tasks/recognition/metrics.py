"""Recognition metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, roc_auc_score

from hitrs.data.protocol import ProtocolSplit
from hitrs.tasks.base import Metrics, ReportTable
from hitrs.tasks.recognition.calibration import calibration_error
from hitrs.tasks.recognition.confidence import UNKNOWN


def recognition_metrics(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Top-1 and top-5 accuracy in percent, per class, and the confusion matrix (rows: truth).

    Args:
        scores: (N, classes), higher is likelier; labels: (N,) int.
    """
    classes = scores.shape[1]
    own = scores[np.arange(len(labels)), labels][:, None]
    rank = (scores >= own).sum(1) - 1  # classes that tie with the truth stand before it
    predicted = scores.argmax(1)
    matrix = confusion_matrix(labels, predicted, labels=np.arange(classes))
    total = matrix.sum(1)
    per_class = [round(100 * float(matrix[c, c] / total[c]), 2) if total[c] else None for c in range(classes)]
    return {
        "recordings": len(labels),
        "top1": round(100 * float((predicted == labels).mean()), 2),
        "top5": round(100 * float((rank < 5).mean()), 2) if classes > 5 else None,
        "per_class": per_class,
        "confusion": matrix.tolist(),
    }


def split_metrics(scores: np.ndarray, split: ProtocolSplit, classes: Sequence[str]) -> Metrics:
    """Metrics on all test recordings and, where some also stand in the training part, on the rest.

    Args:
        scores: (N, classes) of the test recordings.
        classes: what the columns stand for, the store's classes first.
    """
    labels = np.asarray(split.store.labels)[split.test]
    metrics: Metrics = {"all": recognition_metrics(scores, labels)}
    if len(split.duplicates):
        kept = ~np.isin(split.test, split.duplicates)
        metrics["deduplicated"] = recognition_metrics(scores[kept], labels[kept])
    if len(classes) > len(split.store.classes):
        metrics["all"]["classes"] = list(classes)
    return metrics


def confidence_metrics(
    probabilities: np.ndarray, labels: np.ndarray, known: np.ndarray, threshold: float
) -> dict[str, Any]:
    """How far probabilities can be believed and, where there is a threshold, what it costs and saves.

    Args:
        probabilities: (N, classes); labels: (N,) int.
        known: (N,) bool, recordings whose class the model has learned.
        threshold: from which probability on a class is named; 0: one is always named.
    """
    figures = {"calibration_error": round(calibration_error(probabilities[known], labels[known]), 2)}
    if threshold:
        named = probabilities.max(1) >= threshold
        figures["refused"] = round(100 * float((~named[known]).mean()), 2)
        if not known.all():
            figures["unknown_recordings"] = int((~known).sum())
            figures["unknown_named"] = round(100 * float(named[~known].mean()), 2)
            figures["unknown_auroc"] = round(100 * float(roc_auc_score(known, probabilities.max(1))), 2)
    return figures


PARTS = {"all": "all test recordings", "deduplicated": "without duplicates of training recordings"}
"""What the parts of a report are called."""


def accuracy_table(reports: Mapping[str, Metrics]) -> ReportTable:
    """Top-1 and, from six classes on, top-5 accuracy: a row for each method and part of the test."""
    top5 = [metrics["top5"] for report in reports.values() for metrics in report.values()]
    shown = (1,) if all(value is None for value in top5) else (1, 5)
    rows: list[list[Any]] = [
        [f"{method}, {PARTS[part]}", metrics["recordings"], *(_percent(metrics[f"top{k}"]) for k in shown)]
        for method, report in reports.items()
        for part, metrics in report.items()
    ]
    return ["accuracy in %", "recordings", *(f"top-{k}" for k in shown)], rows


def confidence_tables(metrics: Metrics) -> list[ReportTable]:
    """One table for a model that can say "none of these", none for others."""
    figures = metrics["all"]
    if "refused" not in figures:
        return []
    rows = [
        ["calibration error", figures["recordings"], _percent(figures["calibration_error"])],
        [f"known classes, called {UNKNOWN}", figures["recordings"], _percent(figures["refused"])],
    ]
    if "unknown_named" in figures:
        unknown = figures["unknown_recordings"]
        rows.append(["unknown classes, named all the same", unknown, _percent(figures["unknown_named"])])
        both = figures["recordings"] + unknown
        rows.append(["known against unknown, AUROC (chance: 50)", both, _percent(figures["unknown_auroc"])])
    return [(["how sure it is", "recordings", "%"], rows)]


def early_tables(metrics: Metrics) -> list[ReportTable]:
    """One table where beginnings of recordings were tested, else none."""
    early = metrics["all"].get("early")
    if early is None:
        return []
    rows = [["top-1", *(_percent(value) for value in early.values())]]
    return [(["after so much of the recording", *(f"{share}%" for share in early)], rows)]


def class_table(metrics: Mapping[str, Any], classes: Sequence[str]) -> ReportTable:
    """Accuracy of every class that occurs, the weakest first, with what it is taken for most often."""
    rows = []
    for label, name in enumerate(classes):
        accuracy, counts = metrics["per_class"][label], np.array(metrics["confusion"][label])
        if accuracy is None:
            continue
        total = counts.sum()
        counts[label] = 0
        taken = f"{classes[int(counts.argmax())]} ({100 * counts.max() / total:.0f}%)" if counts.any() else ""
        rows.append((accuracy, [name, total, _percent(accuracy), taken]))
    head = ["class", "recordings", "accuracy", "most often taken for"]
    return head, [row for _, row in sorted(rows, key=lambda r: r[0])]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
