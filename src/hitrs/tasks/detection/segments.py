"""From the class probabilities of each frame to proposals: which action, from where to where, how certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hitrs.errors import ConfigError, DataError, check_literals
from hitrs.models.card import ModelCard
from hitrs.schema import read_settings

SLACK = 1e-9
"""A mean of equal probabilities may come out a little below them."""


@dataclass(frozen=True)
class Proposal:
    """An action, frames [start, stop), 0-based; a true one has the score 1."""

    start: int
    stop: int
    label: int
    """Index into the class names."""
    score: float = 1.0


@dataclass(frozen=True)
class SegmentSettings:
    """How frames become segments; saved with the model. All lengths are in frames."""

    mode: Literal["runs", "threshold"] = "runs"
    """runs: frames in a row whose most probable class is the same; background makes no segment. threshold:
    frames in a row whose probability of a class reaches its threshold, so classes may overlap."""
    threshold: tuple[float, ...] = (0.0,)
    """One for all classes, or one for each: the least score of a segment, and in threshold mode the least
    probability of its frames."""
    smoothing: int = 1
    """Odd width of the moving average over time that comes first; 1: none. It looks ahead by half of it."""
    merge: int = 0
    """Gaps up to so many frames between two segments of a class are closed, whatever stands in the gap."""
    min_length: int = 1
    """Shorter segments (after merging) are dropped."""
    levels: int = 1
    """threshold mode: segments are taken at so many evenly spaced levels from the threshold up to 1."""
    nms: float = 0.5
    """Of two segments of a class that overlap by more than this intersection over union only the one with the
    higher score stays."""

    def __post_init__(self) -> None:
        check_literals(self)
        if not self.threshold or not all(0 <= value <= 1 for value in self.threshold):
            raise ConfigError(
                f"threshold must hold one value in [0, 1], or one a class, got {self.threshold}"
            )
        if self.smoothing < 1 or self.smoothing % 2 == 0:
            raise ConfigError(f"smoothing must be an odd number of frames, got {self.smoothing}")
        if self.merge < 0 or self.min_length < 1 or self.levels < 1 or not 0 < self.nms <= 1:
            raise ConfigError(
                "merge must not be negative, min_length and levels at least 1, nms in (0, 1]; got "
                f"{self.merge}, {self.min_length}, {self.levels} and {self.nms}"
            )


def segment_settings(card: ModelCard) -> SegmentSettings:
    """How the frames of a detector become segments.

    Raises:
        ConfigError: if the card says it in a form that is none.
    """
    found = card.postprocessing.get("segments", {})
    return read_settings(SegmentSettings, found, "postprocessing.segments")


def propose(probabilities: np.ndarray, settings: SegmentSettings) -> list[Proposal]:
    """Segments of one recording, by their start; the score is the mean (smoothed) probability of the class.

    Args:
        probabilities: (T, K + 1), the last column is background.

    Raises:
        DataError: for another shape, or values that are not finite.
        ConfigError: if the settings hold thresholds for another number of classes.
    """
    probabilities = _checked(probabilities)
    n_classes = probabilities.shape[1] - 1
    if len(settings.threshold) not in (1, n_classes):
        raise ConfigError(
            f"the segment settings have {len(settings.threshold)} thresholds, but there are {n_classes} "
            "classes; give one threshold, or one for each class"
        )
    least = np.broadcast_to(np.asarray(settings.threshold, dtype=np.float64), n_classes)
    values = smooth(probabilities, settings.smoothing)
    if settings.mode == "runs":
        proposals = scored_runs(
            values, one_hot(values.argmax(1), n_classes), settings.merge, settings.min_length
        )
    else:
        heights = [least + (1 - least) * level / settings.levels for level in range(settings.levels)]
        masks = [values[:, :-1] >= height - SLACK for height in heights]
        proposals = sorted(
            {p for mask in masks for p in scored_runs(values, mask, settings.merge, settings.min_length)},
            key=_by_time,
        )
    proposals = [p for p in proposals if p.score >= least[p.label] - SLACK]
    # with one level none of a class overlap
    return suppress(proposals, settings.nms) if settings.levels > 1 else proposals


def _checked(probabilities: np.ndarray) -> np.ndarray:
    """The probabilities as float64 (T, K + 1), or a DataError."""
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] < 2:
        raise DataError(
            "frame probabilities must be (frames, classes + 1) with background as the last column, got "
            f"{values.shape}"
        )
    if not np.isfinite(values).all():
        frame = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise DataError(f"frame {frame} has a probability that is not finite")
    return values


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Centered moving average over time (axis 0); at the ends over the frames that there are."""
    if window == 1:
        return values
    frames = len(values)
    total = np.concatenate([np.zeros((1, *values.shape[1:])), values.cumsum(0)])
    start = np.maximum(np.arange(frames) - window // 2, 0)
    stop = np.minimum(np.arange(frames) + window // 2 + 1, frames)
    return (total[stop] - total[start]) / (stop - start)[:, None]


def one_hot(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """(T,) labels with background = K -> (T, K) bool."""
    return labels[:, None] == np.arange(n_classes)


def runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, K) bool -> start, stop and class of each run of True, by class, then by start."""
    edges = np.diff(np.pad(mask.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)  # (K, T + 1)
    label, start = np.nonzero(edges == 1)
    stop = np.nonzero(edges == -1)[1]
    return start, stop, label


def scored_runs(values: np.ndarray, mask: np.ndarray, merge: int, min_length: int) -> list[Proposal]:
    """Merged runs of ``mask`` (T, K) that are long enough, scored by ``values`` (T, K or more), by start."""
    start, stop, label = runs(mask)
    apart = (label[1:] != label[:-1]) | (start[1:] - stop[:-1] > merge)
    first, last = np.r_[True, apart][: len(start)], np.r_[apart, True][: len(start)]
    start, stop, label = start[first], stop[last], label[first]
    kept = stop - start >= min_length
    proposals = [
        Proposal(a, b, k, float(values[a:b, k].mean()))
        for a, b, k in zip(start[kept].tolist(), stop[kept].tolist(), label[kept].tolist(), strict=True)
    ]
    return sorted(proposals, key=_by_time)


def suppress(proposals: Sequence[Proposal], limit: float) -> list[Proposal]:
    """Temporal non-maximum suppression within each class; of equal scores the earlier one stays."""
    kept: list[Proposal] = []
    for label in {p.label for p in proposals}:
        own = sorted((p for p in proposals if p.label == label), key=lambda p: (-p.score, *_by_time(p)))
        rivals = iou([(p.start, p.stop) for p in own], [(p.start, p.stop) for p in own]) > limit
        alive = np.ones(len(own), dtype=bool)
        for rank, proposal in enumerate(own):
            if alive[rank]:
                kept.append(proposal)
                alive[rank + 1 :] &= ~rivals[rank, rank + 1 :]
    return sorted(kept, key=_by_time)


def iou(first: Sequence[tuple[int, int]] | np.ndarray, second: Sequence[tuple[int, int]]) -> np.ndarray:
    """Intersection over union in time (N, M) of intervals (N, 2) and (M, 2); 1 for two equal points."""
    a = np.asarray(first, dtype=np.float64).reshape(-1, 1, 2)
    b = np.asarray(second, dtype=np.float64).reshape(1, -1, 2)
    shared = np.maximum(np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0]), 0.0)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - shared
    same = (a == b).all(-1).astype(np.float64)
    return np.divide(shared, union, out=same, where=union > 0)


def of_class(recordings: Sequence[Sequence[Proposal]], label: int) -> list[list[Proposal]]:
    """Of each recording what carries one label."""
    return [[segment for segment in segments if segment.label == label] for segments in recordings]


def _by_time(proposal: Proposal) -> tuple[int, int, int]:
    return proposal.start, proposal.stop, proposal.label
