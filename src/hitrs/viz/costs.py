"""Time and memory as they grow with one quantity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from hitrs.errors import DataError
from hitrs.viz.canvas import BLUE, MUTED, RED, sheet

_NAMES = {
    "frames": "frames of a recording",
    "joints": "joints of a body",
    "persons": "bodies in a recording",
    "batch": "recordings in a batch",
    "width": "width D of the model",
}


def plot_costs(points: Sequence[Mapping[str, Any]], quantity: str, out: Path, title: str) -> None:
    """Seconds of a step and peak memory over a quantity, with a straight line for comparison.

    Args:
        points: of each value ``seconds_per_step`` and ``peak_memory_bytes``, the value itself under the
            quantity's name, and where measured the same of the plain computation under ``reference``.

    Raises:
        DataError: without points.
    """
    if not points:
        raise DataError("there is no curve to draw: no points were given.")
    with sheet(out, 8.6, 3.6, title) as figure:
        time, memory = figure.subplots(1, 2)
        _panel(time, points, quantity, "seconds_per_step", 1.0)
        time.set_title("seconds a step")
        _panel(memory, points, quantity, "peak_memory_bytes", 1e9)
        memory.set_title("peak memory in GB")


def _panel(axes: Axes, points: Sequence[Mapping[str, Any]], quantity: str, key: str, unit: float) -> None:
    at = np.array([point[quantity] for point in points], dtype=float)
    values = np.array([point[key] for point in points]) / unit
    plain = [(point[quantity], point["reference"][key] / unit) for point in points if "reference" in point]
    if plain:
        axes.plot(*zip(*plain, strict=True), color=RED, marker="s", markersize=4, label="plain")
    axes.plot(at, values, color=BLUE, marker="o", markersize=4, label="ours")
    if len(points) > 1:  # through the first and last point: how far from linear is it in between?
        ends = [0, -1]
        axes.plot(at[ends], values[ends], color=MUTED, linewidth=1, linestyle=":", label="straight line")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(_NAMES[quantity])
    axes.legend()
