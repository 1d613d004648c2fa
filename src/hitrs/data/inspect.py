"""What is in a store, and what may be wrong with it: the things worth knowing before training on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hitrs.data.cleaning.operation import describe
from hitrs.data.inspection import labels
from hitrs.data.inspection.copies import exact_copies, near_copies
from hitrs.data.inspection.look import Look, look_at
from hitrs.data.inspection.measures import masked_median
from hitrs.data.inspection.result import PAPER_LENGTH, SHORT, Inspection
from hitrs.data.store import Store

DRIFT = 0.2
"""Bones that vary by more than this part of their length (mean over the bones of a body) are not measured
well: of the first Kinect's recordings that are at hand, half vary by less than 7 to 12%, one in a hundred by
more than 13 to 22%."""
ODD_SIZE = 1.6
"""A body so many times larger or smaller than the median one is not just tall: people differ by less."""
MOSTLY = 0.5
"""A recording lacks most of its joints from this share on."""


def inspect_store(store: Store, progress: Callable[[int], None] = lambda done: None) -> Inspection:
    """Look at every recording of a store, one at a time.

    Args:
        progress: is called with the number of recordings that were looked at so far.
    """
    looks = []
    for index in range(len(store)):
        looks.append(look_at(store.positions(index), store.valid(index), store.layout))
        progress(index + 1)
    names = [store.name(index) for index in range(len(store))]

    def where(value: Callable[[Look], Any]) -> dict[str, Any]:
        """Recording -> value, where that is not nothing."""
        return {name: found for name, look in zip(names, looks, strict=True) if (found := value(look))}

    nobody = {index for index, look in enumerate(looks) if not look.bodies}
    without = nobody | {index for index, look in enumerate(looks) if look.zero}
    present = [look for index, look in enumerate(looks) if index not in without]
    unit, unit_agreement = _majority([look.unit for look in present])
    up, up_agreement = _majority([look.up for look in present])
    copies = exact_copies(store, without)
    near = near_copies(store, np.stack([look.trace for look in looks]))
    twins = {p: _named(store, np.setdiff1d(store.twins(p), list(without))) for p in store.protocols}
    missing = np.sum([look.missing for look in looks], axis=0)
    seen_bodies = sum(look.bodies for look in looks)
    unlabeled = (store.labels < 0) & (store.segment_counts == 0)
    return Inspection(
        dataset=str(store.meta.get("dataset", "unknown")),
        layout=store.layout.name,
        fingerprint=store.fingerprint,
        recordings=len(store),
        frames=int(store.frames.sum(dtype=np.int64)),
        shortest=int(store.frames.min()),
        median_length=float(np.median(store.frames)),
        longest=int(store.frames.max()),
        lengths=tuple(store.frames.tolist()),
        one_frame=_named(store, np.flatnonzero(store.frames == 1)),
        short=int((store.frames <= SHORT).sum()),
        below_paper=int((store.frames < PAPER_LENGTH).sum()),
        classes=labels.class_counts(store),
        unlabeled=_named(store, np.flatnonzero(unlabeled)),
        glitches=labels.label_glitches(store),
        overlaps=labels.overlaps(store),
        subjects=_tally(store.subjects, store.subject_names),
        cameras=_tally(store.cameras, store.camera_names),
        fps=_rates(store),
        unknown_fps=int(np.isnan(store.fps).sum()),
        repeats=where(lambda look: 0 if look.still or look.zero else look.repeats),
        unseen={j: float(n / seen_bodies) for j, n in zip(store.layout.joints, missing, strict=True) if n},
        mostly_unseen=where(_mostly),
        empty=where(lambda look: look.empty),
        empty_frames=sum(look.empty for look in looks),
        nobody=_named(store, sorted(nobody)),
        all_zero=tuple(where(lambda look: look.zero)),
        frozen=tuple(where(lambda look: look.still and not look.zero)),
        frozen_joints=where(lambda look: tuple(store.layout.joints[joint] for joint in look.held)),
        jumps=where(lambda look: look.jumps),
        breaks=where(lambda look: look.breaks),
        spikes=where(lambda look: look.spikes),
        swaps=where(lambda look: look.swaps),
        flips=where(lambda look: look.flips),
        bone_drift=where(_drift),
        bone_variation=_variation(store, present),
        odd_size=_odd_sizes(names, looks),
        protocols={p: (len(store.split(p, "train")), len(store.split(p, "test"))) for p in store.protocols},
        twins=twins,
        near_twins={p: _near_twins(store, p, near, twins[p]) for p in store.protocols},
        copies=tuple(_named(store, group) for group in copies),
        contradictions=tuple(
            _named(store, group) for group in copies if len(set(store.labels[group].tolist()) - {-1}) > 1
        ),
        untrained=labels.untrained_classes(store),
        shared_subjects={p: labels.shared_subjects(store, p) for p in store.protocols},
        body_size=float(np.median([look.size for look in present])) if present else float("nan"),
        unit=unit,
        unit_agreement=unit_agreement,
        odd_unit=where(
            lambda look: look.unit if look.unit not in (unit, "unclear") and look.size > 0 else ""
        ),
        up=up,
        up_agreement=up_agreement,
        quarantined={item["source"]: item["reason"] for item in store.meta.get("quarantined", ())},
        notes=labels.summarize_notes(store),
        about=tuple(str(note) for note in store.meta.get("notes", ())),
        cleaning=tuple(describe(step) for step in store.meta.get("cleaning", ())),
    )


def _named(store: Store, indices: Sequence[int] | np.ndarray) -> tuple[str, ...]:
    return tuple(store.name(int(index)) for index in indices)


def _majority(guesses: list[str]) -> tuple[str, float]:
    """The most frequent clear guess and the share of all that it has."""
    counts = Counter(guess for guess in guesses if guess != "unclear")
    if not counts:
        return "unclear", 0.0
    guess, count = counts.most_common(1)[0]
    return guess, count / len(guesses)


def _mostly(look: Look) -> float:
    share = float(look.missing.sum() / max(look.bodies * len(look.missing), 1))
    return share if share > MOSTLY else 0.0


def _drift(look: Look) -> float:
    if look.bones is None:
        return 0.0
    varies = look.bones.variation[~np.isnan(look.bones.variation)]
    mean = float(varies.mean()) if len(varies) else 0.0
    return mean if mean > DRIFT else 0.0


def _variation(store: Store, looks: list[Look]) -> dict[str, float]:
    found = [look.bones.variation for look in looks if look.bones is not None]
    if not found:
        return {}
    values = np.stack(found)
    middle = masked_median(values, ~np.isnan(values))
    joints = [store.layout.joints[child] for child, _ in store.layout.bones()]
    return {joint: float(value) for joint, value in zip(joints, middle, strict=True) if not np.isnan(value)}


def _odd_sizes(names: list[str], looks: list[Look]) -> dict[str, float]:
    measured = [
        (name, look.bones.lengths) for name, look in zip(names, looks, strict=True) if look.bones is not None
    ]
    if not measured:
        return {}
    lengths = np.stack([bones for _, bones in measured])
    usual = masked_median(lengths, lengths > 0)
    ratio = masked_median(lengths / np.where(usual > 0, usual, np.nan), (lengths > 0) & (usual > 0), axis=1)
    odd = (ratio > ODD_SIZE) | (ratio < 1 / ODD_SIZE)
    return {measured[index][0]: float(ratio[index]) for index in np.flatnonzero(odd).tolist()}


def _rates(store: Store) -> dict[str, int]:
    rates, counts = np.unique(store.fps[~np.isnan(store.fps)], return_counts=True)
    return {f"{rate:g}": count for rate, count in zip(rates.tolist(), counts.tolist(), strict=True)}


def _near_twins(
    store: Store, protocol: str, pairs: list[tuple[int, int]], exact: tuple[str, ...]
) -> tuple[str, ...]:
    train, test = (set(store.split(protocol, part).tolist()) for part in ("train", "test"))
    leaked = {b for pair in pairs for a, b in (pair, pair[::-1]) if a in train and b in test}
    return tuple(name for name in _named(store, sorted(leaked)) if name not in set(exact))


def _tally(numbers: np.ndarray, names: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(numbers[numbers >= 0], minlength=len(names))
    return dict(zip(names, counts.tolist(), strict=True))
