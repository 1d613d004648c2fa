"""A map of what the encoder has learned: each sequence a point, like near like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from scipy.spatial.distance import cdist

from hitrs.errors import DataError
from hitrs.viz.canvas import MARKERS, MUTED, PALETTE, darker, sheet

# Beyond, the neighbor search takes minutes and the points cover each other.
_MOST_POINTS = 2000
# Up to here the classes' names stand on the map; beyond, their numbers, with a key beside it.
_NAMED = 12


def plot_embedding(
    features: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    out: Path,
    *,
    title: str = "Embedding map",
    seed: int = 0,
) -> None:
    """Map features to the plane (PCA to 30 dimensions, then t-SNE) and color the points by class.

    Args:
        features: (N, D) one feature a sequence. Of more than 2,000 a random choice is drawn, and the picture
            says so.
        labels: (N,) indices into ``classes``; -1 = no label (gray).
        seed: of the choice and of t-SNE; the same seed gives the same picture.

    Raises:
        DataError: for fewer than three features, values that are not finite, features that are all equal, or
            labels that do not fit.
    """
    features, labels = np.asarray(features, dtype=np.float64), np.asarray(labels)
    _check(features, labels, len(classes))
    total = len(features)
    if total > _MOST_POINTS:
        chosen = np.sort(np.random.default_rng(seed).choice(total, _MOST_POINTS, replace=False))
        features, labels = features[chosen], labels[chosen]
    points = _to_plane(features, seed)

    present = [index for index in range(len(classes)) if (labels == index).any()]
    named = len(present) <= _NAMED
    with sheet(out, 7.2 if named else 9.6, 5.8, title) as figure:
        axes = figure.add_subplot()
        rest = points[labels == -1]
        axes.scatter(rest[:, 0], rest[:, 1], s=12, color="#C8C8C8", linewidths=0)
        for index in present:
            color, marker = _look(index)
            own = points[labels == index]
            axes.scatter(
                own[:, 0],
                own[:, 1],
                s=26,
                color=color,
                marker=marker,
                alpha=0.75,
                linewidths=0,
                label=f"{index + 1}  {classes[index]}",
            )
        # Distances on such a map have no unit and its axes no meaning.
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.margins(0.06)
        note = (
            f"{total:,} sequences"
            if total == len(points)
            else f"{len(points):,} of {total:,} sequences, drawn at random"
        )
        note += "; t-SNE: near means similar, distances between groups mean little"
        figure.supxlabel(note, x=0.01, ha="left", fontsize=8.5, color=MUTED)
        if not named:
            axes.legend(
                loc="center left",
                bbox_to_anchor=(1.0, 0.5),
                ncols=1 if len(present) <= 34 else 2,
                fontsize=8.5,
                labelspacing=0.35,
                handletextpad=0.2,
                borderaxespad=0.2,
            )
        texts = {index: classes[index] if named else str(index + 1) for index in present}
        _write_labels(figure, axes, texts, {index: points[labels == index] for index in present})


def _look(index: int) -> tuple[str, str]:
    """Color and marker of a class: 64 pairs, the color changing first."""
    return PALETTE[index % len(PALETTE)], MARKERS[(index + index // len(PALETTE)) % len(MARKERS)]


def _check(features: np.ndarray, labels: np.ndarray, classes: int) -> None:
    if features.ndim != 2 or len(features) < 3:
        raise DataError(
            f"an embedding map needs features (N, D) of at least three sequences, not {features.shape}."
        )
    if labels.shape != (len(features),):
        raise DataError(f"{len(features)} features need as many labels, not {labels.shape}.")
    if labels.min() < -1 or labels.max() >= classes:
        raise DataError(f"labels must lie in -1..{classes - 1}; found {labels.min()}..{labels.max()}.")
    bad = ~np.isfinite(features).all(axis=1)
    if bad.any():
        raise DataError(
            f"{bad.sum()} of {len(features)} features are not finite (the first is number {bad.argmax()})."
        )
    if np.ptp(features, axis=0).max() == 0:
        raise DataError("all features are equal: the encoder has collapsed, and there is no map to draw.")


def _to_plane(features: np.ndarray, seed: int) -> np.ndarray:
    """(N, D) -> (N, 2)."""
    from sklearn.decomposition import PCA  # here, because importing scikit-learn takes a second
    from sklearn.manifold import TSNE

    kept = min(30, *features.shape)
    reduced = PCA(kept, svd_solver="full").fit_transform(features)
    reduced /= reduced.std(axis=0).max()
    perplexity = min(30.0, (len(features) - 1) / 3)
    init = "pca" if kept >= 2 else "random"
    return TSNE(2, perplexity=perplexity, init=init, random_state=seed).fit_transform(reduced)


def _heart(points: np.ndarray) -> np.ndarray:
    """(N, 2) -> (2,): just above the densest place of a class; a mean may fall between two groups."""
    apart = cdist(points, points)
    near = min(10, len(points) - 1)
    heart = np.sort(apart, axis=1)[:, near].argmin()
    around = points[np.argsort(apart[heart], kind="stable")[: near + 1]]
    return np.array([points[heart, 0], around[:, 1].max()])


def _write_labels(figure: Figure, axes: Axes, texts: dict[int, str], groups: dict[int, np.ndarray]) -> None:
    """Write each class's text above its densest place, moved as little as keeps texts apart."""
    if not texts:
        return
    written = []
    for index, text in texts.items():
        x, y = _heart(groups[index])
        note = axes.text(
            x,
            y,
            text,
            color=darker(_look(index)[0]),
            ha="center",
            va="bottom",
            fontsize=10.5,
            fontweight="bold",
        )
        note.set_path_effects([withStroke(linewidth=3, foreground=(1, 1, 1, 0.85))])
        written.append(note)
    figure.draw_without_rendering()  # lays the figure out, so that text has a size in pixels
    boxes = [note.get_window_extent() for note in written]
    centers = np.array([[(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2] for box in boxes])
    sizes = np.array([[box.width + 4, box.height + 2] for box in boxes])
    centers[:, 1] += 0.3 * sizes[:, 1]  # clear of the points themselves
    centers = _separate(centers, sizes, np.array(axes.bbox.extents))
    for note, (x, y) in zip(written, axes.transData.inverted().transform(centers), strict=True):
        note.set(x=x, y=y, va="center")


def _separate(centers: np.ndarray, sizes: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Push overlapping boxes (K, 2) apart along the shorter way, inside the frame (x0, y0, x1, y1)."""
    centers = centers.copy()
    for _ in range(300):
        moved = False
        for one in range(len(centers)):
            for other in range(one):
                apart = centers[one] - centers[other]
                overlap = (sizes[one] + sizes[other]) / 2 - np.abs(apart)
                if (overlap > 0.5).all():
                    axis = int(overlap.argmin())
                    push = overlap[axis] / 2 * (1.0 if apart[axis] >= 0 else -1.0)
                    centers[one, axis] += push
                    centers[other, axis] -= push
                    moved = True
        centers = np.clip(centers, frame[:2] + sizes / 2, frame[2:] - sizes / 2)
        if not moved:
            break
    return centers
