"""How a training run went: losses, accuracies, the online probe, the learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from hitrs.errors import ConfigError, DataError
from hitrs.pretext.registry import PRETEXT_TASKS
from hitrs.viz.canvas import BLUE, GREEN, INK, MUTED, PALETTE, RED, darker, percent_axis, sheet

Metrics = Sequence[Mapping[str, Any]]
"""Rows of ``metrics.jsonl``: one mapping a step, each with the keys that were known then."""


def plot_training(metrics: Metrics, out: Path, *, title: str = "Pre-training") -> None:
    """Total loss, online k-NN probe and learning rate; below them loss and accuracy of each pretext task.

    Tasks stand in the order of their registry, each under its own title. What the rows do not hold gets no
    panel. Of a step that stands there twice, as after a resume, the later row counts.

    Raises:
        DataError: if no row holds a loss.
    """
    rows, x = _merged(metrics)
    tasks = _tasks(rows)
    panels: dict[str, tuple[str, Callable[[Axes, np.ndarray, np.ndarray], None]]] = {
        "loss": ("Loss, all tasks", _loss),
        "knn/accuracy": ("Online k-NN probe", _probe),
        "lr": ("Learning rate", _rate),
    }
    top = [key for key in panels if _known(rows, key)]
    wide = len(tasks) if len(tasks) <= 3 else (len(tasks) + 1) // 2
    bands = [tasks[first : first + wide] for first in range(0, len(tasks), wide or 1)]
    # As wide as a page, so that a report shows the text at its size.
    with sheet(out, 7.4, 0.2 + 2.5 + 3.3 * len(bands), title) as figure:
        grid = figure.add_gridspec(1 + len(bands), 1, height_ratios=[2.5] + [3.3] * len(bands))
        upper = figure.add_subfigure(grid[0])
        for place, key in enumerate(top, start=1):
            heading, draw = panels[key]
            axes = upper.add_subplot(1, len(top), place)
            draw(axes, *_series(rows, x, key))
            axes.set_title(heading)
            axes.set_xlabel(x)
        for number, band in enumerate(bands, start=1):
            pairs = figure.add_subfigure(grid[number]).subplots(2, len(band), sharex=True, squeeze=False)
            for task, (above, below) in zip(band, pairs.T, strict=True):
                _task(above, below, rows, x, task, PALETTE[(1 + tasks.index(task)) % len(PALETTE)])


def plot_finetuning(metrics: Metrics, out: Path, *, title: str = "Fine-tuning") -> None:
    """Training loss (and validation loss where known), and training and validation accuracy.

    Reads the keys ``loss``, ``validation/loss``, ``accuracy`` (on the batches) and ``validation/accuracy``.

    Raises:
        DataError: if no row holds a loss.
    """
    rows, x = _merged(metrics)
    known = [key for key in ("loss", "accuracy") if _known(rows, key) or _known(rows, f"validation/{key}")]
    with sheet(out, 7.4 if len(known) > 1 else 4.4, 3.0, title) as figure:
        for place, measure in enumerate(known, start=1):
            axes = figure.add_subplot(1, len(known), place)
            lines = ((measure, "training", BLUE), (f"validation/{measure}", "validation", RED))
            for key, label, color in lines:
                if _known(rows, key):
                    _line(axes, *_series(rows, x, key), color, label=label)
            if measure == "accuracy":
                percent_axis(axes)
                axes.set_ylim(0, 1.02)
            axes.legend(loc="best")
            axes.set_title(measure.capitalize())
            axes.set_xlabel(x)


def _merged(metrics: Metrics) -> tuple[list[dict[str, Any]], str]:
    """The rows by rising step, those of one step in one, and the key of the x axis."""
    merged: dict[int, dict[str, Any]] = {}
    for number, row in enumerate(metrics, start=1):
        if "step" not in row:
            raise DataError(f"row {number} of the metrics has no 'step'.")
        merged.setdefault(row["step"], {}).update(row)
    rows = [merged[step] for step in sorted(merged)]
    if not _known(rows, "loss"):
        raise DataError("the metrics hold no loss yet; there is nothing to draw.")
    if not _known(rows, "epoch"):
        return rows, "step"
    steps, epochs = _series(rows, "step", "epoch")
    for row in rows:  # rows of an evaluation may tell the step alone
        row["epoch"] = float(np.interp(row["step"], steps, epochs))
    return rows, "epoch"


def _known(rows: list[dict[str, Any]], key: str) -> bool:
    return any(row.get(key) is not None for row in rows)


def _series(rows: list[dict[str, Any]], x: str, key: str) -> tuple[np.ndarray, np.ndarray]:
    """(N,) places and (N,) values of those rows that hold the key."""
    known = [(row[x], row[key]) for row in rows if row.get(key) is not None]
    at, values = zip(*known, strict=True) if known else ((), ())
    return np.array(at, dtype=np.float64), np.array(values, dtype=np.float64)


def _tasks(rows: list[dict[str, Any]]) -> list[str]:
    logged = {key.split("/")[0]: None for row in rows for key in row if key.endswith("/loss")}
    order = PRETEXT_TASKS.names()
    tasks = [task for task in logged if task != "validation"]
    return sorted(tasks, key=lambda task: order.index(task) if task in order else len(order))


def _title_and_chance(task: str) -> tuple[str, float | None]:
    """What a pretext task says of its curves; the name alone if the package that brings it is not here."""
    try:
        known = PRETEXT_TASKS.get(task)
    except ConfigError:
        return task, None
    return known.title, known.chance


def _line(axes: Axes, at: np.ndarray, values: np.ndarray, color: str, label: str | None = None) -> None:
    """A curve; one with many points is drawn faint, with its running mean on top."""
    if len(at) < 60:
        axes.plot(at, values, color=color, label=label, marker="o" if len(at) < 15 else None, markersize=4)
    else:
        axes.plot(at, values, color=color, alpha=0.25, linewidth=0.9)
        axes.plot(at, _running_mean(values, len(values) // 20), color=color, label=label)
    axes.margins(x=0.02)


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over up to ``width`` values on each side.

    At the start, where a loss falls steeply, it looks no farther ahead than back; at the end only back.
    """
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first = np.maximum(places - width, 0)
    last = np.minimum(places + np.minimum(places, width), len(values) - 1)
    return (sums[last + 1] - sums[first]) / (last + 1 - first)


