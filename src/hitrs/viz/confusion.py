"""Which classes are taken for which others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from hitrs.errors import DataError
from hitrs.viz.canvas import BLUE, FAINT, INK, MUTED, RED, sheet

# Up to here names fit along the bottom and a number fits into each cell.
_NAMED_COLUMNS, _NUMBERED_CELLS = 16, 32


def plot_confusion(
    matrix: np.ndarray, classes: Sequence[str], out: Path, *, title: str = "Confusion matrix"
) -> None:
    """Draw a confusion matrix with each row in per cent of its class: hits in blue, mistakes in orange.

    Args:
        matrix: (K, K) counts, rows the true class, columns the predicted one. The row of a class that
            does not occur is gray.
        classes: K names.
        out: .png, .svg or .pdf.

    Raises:
        DataError: if the matrix does not fit the names, or holds negative or not finite values.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    size = len(classes)
    if counts.shape != (size, size) or size == 0:
        raise DataError(f"a confusion matrix of {size} classes must be ({size}, {size}), not {counts.shape}.")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise DataError("a confusion matrix holds counts: finite and not negative.")
    totals = counts.sum(axis=1)
    share = np.divide(counts, totals[:, None], out=np.zeros_like(counts), where=totals[:, None] > 0)

    hits = LinearSegmentedColormap.from_list("hits", ["white", BLUE])
    misses = LinearSegmentedColormap.from_list("misses", ["white", RED])
    # The root makes rare mistakes visible: with 60 classes most cells hold a few per cent.
    shade = np.sqrt(share)
    colors = np.where(np.eye(size, dtype=bool)[..., None], hits(shade), misses(shade))
    colors[totals == 0] = (0.93, 0.93, 0.93, 1.0)

    named = size <= _NAMED_COLUMNS
    cell = 0.46 if named else 0.34 if size <= _NUMBERED_CELLS else 0.21
    font = 9.0 if size <= _NUMBERED_CELLS else 7.5
    side = max(size * cell, 2.4)
    with sheet(out, side, side, grow=True) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(colors, aspect="equal", interpolation="nearest")
        axes.grid(False)
        axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
        axes.grid(True, which="minor", color=FAINT, linewidth=0.6)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)

        labels = list(classes) if named else [f"{name}  {index + 1}" for index, name in enumerate(classes)]
        axes.set_yticks(range(size), labels, fontsize=font, color=INK)
        if named:
            axes.set_xticks(
                range(size),
                list(classes),
                fontsize=font,
                color=INK,
                rotation=45,
                ha="right",
                rotation_mode="anchor",
            )
        else:
            numbers = [str(index + 1) for index in range(size)]
            axes.set_xticks(
                range(size), numbers, fontsize=min(font, 8), color=INK, rotation=90 if size > 40 else 0
            )
        beside = axes.secondary_yaxis("right")
        beside.set_yticks(range(size), [f"{total:g}" for total in totals], fontsize=min(font, 8), color=MUTED)
        beside.tick_params(length=0)
        beside.spines[:].set_visible(False)
        beside.set_ylabel("sequences of the class", labelpad=8)

        if size <= _NUMBERED_CELLS:
            for row, column in zip(*np.nonzero(share >= 0.005), strict=True):
                axes.text(
                    column,
                    row,
                    f"{100 * share[row, column]:.0f}",
                    ha="center",
                    va="center",
                    fontsize=9 if named else 7.5,
                    color="white" if shade[row, column] > 0.75 else INK,
                )
        axes.set_ylabel("true class", labelpad=8)
        axes.set_xlabel(
            "predicted class" + (" (in the cells: % of the row)" if size <= _NUMBERED_CELLS else ""),
            labelpad=8,
        )
        axes.set_title(title, fontsize=12, pad=10)
