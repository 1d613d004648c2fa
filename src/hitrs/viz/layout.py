"""Pictures of joint layouts on a standing body: one with its joints named and numbered, or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from hitrs.skeleton.layout import Layout
from hitrs.skeleton.standing import standing_pose
from hitrs.viz.canvas import INK, MUTED, darker, keep_apart, sheet
from hitrs.viz.skeleton import side_colors

_COLUMNS = 6
_LINE = 0.21
"""Inches from one label to the next."""
_MARGIN = 0.16
"""Between the body and its labels, as a part of the picture's height."""


def draw_layout(layout: Layout, out: str | Path) -> None:
    """Write a picture (.png, .svg or .pdf) of a body that faces the viewer, its left side in orange-red.

    Each joint has its index and name beside it. The root has a ring.

    Raises:
        ConfigError: for another suffix.
        DataError: if the file cannot be written.
    """
    pose = standing_pose(layout)
    span = np.ptp(pose, axis=0)
    on_left = _on_left(layout, pose)
    height = max(4.6, _LINE * max(np.count_nonzero(on_left), np.count_nonzero(~on_left)))
    title = f"{layout.name}: {layout.n_joints} joints, {layout.dims}-D"
    unit = max(float(span[1]), float(span[0]) * 0.8, 0.1)  # what the picture's height stands for
    with sheet(Path(out), 6.4, height + 0.5, title) as figure:
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_aspect("equal")
        _draw_bones(axes, layout, pose)
        for side in (True, False):
            _label(axes, layout, pose, np.flatnonzero(on_left == side), unit, unit * _LINE / height, side)
        middle = (pose[:, 1].min() + pose[:, 1].max()) / 2
        axes.set_ylim(middle - 0.54 * unit, middle + 0.54 * unit)
        reach = np.abs(pose[:, 0]).max() + unit * (_MARGIN + 0.36)
        axes.set_xlim(-reach, reach)


def draw_layouts(layouts: Sequence[Layout], out: str | Path) -> None:
    """Write a picture of several layouts without the names of joints; otherwise as ``draw_layout``."""
    rows = -(-len(layouts) // _COLUMNS)
    with sheet(Path(out), 1.6 * _COLUMNS, 1.9 * rows) as figure:
        for place, layout in enumerate(layouts):
            axes = figure.add_subplot(rows, _COLUMNS, place + 1)
            axes.set_axis_off()
            axes.set_aspect("equal")
            _draw_bones(axes, layout, standing_pose(layout), 0.55)
            axes.set_title(layout.name, fontsize=9)
            axes.margins(0.1)


def _draw_bones(axes: Axes, layout: Layout, pose: np.ndarray, thick: float = 1.0) -> None:
    colors = side_colors(layout)
    for child, parent in layout.bones():
        axes.plot(*pose[[child, parent]].T, color=colors[child], linewidth=2.5 * thick, zorder=2)
    axes.scatter(pose[:, 0], pose[:, 1], s=26 * thick**2, c=colors, linewidth=0, zorder=3)
    x, y = pose[layout.root]
    axes.scatter([x], [y], s=90 * thick**2, facecolor="none", edgecolor=INK, linewidth=1.2 * thick, zorder=3)


def _on_left(layout: Layout, pose: np.ndarray) -> np.ndarray:
    """(J,) bool: whether the label stands on the side of the body's left; the midline goes where room is."""
    left = pose[:, 0] > 1e-9
    middle = np.abs(pose[:, 0]) <= 1e-9
    order = np.flatnonzero(middle)[np.argsort(-pose[middle, 1], kind="stable")]
    left[order[::2]] = True
    return left


def _label(
    axes: Axes, layout: Layout, pose: np.ndarray, joints: np.ndarray, unit: float, gap: float, on_left: bool
) -> None:
    """Names of joints below each other beside the body, with a thin line to each."""
    colors, sign = side_colors(layout), 1 if on_left else -1
    x = sign * (np.abs(pose[:, 0]).max() + _MARGIN * unit)
    order = sorted(joints, key=lambda joint: (pose[joint, 1], sign * pose[joint, 0]))
    heights = keep_apart([float(pose[joint, 1]) + 1e-6 * place for place, joint in enumerate(order)], gap)
    for joint, y in zip(order, heights, strict=True):
        ends = [pose[joint, 0], x], [pose[joint, 1], y]
        axes.plot(*ends, color=MUTED, linewidth=0.5, alpha=0.6, zorder=1, clip_on=False)
        axes.text(
            x + sign * 0.015 * unit,
            y,
            f"{joint} {layout.joints[joint]}" if on_left else f"{layout.joints[joint]} {joint}",
            color=darker(colors[joint]),
            fontsize=8.5,
            va="center",
            ha="left" if on_left else "right",
        )
