"""Pictures of what inspection found: counts, lengths, values on a skeleton, filmstrips, timelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize

from hitrs.data.cleaning.operations import TURNS
from hitrs.data.recording import Recording
from hitrs.viz.canvas import BLUE, GREEN, INK, MUTED, PALE, PALETTE, RED, keep_apart, sheet
from hitrs.viz.skeleton import Scene
from hitrs.viz.view import fit_view

_ROWS = 40
"""A picture with more bars than that is read by nobody: then only the largest and the smallest are named."""
_SIDE = 320
"""Pixels of a frame in a filmstrip."""
_HEAT = LinearSegmentedColormap.from_list("seen to unseen", ["#D9E4EA", "#E69F00", "#B5330C"])


def plot_lengths(lengths: Sequence[int], out: Path, marks: Mapping[str, int]) -> None:
    """Histogram of the recordings' lengths in frames, with marks (text -> frames)."""
    values = np.array(lengths)
    low, high = max(values.min(), 1), values.max() + 1
    wide = bool(high > 30 * low)
    edges = np.geomspace(low, high, 41) if wide else np.linspace(low, high, min(40, high - low) + 1)
    with sheet(out, 7.2, 2.9, "Lengths") as figure:
        axes = figure.add_subplot()
        axes.hist(values, edges.tolist(), color=BLUE, edgecolor="white", linewidth=0.4)
        if wide:
            axes.set_xscale("log")
            ticks = [n * 10**power for power in range(8) for n in (1, 2, 5)]
            ticks = [tick for tick in ticks if low <= tick <= high]
            axes.set_xticks(ticks, [str(tick) for tick in ticks])
            axes.minorticks_off()
        axes.set_ylim(top=axes.get_ylim()[1] * (1 + 0.1 * len(marks)))  # their text stands above the bars
        for place, (text, frames) in enumerate(marks.items()):
            axes.axvline(frames, color=RED, linewidth=1, linestyle=":")
            axes.annotate(
                text, (frames, 0.97 - 0.1 * place), xycoords=("data", "axes fraction"), xytext=(4, 0),
                textcoords="offset points", va="top", color=INK, fontsize=8.5,
            )  # fmt: skip
        axes.set_xlabel("frames" + " (log scale)" * wide)
        axes.set_ylabel("recordings")
        axes.grid(False, axis="x")


def plot_counts(counts: Mapping[str, float], out: Path, title: str, unit: str) -> None:
    """Bars of a number each, in their order; of more than 40 the largest and the smallest 20, by size."""
    rows = list(counts.items())
    if len(rows) > _ROWS:
        rows.sort(key=lambda row: -row[1])
        rows = [*rows[: _ROWS // 2], *rows[-_ROWS // 2 :]]
        title += f" (the {_ROWS // 2} largest and the {_ROWS // 2} smallest of {len(counts)})"
    shares = unit == "%"
    with sheet(out, 7.2, 0.9 + 0.235 * len(rows), title) as figure:
        axes = figure.add_subplot()
        axes.barh(range(len(rows)), [value for _, value in rows], height=0.68, color=BLUE)
        for place, (_, value) in enumerate(rows):
            axes.annotate(
                f"{value:.3g}%" if shares else f"{value:g}", (value, place), xytext=(4, 0),
                textcoords="offset points", va="center", fontsize=8, color=MUTED,
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), [_short(name) for name, _ in rows], fontsize=8.5, color=INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, 1.1 * max(max(value for _, value in rows), 1e-9))
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(unit)


def plot_on_skeleton(
    recording: Recording, shares: Mapping[str, float], out: Path, title: str, label: str, up: str
) -> None:
    """Values of joints (name -> share) as colors and sizes on the frame in which most joints are seen."""
    scene = upright(recording, up)
    layout = scene.layout
    frame, person = np.unravel_index(scene.valid.sum(-1).argmax(), scene.valid.shape[:2])
    scene = replace(
        scene,
        positions=scene.positions[frame : frame + 1, person : person + 1],
        valid=scene.valid[frame : frame + 1, person : person + 1],
        segments=(),
    )
    pixels, seen = fit_view(scene, 1000).project(scene.positions)[0, 0], scene.valid[0, 0]
    values = np.array([100 * shares.get(joint, 0.0) for joint in layout.joints])
    norm = Normalize(0, max(float(values.max()), 1e-6))
    with sheet(out, 7.2, 4.6, title) as figure:
        axes = figure.add_subplot()
        for child, parent in layout.bones():
            if seen[child] and seen[parent]:
                axes.plot(*pixels[[child, parent]].T, color="#C9C9C9", linewidth=4, zorder=1)
        size = 60 + 200 * norm(values[seen])
        x, y = pixels[seen].T
        axes.scatter(x, y, c=values[seen], s=size, cmap=_HEAT, norm=norm, edgecolor="white", zorder=2)
        named = [j for j in np.argsort(-values)[:8].tolist() if seen[j] and values[j] > 0]
        edge = float(pixels[seen, 0].max()) + 90
        heights = keep_apart([float(pixels[joint, 1]) for joint in named], 48)
        for joint, height in zip(named, heights, strict=True):
            axes.plot(
                [pixels[joint, 0], edge - 10], [pixels[joint, 1], height], color="#B0B0B0", linewidth=0.7
            )
            text = f"{layout.joints[joint]} {values[joint]:.2g}%"
            axes.text(edge, height, text, va="center", fontsize=8.5, color=INK)
        axes.set_aspect("equal")
        axes.set_xlim(0, 1000)
        axes.set_ylim(1000, 0)
        axes.set_axis_off()
        bar = figure.colorbar(ScalarMappable(norm, _HEAT), ax=axes, shrink=0.7, pad=0.12)
        bar.set_label(label)
        bar.outline.set_visible(False)


def plot_bones(recording: Recording, out: Path, title: str) -> None:
    """Length of each bone over time, relative to its median, for the person that is seen most; the bones that
    vary most in color and by name."""
    layout = recording.layout
    person = int(recording.valid.sum((0, 2)).argmax())
    positions, valid = recording.positions[:, person], recording.valid[:, person]
    curves = []
    for child, parent in layout.bones():
        seen = valid[:, child] & valid[:, parent]
        lengths = np.linalg.norm(positions[:, child] - positions[:, parent], axis=-1)
        middle = float(np.median(lengths[seen])) if seen.any() else 0.0
        if middle > 0:
            curve = np.where(seen, lengths / middle, np.nan)
            curves.append(
                (float(np.nanstd(curve)), f"{layout.joints[parent]} – {layout.joints[child]}", curve)
            )
    curves.sort(key=lambda row: row[0])
    with sheet(out, 7.2, 3.2, title) as figure:
        axes = figure.add_subplot()
        for _, _, curve in curves[:-4]:
            axes.plot(curve, color=PALE, linewidth=0.8)
        for color, (_, name, curve) in zip(PALETTE, curves[:-5:-1], strict=False):
            axes.plot(curve, color=color, linewidth=1.4, label=name)
        axes.set_xlabel("frame")
        axes.set_ylabel("length over its median")
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8.5)


