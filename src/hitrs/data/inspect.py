"""What is in a store, and what may be wrong with it: the things worth knowing before training on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hitrs.data.store import Store
from hitrs.skeleton.layout import Layout

SHORT = 10
"""Frames; hardly any movement fits into so few."""
PAPER_LENGTH = 19
"""Frames that all four pretext tasks need in the paper's setting; shorter sequences take part in some."""
JUMP = 0.5
"""A body whose center moves by more than this part of its size from one frame to the next has jumped."""
_LISTED = 5
_UNITS = ((0.5, 5.0, "meters"), (50.0, 500.0, "centimeters"), (500.0, 5000.0, "millimeters"))
"""Sizes of a tracked human body in each unit."""


@dataclass(frozen=True)
class Inspection:
    """Findings on a store; names of recordings are listed completely, ``lines()`` shows the first few."""

    dataset: str
    layout: str
    fingerprint: str
    """SHA-256 of the store's content."""
    recordings: int
    frames: int
    shortest: int
    median_length: float
    longest: int
    one_frame: tuple[str, ...]
    """Recordings of a single frame."""
    short: int
    """Recordings of at most 10 frames."""
    below_paper: int
    """Recordings of fewer than 19 frames."""
    classes: dict[str, int]
    """Recordings (for untrimmed data: segments) of each class."""
    unlabeled: int
    subjects: dict[str, int]
    cameras: dict[str, int]
    fps: tuple[float, ...]
    """The frame rates that occur; empty = unknown throughout."""
    unseen: dict[str, float]
    """Joint name -> share of bodies that lack it, over all frames; only joints that are ever missing."""
    empty_frames: int
    """Frames in which nobody is seen."""
    frozen: tuple[str, ...]
    """Recordings of several frames in which nothing moves at all."""
    all_zero: tuple[str, ...]
    """Recordings that hold nothing but zeros, or in which no joint was seen."""
    jumps: dict[str, int]
    """Recording -> how often a body moves by more than half its size in one frame: lost or swapped bodies."""
    protocols: dict[str, tuple[int, int]]
    """Name -> recordings in train and test."""
    twins: dict[str, tuple[str, ...]]
    """Protocol -> test recordings whose exact content also stands in the training part."""
    shared_subjects: dict[str, tuple[str, ...]]
    """Protocol -> subjects that stand in both parts (in a cross-view protocol that is meant)."""
    body_size: float
    """Median over recordings of the largest extent of a body; NaN if none was seen."""
    unit: str
    """What that size suggests: "meters", "centimeters", "millimeters", "pixels" (2-D) or "unclear"."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """Plain lines for people, findings that need attention marked with "!"."""
        somebody = len(self.all_zero) < self.recordings
        size = f"{self.body_size:.4g}, so the unit is {self.unit}" if somebody else "unknown, nobody is seen"
        lines = [
            f"  data set      {self.dataset}, layout {self.layout}, content {self.fingerprint[:12]}",
            f"  recordings    {self.recordings} with {self.frames} frames in all",
            f"  lengths       {self.shortest} to {self.longest} frames, median {self.median_length:g}; "
            f"{self.short} have at most {SHORT}, {self.below_paper} fewer than {PAPER_LENGTH}",
            f"  frame rate    {', '.join(f'{rate:g}' for rate in self.fps) or 'unknown'}",
            f"  body size     {size}",
            f"  classes       {_counts(self.classes)}",
            f"  subjects      {_counts(self.subjects)}",
            f"  cameras       {_counts(self.cameras)}",
        ]
        lines += [f"  protocol      {name}: {a} train, {b} test" for name, (a, b) in self.protocols.items()]
        for count, text in (
            (self.unlabeled, "without a label"),
            (len(self.one_frame), f"of one frame: {_some(self.one_frame)}"),
            (len(self.frozen), f"in which nothing moves: {_some(self.frozen)}"),
            (len(self.all_zero), f"of nothing but zeros: {_some(self.all_zero)}"),
            (len(self.jumps), f"in which a body jumps: {_some(self.jumps)}"),
        ):
            lines += [f"! recordings    {count} {text}"] if count else []
        lines += [f"! frames        {self.empty_frames} with nobody in them"] if self.empty_frames else []
        worst = sorted(self.unseen.items(), key=lambda item: -item[1])[:_LISTED]
        lines += (
            [f"! joints        not always seen: {', '.join(f'{j} {100 * share:.2g}%' for j, share in worst)}"]
            if worst
            else []
        )
        for name, twins in self.twins.items():
            if twins:
                clean = self.protocols[name][1] - len(twins)
                lines.append(
                    f"! leak          {name}: {len(twins)} test recordings are exact copies of training ones"
                )
                lines.append(f"                ({_some(twins)}); {clean} test recordings are clean")
        for name, shared in self.shared_subjects.items():
            if shared:
                lines.append(f"  protocol      {name}: {len(shared)} subjects stand in both parts")
        return lines


def inspect_store(store: Store) -> Inspection:
    """Look at every recording of a store, one at a time."""
    missing, present = np.zeros(store.layout.n_joints, np.int64), 0
    empty_frames = 0
    frozen, all_zero, jumps, sizes = [], [], {}, []
    for i in range(len(store)):
        positions, valid = store.positions(i), store.valid(i)  # (T, P, J, C), (T, P, J)
        bodies = valid.any(-1)  # (T, P)
        empty_frames += int((~bodies.any(-1)).sum())
        missing += (~valid[bodies]).sum(0)
        present += int(bodies.sum())
        if not positions.any():
            all_zero.append(store.name(i))
            continue
        if len(positions) > 1 and (positions == positions[0]).all() and (valid == valid[0]).all():
            frozen.append(store.name(i))
        size = _extent(positions[bodies], valid[bodies])
        sizes.append(size)
        if count := _count_jumps(positions, valid, store.layout, size):
            jumps[store.name(i)] = count
    body_size = float(np.median(sizes)) if sizes else float("nan")
    labels = store.labels.tolist()
    for i in np.flatnonzero(store.segment_counts).tolist():
        labels += [store.classes.index(segment.label) for segment in store.segments(i)]
    return Inspection(
        dataset=str(store.meta.get("dataset", "unknown")),
        layout=store.layout.name,
        fingerprint=store.fingerprint,
        recordings=len(store),
        frames=int(store.frames.sum(dtype=np.int64)),
        shortest=int(store.frames.min()),
        median_length=float(np.median(store.frames)),
        longest=int(store.frames.max()),
        one_frame=tuple(store.name(i) for i in np.flatnonzero(store.frames == 1).tolist()),
        short=int((store.frames <= SHORT).sum()),
        below_paper=int((store.frames < PAPER_LENGTH).sum()),
        classes=_tally(np.array(labels), store.classes),
        unlabeled=int(((store.labels < 0) & (store.segment_counts == 0)).sum()),
        subjects=_tally(store.subjects, store.subject_names),
        cameras=_tally(store.cameras, store.camera_names),
        fps=tuple(float(rate) for rate in np.unique(store.fps[~np.isnan(store.fps)])),
        unseen={j: float(n / present) for j, n in zip(store.layout.joints, missing, strict=True) if n},
        empty_frames=empty_frames,
        frozen=tuple(frozen),
        all_zero=tuple(all_zero),
        jumps=jumps,
        protocols={p: (len(store.split(p, "train")), len(store.split(p, "test"))) for p in store.protocols},
        twins={p: tuple(store.name(i) for i in store.twins(p).tolist()) for p in store.protocols},
        shared_subjects={p: _shared_subjects(store, p) for p in store.protocols},
        body_size=body_size,
        unit=_unit(body_size, store.layout),
    )


def _extent(positions: np.ndarray, valid: np.ndarray) -> float:
    """Median over bodies (N, J, C) of the longest side of the box around the valid joints."""
    seen = valid[..., None]
    high = np.where(seen, positions, -np.inf).max(1)
    low = np.where(seen, positions, np.inf).min(1)
    return float(np.median((high - low).max(-1)))


def _count_jumps(positions: np.ndarray, valid: np.ndarray, layout: Layout, size: float) -> int:
    joints = list(layout.center)
    center, seen = positions[:, :, joints].mean(2), np.all(valid[:, :, joints], axis=-1)  # (T, P, C), (T, P)
    steps = np.linalg.norm(np.diff(center, axis=0), axis=-1)
    return int((steps[seen[1:] & seen[:-1]] > JUMP * size).sum()) if size > 0 else 0


def _unit(size: float, layout: Layout) -> str:
    if layout.dims == 2:
        return "pixels"
    return next((unit for low, high, unit in _UNITS if low <= size < high), "unclear")


def _tally(numbers: np.ndarray, names: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(numbers[numbers >= 0], minlength=len(names))
    return dict(zip(names, counts.tolist(), strict=True))


def _shared_subjects(store: Store, protocol: str) -> tuple[str, ...]:
    train, test = (set(store.subjects[store.split(protocol, part)]) - {-1} for part in ("train", "test"))
    return tuple(store.subject_names[s] for s in sorted(train & test))


def _counts(counts: Mapping[str, int]) -> str:
    if not counts:
        return "none"
    values = list(counts.values())
    return f"{len(counts)}, with {min(values)} to {max(values)} recordings each"


def _some(names: Any) -> str:
    listed = ", ".join(list(names)[:_LISTED])
    return listed + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
