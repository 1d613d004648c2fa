"""Recognition metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix


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


def mean_deviation(values: list[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; no deviation for a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
