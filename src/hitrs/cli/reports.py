"""Recognition results for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.cli.console import say, show_table
from hitrs.evaluate.downstream import get_downstream
from hitrs.evaluate.prediction import report_rows
from hitrs.viz import plot_confusion

PARTS = {"all": "all test recordings", "clean": "without twins of training recordings"}
"""What the parts of a report are called."""


def show_report(task: str, reports: Mapping[str, Mapping[str, Any]]) -> None:
    """The figures of a task: accuracies of recognition, for the others what tables show of them."""
    if task == "recognition":
        show_accuracies(reports)
        return
    for name, report in reports.items():
        if task == "prediction":
            for part, found in report.items():
                head, table = report_rows(found)
                show_table([f"{head[0]} ({name if part == 'all' else part})", *head[1:]], table)
            continue
        rows = [
            [figure.title, f"{report[figure.part][figure.key]:.1f}"]
            for figure in get_downstream(task).figures
            if figure.key in report.get(figure.part, {})
        ]
        show_table([f"{task}, {name}", ""], rows)


def show_accuracies(reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Top-1 and, from five classes on, top-5 accuracy: a row for each method and part of the test recordings.

    Args:
        reports: method -> part ("all", "clean") -> metrics, as ``hitrs.evaluate.protocol`` makes them.
    """
    known = [found["top5"] for report in reports.values() for found in report.values()]
    shown = (1,) if all(value is None for value in known) else (1, 5)
    rows = [
        [f"{method}, {PARTS[part]}", found["recordings"], *(_percent(found[f"top{k}"]) for k in shown)]
        for method, report in reports.items()
        for part, found in report.items()
    ]
    show_table(["accuracy in %", "recordings", *(f"top-{k}" for k in shown)], rows)


def show_classes(metrics: Mapping[str, Any], classes: Sequence[str]) -> None:
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
    show_table(
        ["class", "recordings", "accuracy", "most often taken for"],
        [row for _, row in sorted(rows, key=lambda r: r[0])],
    )


def draw_confusion(
    metrics: Mapping[str, Any], classes: Sequence[str], path: Path, title: str, *, quiet: bool = False
) -> None:
    """Write the confusion matrix as a picture, and say where unless ``quiet``."""
    plot_confusion(np.array(metrics["confusion"]), classes, path, title=title)
    if not quiet:
        say(f"confusion   {path}")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
