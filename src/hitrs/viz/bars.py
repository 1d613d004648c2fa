"""Methods side by side: as bars, or as lines over the share of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hitrs.errors import DataError
from hitrs.viz.canvas import BLUE, INK, MARKERS, PALE, PALETTE, darker, keep_apart, sheet

Row = tuple[str, float, float | None]
"""(name, mean, deviation or None), in the unit of the plot."""
Point = tuple[float, float, float | None]
"""(label share in per cent, mean, deviation or None)."""


def plot_comparison(rows: Sequence[Row], out: Path, title: str, *, unit: str = "%") -> None:
    """Horizontal bars in the given order, the best in full color, whiskers where there is a deviation.

    Args:
        rows: (name, mean, deviation or None); means are in ``unit``, so 81.3 for 81.3 %.

    Raises:
        DataError: without rows, or for a value that is not finite.
    """
    if not rows:
        raise DataError("there is nothing to compare: no rows were given.")
    for name, mean, deviation in rows:
        _check(name, mean, deviation)
    means = np.array([mean for _, mean, _ in rows])
    deviations = np.array([deviation or 0.0 for _, _, deviation in rows])
    reach = 100.0 if unit == "%" else 1.05 * max(float((means + deviations).max()), 1e-9)
    with sheet(out, 7.2, 0.95 + 0.46 * len(rows), title) as figure:
        axes = figure.add_subplot()
        colors = [BLUE if mean == means.max() else PALE for mean in means]
        axes.barh(range(len(rows)), means, height=0.62, color=colors)
        for place, (_, mean, deviation) in enumerate(rows):
            text = f"{mean:.1f}{_suffix(unit)}"
            if deviation is not None:
                axes.errorbar(mean, place, xerr=deviation, color=INK, linewidth=1.2, capsize=3)
                text = f"{mean:.1f} ± {deviation:.1f}{_suffix(unit)}"
            axes.annotate(
                text,
                (mean + (deviation or 0.0), place),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                color=INK,
            )
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=10, color=INK)
        axes.invert_yaxis()
        axes.set_xlim(min(0.0, float((means - deviations).min())), reach)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        if unit == "%":
            axes.xaxis.set_major_formatter("{x:g}%")
        else:
            axes.set_xlabel(unit)


def plot_label_shares(
    methods: Mapping[str, Sequence[Point]],
    out: Path,
    title: str,
    *,
    unit: str = "%",
    chance: float | None = None,
) -> None:
    """One line a method over the share of labels (1, 5, 10, 100 % ...), named at its end, with error bars.

    Args:
        methods: for each method (label share in per cent, mean, deviation or None) in any order.
        chance: where guessing would stand, in ``unit``.

    Raises:
        DataError: without points, for a share outside (0, 100], or for a value that is not finite.
    """
    if not methods or not all(methods.values()):
        raise DataError(
            "there is nothing to compare: each method needs at least one (share, mean, deviation)."
        )
    for name, points in methods.items():
        for share, mean, deviation in points:
            _check(name, mean, deviation)
            if not 0 < share <= 100:
                raise DataError(f"'{name}': a label share is a per cent above 0 and up to 100, not {share}.")
    shares = sorted({share for points in methods.values() for share, _, _ in points})
    with sheet(out, 7.2, 4.2, title) as figure:
        axes = figure.add_subplot()
        ends = []
        for number, (name, points) in enumerate(methods.items()):
            color = PALETTE[number % len(PALETTE)]
            xs, ys, deviations = zip(*sorted(points, key=lambda point: point[0]), strict=True)
            axes.errorbar(
                xs,
                ys,
                yerr=[deviation or 0.0 for deviation in deviations],
                color=color,
                marker=MARKERS[number % len(MARKERS)],
                markersize=6,
                capsize=3,
                elinewidth=1.2,
                linestyle="-" if number < len(PALETTE) else "--",
            )
            ends.append((name, xs[-1], ys[-1], color))
        axes.set_xscale("log")
        axes.set_xticks(shares, [f"{share:g}%" for share in shares])
        axes.minorticks_off()
        axes.set_xlim(shares[0] / 1.25, shares[-1] * 1.25)
        if unit == "%":
            axes.set_ylim(0, 100)
            axes.yaxis.set_major_formatter("{x:g}%")
        else:
            axes.set_ylabel(unit)
        if chance is not None:
            axes.axhline(chance, color=INK, linewidth=1, linestyle=":")
            axes.annotate(
                "chance",
                (1, chance),
                xycoords=("axes fraction", "data"),
                xytext=(-2, 3),
                textcoords="offset points",
                ha="right",
                color=INK,
                fontsize=9,
            )
        low, high = axes.get_ylim()
        line = (high - low) * 0.058  # height of a line of text at this size
        for (name, _, _, color), place in zip(
            ends, keep_apart([y for _, _, y, _ in ends], line), strict=True
        ):
            axes.annotate(
                name,
                (1, place),
                xycoords=("axes fraction", "data"),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                color=darker(color),
                fontweight="bold",
                annotation_clip=False,
            )
        axes.set_xlabel("share of the training labels (log scale)")


def _suffix(unit: str) -> str:
    return unit if unit == "%" else f" {unit}" if unit else ""


def _check(name: str, mean: float, deviation: float | None) -> None:
    if not np.isfinite(mean) or (deviation is not None and not (np.isfinite(deviation) and deviation >= 0)):
        raise DataError(
            f"'{name}': mean {mean} and deviation {deviation} must be finite, the deviation not negative."
        )