def plot_strip(
    recording: Recording,
    frames: Sequence[int],
    out: Path,
    up: str,
    marked: int | None = None,
    joint: tuple[int, int] | None = None,
) -> None:
    """Up to five frames of a recording side by side in one view.

    Args:
        marked: the frame that is framed.
        joint: person and joint that get a circle.

    Raises:
        DataError: if nobody is seen in these frames.
    """
    first, last = min(frames), max(frames) + 1
    part = replace(
        recording, positions=recording.positions[first:last], valid=recording.valid[first:last], segments=()
    )
    part = upright(part, up)
    scene, view = Scene(part, _SIDE), fit_view(part, _SIDE)
    with sheet(out, 7.5, 1.75) as figure:
        for place, frame in enumerate(frames, start=1):
            axes = figure.add_subplot(1, 5, place)
            axes.imshow(scene.draw(frame - first))
            if joint is not None and part.valid[frame - first][joint]:
                x, y = np.clip(view.project(part.positions[frame - first][joint]), 4, _SIDE - 5)
                axes.scatter([x], [y], s=90, facecolor="none", edgecolor=GREEN, linewidth=1.4)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(False)
            here = frame == marked
            for spine in axes.spines.values():
                spine.set_visible(True)
                spine.set_color(RED if here else "#DDDDDD")
                spine.set_linewidth(2.0 if here else 0.8)
            axes.set_title(
                f"frame {frame}", fontsize=8.5, fontweight="bold" if here else "normal", loc="center"
            )


def plot_timeline(recording: Recording, glitches: Sequence[int], out: Path) -> None:
    """The labeled segments of a recording over its frames; those with these numbers are marked."""
    names = list(dict.fromkeys(segment.label for segment in recording.segments))
    with sheet(out, 7.2, 0.9 + 0.36 * len(names), f"Labels of {recording.name}") as figure:
        axes = figure.add_subplot()
        for number, segment in enumerate(recording.segments):
            wrong = number in glitches
            row, length = names.index(segment.label), segment.stop - segment.start
            axes.barh(row, length, left=segment.start, height=0.55, color=RED if wrong else PALE)
            if wrong:
                axes.annotate(
                    f"{length} at {segment.start}", (segment.start, row - 0.3), xytext=(0, 2),
                    textcoords="offset points", va="bottom", ha="right", fontsize=8, color=INK,
                )  # fmt: skip
        axes.set_yticks(range(len(names)), [_short(name) for name in names], fontsize=8.5, color=INK)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, recording.n_frames)
        axes.set_xlabel("frame")


def upright(recording: Recording, up: str) -> Recording:
    """The recording turned so that y is up, as pictures take it; as it is where nothing is known."""
    if recording.layout.dims != 3 or up not in TURNS:
        return recording
    return replace(recording, positions=recording.positions @ TURNS[up].T)


def _short(name: str) -> str:
    return name if len(name) <= 36 else name[:34] + "…"
