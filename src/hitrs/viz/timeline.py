"""What happens when in untrimmed recordings: the truth above what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from hitrs.errors import DataError
from hitrs.tasks.detection.segments import Proposal
from hitrs.viz.canvas import FAINT, INK, PALETTE, sheet

_WIDTH = 10.0
_LETTER = 0.064  # inches of a letter in a bar, about; the legend's are larger
_LANES = 8.6  # inches of the axes' width, about
_HATCHES = ("", "///", "...")
_SEEN = 0.2  # classes that are never more probable than this are left out of the band, but not all of them

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Timeline:
    """One recording to draw."""

    name: str
    frames: int
    found: Sequence[Proposal]
    truth: Sequence[Proposal] | None = None
    """None: not labeled, then there is no lane for it."""
    fps: float | None = None
    """Frames per second; None: the axis counts frames."""
    probabilities: np.ndarray | None = None
    """(T, K + 1), background last: drawn as a band below."""


def plot_timelines(
    timelines: Sequence[Timeline], classes: Sequence[str], out: Path, *, title: str = ""
) -> None:
    """Draw recordings under each other, on one scale if all count in the same unit; background is empty.

    A class keeps its color and number in all pictures of the same classes. The legend holds the classes that
    are to be seen; from nine classes on it gives numbers, which stand in the bars too narrow for the name.

    Args:
        classes: K names.
        out: .png, .svg or .pdf.

    Raises:
        DataError: without recordings, for a label that is no class, a segment outside of its recording, or
            probabilities of another shape.
    """
    if not timelines:
        raise DataError("there is nothing to draw: no recordings were given.")
    for each in timelines:
        _check(each, len(classes))
    styles = [class_style(index) for index in range(len(classes))]
    numbered = len(classes) > len(PALETTE)
    shown = sorted(set().union(*(_visible(each) for each in timelines)))
    names = [
        f"{label + 1}  {classes[label]}" if numbered and classes[label] != str(label + 1) else classes[label]
        for label in shown
    ]
    columns = max(1, int(_WIDTH / (0.7 + 1.17 * _LETTER * max(map(len, names), default=1))))
    heights = [_height(each) for each in timelines]
    legend = 0.25 + 0.23 * ceil(len(names) / columns)
    with sheet(out, _WIDTH, sum(heights) + 0.45 * len(heights) + legend + 0.4 * bool(title), title) as figure:
        _draw(figure, timelines, heights, classes, styles)
        if shown:
            patches = [Patch(label=name, **styles[label]) for label, name in zip(shown, names, strict=True)]
            figure.legend(handles=patches, loc="outside lower left", ncols=columns, fontsize=9)


def class_style(index: int) -> dict[str, Any]:
    """Fill and hatch of a class: eight colors, then lighter and darker ones, then the same with hatches."""
    shade, color = divmod(index, len(PALETTE))
    hatch, shade = divmod(shade, 3)
    rgb = np.array(to_rgb(PALETTE[color]))
    fill = (rgb, 0.45 * rgb + 0.55, 0.55 * rgb)[shade]
    return {
        "facecolor": tuple(fill.tolist()),
        "hatch": _HATCHES[hatch % len(_HATCHES)],
        "edgecolor": "white",
        "linewidth": 0.6,
    }


def _draw(
    figure: Figure,
    timelines: Sequence[Timeline],
    heights: list[float],
    classes: Sequence[str],
    styles: list[dict[str, Any]],
) -> None:
    grid = figure.add_gridspec(len(timelines), 1, height_ratios=heights)
    units = {each.fps is None for each in timelines}
    longest = max(each.frames / (each.fps or 1.0) for each in timelines)
    for row, each in enumerate(timelines):
        axes = figure.add_subplot(grid[row])
        rate = each.fps or 1.0
        reach = longest if len(units) == 1 else each.frames / rate
        floor = _lanes(axes, each, classes, styles, rate, _LANES / reach)
        axes.axvspan(each.frames / rate, reach, color=FAINT, linewidth=0)  # behind its end
        axes.set_xlim(0, reach)
        axes.set_ylim(floor, 0)
        axes.set_title(each.name, fontsize=10)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        if row == len(timelines) - 1 or len(units) > 1:
            axes.set_xlabel("frames" if each.fps is None else "seconds")
        else:
            axes.tick_params(axis="x", labelbottom=False)


def _lanes(
    axes: Axes,
    each: Timeline,
    classes: Sequence[str],
    styles: list[dict[str, Any]],
    rate: float,
    scale: float,
) -> float:
    """Draw the lanes from y = 0 downwards; returns where they end. ``scale``: inches of one unit in time."""
    lanes = [("found", each.found)] if each.truth is None else [("truth", each.truth), ("found", each.found)]
    ticks = [(place + 0.5, name) for place, (name, _) in enumerate(lanes)]
    for place, (_, segments) in enumerate(lanes):
        for p in sorted(segments, key=lambda p: (p.start, -p.stop)):
            start, length = p.start / rate, (p.stop - p.start) / rate
            axes.barh(place + 0.5, length, 0.8, start, **styles[p.label])
            fill = styles[p.label]["facecolor"]
            axes.text(
                start + length / 2,
                place + 0.5,
                _fitting(p.label, classes, length * scale),
                ha="center",
                va="center",
                fontsize=8,
                color=_readable(fill),
                path_effects=[withStroke(linewidth=3, foreground=fill)],  # a hatch would hide it
            )
    floor = float(len(lanes))
    if each.probabilities is not None:
        ticks.append((floor + 0.6, "probability"))
        _band(axes, each.probabilities, styles, rate, floor + 1.05)
        floor += 1.1
    axes.set_yticks([place for place, _ in ticks], [name for _, name in ticks])
    return floor


def _band(
    axes: Axes, probabilities: np.ndarray, styles: list[dict[str, Any]], rate: float, base: float
) -> None:
    """Probabilities of the classes on top of each other, 0.9 high for 1; background is what is left."""
    edges = np.arange(len(probabilities) + 1) / rate
    bottom = np.full(len(probabilities) + 1, base)
    for label in _probable(probabilities):
        values = probabilities[:, label]
        top = bottom - 0.9 * np.r_[values, values[-1]]
        axes.fill_between(edges, bottom, top, step="post", **{**styles[label], "linewidth": 0.0})
        bottom = top
    axes.axhline(base, color="#B5B5B5", linewidth=0.6)


def _fitting(label: int, classes: Sequence[str], inches: float) -> str:
    """The name, the number, or nothing, whatever the bar has room for."""
    choices = [classes[label], str(label + 1)] if len(classes) > len(PALETTE) else [classes[label]]
    return next((text for text in choices if _LETTER * len(text) + 0.05 <= inches), "")


def _readable(fill: RGB) -> str:
    red, green, blue = fill
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"


def _height(each: Timeline) -> float:
    return 0.32 * (1 + (each.truth is not None)) + (0.0 if each.probabilities is None else 0.55)


def _probable(probabilities: np.ndarray) -> list[int]:
    highest = probabilities[:, :-1].max(0)
    return np.flatnonzero(highest >= min(_SEEN, highest.max())).tolist()


def _visible(each: Timeline) -> set[int]:
    labels = {p.label for p in (*each.found, *(each.truth or ()))}
    return labels if each.probabilities is None else labels | set(_probable(each.probabilities))


def _check(each: Timeline, n_classes: int) -> None:
    for p in (*each.found, *(each.truth or ())):
        if not (0 <= p.label < n_classes and 0 <= p.start < p.stop <= each.frames):
            raise DataError(
                f"'{each.name}': {p} does not lie within {each.frames} frames and {n_classes} classes."
            )
    if each.probabilities is not None and each.probabilities.shape != (each.frames, n_classes + 1):
        raise DataError(
            f"'{each.name}': probabilities must be ({each.frames}, {n_classes + 1}), background last, not "
            f"{each.probabilities.shape}."
        )