def _loss(axes: Axes, at: np.ndarray, values: np.ndarray) -> None:
    _line(axes, at, values, BLUE)


def _probe(axes: Axes, at: np.ndarray, values: np.ndarray) -> None:
    axes.plot(at, values, color=GREEN, marker="o", markersize=4)
    axes.annotate(
        f"{100 * values[-1]:.1f}%",
        (at[-1], values[-1]),
        xytext=(0, 7),
        textcoords="offset points",
        ha="right",
        color=GREEN,
        fontweight="bold",
    )
    axes.margins(x=0.04, y=0.18)
    percent_axis(axes)


def _rate(axes: Axes, at: np.ndarray, values: np.ndarray) -> None:
    power = int(np.floor(np.log10(max(values.max(), 1e-12))))
    axes.plot(at, values / 10.0**power, color=MUTED)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"× 1e{power}")
    axes.margins(x=0.02)


def _task(above: Axes, below: Axes, rows: list[dict[str, Any]], x: str, task: str, color: str) -> None:
    """Loss of a pretext task, and below it its accuracy or the error of its prediction."""
    title, chance = _title_and_chance(task)
    _line(above, *_series(rows, x, f"{task}/loss"), color)
    above.set_title(title, color=darker(color))
    above.set_ylabel("loss")
    _score(below, rows, x, task, color, chance)
    below.set_xlabel(x)


def _score(
    axes: Axes, rows: list[dict[str, Any]], x: str, task: str, color: str, chance: float | None
) -> None:
    at, values = _series(rows, x, f"{task}/accuracy")
    if not len(at):
        at, values = _series(rows, x, f"{task}/error")
        _line(axes, at, values, color)
        axes.set_ylabel("error")
        return
    _line(axes, at, values, color)
    percent_axis(axes)
    axes.set_ylabel("accuracy")
    axes.set_ylim(0, 1.02)
    if chance is not None:
        axes.axhline(chance, color=INK, linewidth=1, linestyle=":")
        axes.annotate(
            "chance",
            (1, chance),
            xycoords=("axes fraction", "data"),
            xytext=(-2, -11),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=INK,
        )
