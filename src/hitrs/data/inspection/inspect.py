"""What is in a store, and what may be wrong with it: the things worth knowing before training on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hitrs.data.cleaning.operations import describe
from hitrs.data.formats.registry import read_recordings
from hitrs.data.importing import import_dataset
from hitrs.data.inspection.body import Bones, measure_bones
from hitrs.data.inspection.collection import (
    class_counts,
    exact_duplicates,
    label_glitches,
    near_duplicates,
    overlaps,
    shared_subjects,
    summarize_notes,
    trace_of,
    untrained_classes,
)
from hitrs.data.inspection.lost import find_lost, flat_axes
from hitrs.data.inspection.motion import (
    HELD,
    body_size,
    find_breaks,
    find_flips,
    find_frozen,
    find_jumps,
    find_repeats,
    find_spikes,
    find_swaps,
    masked_median,
)
from hitrs.data.inspection.result import PAPER_LENGTH, SHORT, Inspection
from hitrs.data.space import UNCLEAR, Space, measure_space, typical_space
from hitrs.data.store import Store, write_store
from hitrs.data.store_files import is_store
from hitrs.errors import ConfigError, DataError
from hitrs.files import made_here, recover_folder
from hitrs.skeleton.layout import Layout


@dataclass(frozen=True)
class Findings:
    """Findings on one recording."""

    bodies: int
    """Frames in which a person was seen, summed over persons."""
    missing: np.ndarray
    """(J,) bodies that lack the joint."""
    empty: int
    """Frames with nobody in them."""
    zero: bool
    """Joints count as seen, but all stand at 0."""
    lost: str
    """Joints that count as seen but were lost, in words."""
    flat: str
    """Axes whose coordinate never changes."""
    still: bool
    """Several frames that are all the same."""
    size: float
    """Longest side of a body; NaN if nobody was seen."""
    jumps: int
    spikes: int
    """Of single joints."""
    breaks: int
    """Frames in which the whole pose is another one, summed over persons."""
    swaps: int
    flips: int
    repeats: int
    """Frames that are exact copies of the frame before."""
    held: tuple[int, ...]
    """Joints that are frozen for a while."""
    bones: Bones | None
    """None in 2-D, where lengths change with the view."""
    space: Space
    trace: np.ndarray
    """What ``near_duplicates`` goes by."""


def examine(positions: np.ndarray, valid: np.ndarray, layout: Layout) -> Findings:
    """Look at one recording: positions (T, P, J, C) and valid (T, P, J)."""
    bodies = valid.any(-1)  # (T, P)
    missing, zero = (~valid[bodies]).sum(0), bool(bodies.any()) and not positions.any()
    lost = find_lost(positions, valid, layout)
    valid = valid & ~lost.any_kind  # what was lost is no jump, spike or copy too
    size = body_size(positions, valid)
    repeats = find_repeats(positions, valid)
    spikes = find_spikes(positions, valid, size)
    breaks = find_breaks(spikes, valid)
    return Findings(
        bodies=int(bodies.sum()),
        missing=missing,
        empty=int((~bodies.any(-1)).sum()),
        zero=zero,
        lost=lost.describe() if not zero else "",
        flat=flat_axes(positions, valid) if layout.dims == 3 else "",
        still=len(positions) > 1 and bool(repeats[1:].all()),
        size=size,
        jumps=int(find_jumps(positions, valid, size).sum()),
        spikes=int(spikes[~breaks].sum()),
        breaks=int(breaks.sum()),
        swaps=len(find_swaps(positions, valid, size)),
        flips=int(find_flips(positions, valid, layout, size).sum()),
        repeats=int(repeats.sum()),
        held=tuple(np.flatnonzero((find_frozen(positions, valid | lost.stuck) >= HELD).any(0)).tolist()),
        bones=measure_bones(positions, valid, layout) if layout.dims == 3 else None,
        space=measure_space(positions, valid, layout),
        trace=trace_of(positions, valid),
    )


DRIFT = 0.2
"""Bones that vary by more than this part of their length (mean over the bones of a body) are not measured
well: of the first Kinect's recordings that are at hand, half vary by less than 7 to 12%, one in a hundred by
more than 13 to 22%."""
ODD_SIZE = 1.6
"""A body so many times larger or smaller than the median one is not just tall: people differ by less."""
MOSTLY = 0.5
"""A recording lacks most of its joints from this share on."""


AT_MOST = 100_000
"""Recordings that are looked into unless more are asked for: half a minute to some minutes."""


def inspect_store(
    store: Store, progress: Callable[[int], None] = lambda done: None, at_most: int = AT_MOST
) -> Inspection:
    """Look at the recordings of a store, one at a time.

    >>> found = inspect_store(Store.open("stores/mine"))
    >>> found.body_size, found.unit
    (1.71, 'meters')

    Args:
        progress: is called with the number of recordings that were looked into so far.
        at_most: so many are looked into, evenly spread; lengths, labels, protocols, exact copies and notes
            are of all of them.

    Raises:
        ConfigError: if ``at_most`` is below 1.
    """
    if at_most < 1:
        raise ConfigError(f"at least one recording has to be looked into, not {at_most} (--at-most)")
    which = np.unique(np.linspace(0, len(store) - 1, min(len(store), at_most)).astype(np.int64))
    findings = []
    for index in which.tolist():
        findings.append(examine(store.positions(index), store.valid(index), store.layout))
        progress(len(findings))
    names = [store.name(index) for index in which.tolist()]

    def where(value: Callable[[Findings], Any]) -> dict[str, Any]:
        """Recording -> value, where that is not nothing."""
        return {
            name: result for name, finding in zip(names, findings, strict=True) if (result := value(finding))
        }

    looked_at = list(zip(which.tolist(), findings, strict=True))
    nobody = {index for index, finding in looked_at if not finding.bodies}
    without = nobody | {index for index, finding in looked_at if finding.zero}
    present = [finding for index, finding in looked_at if index not in without]
    space = typical_space(finding.space for finding in present)
    copies = exact_duplicates(store, without)
    near = near_duplicates(store, which, np.stack([finding.trace for finding in findings]))
    duplicates = {p: _named(store, np.setdiff1d(store.duplicates(p), list(without))) for p in store.protocols}
    missing = np.sum([finding.missing for finding in findings], axis=0)
    seen_bodies = sum(finding.bodies for finding in findings)
    unlabeled = (store.labels < 0) & (store.segment_counts == 0)
    return Inspection(
        dataset=str(store.meta.get("dataset", "unknown")),
        layout=store.layout.name,
        fingerprint=store.fingerprint,
        dtype=store.dtype,
        rounding=store.rounding,
        recordings=len(store),
        looked_into=len(which),
        frames=int(store.frames.sum(dtype=np.int64)),
        shortest=int(store.frames.min()),
        median_length=float(np.median(store.frames)),
        longest=int(store.frames.max()),
        lengths=tuple(store.frames.tolist()),
        one_frame=_named(store, np.flatnonzero(store.frames == 1)),
        short=int((store.frames <= SHORT).sum()),
        below_paper=int((store.frames < PAPER_LENGTH).sum()),
        classes=class_counts(store),
        unlabeled=_named(store, np.flatnonzero(unlabeled)),
        glitches=label_glitches(store),
        overlaps=overlaps(store),
        subjects=_tally(store.subjects, store.subject_names),
        cameras=_tally(store.cameras, store.camera_names),
        fps=_rates(store),
        unknown_fps=int(np.isnan(store.fps).sum()),
        repeats=where(lambda finding: 0 if finding.still or finding.zero else finding.repeats),
        unseen={j: float(n / seen_bodies) for j, n in zip(store.layout.joints, missing, strict=True) if n},
        mostly_unseen=where(_mostly),
        empty=where(lambda finding: finding.empty),
        empty_frames=sum(finding.empty for finding in findings),
        nobody=_named(store, sorted(nobody)),
        all_zero=tuple(where(lambda finding: finding.zero)),
        lost=where(lambda finding: finding.lost),
        flat=where(lambda finding: finding.flat if not finding.zero else ""),
        frozen=tuple(where(lambda finding: finding.still and not finding.zero)),
        frozen_joints=where(lambda finding: tuple(store.layout.joints[joint] for joint in finding.held)),
        jumps=where(lambda finding: finding.jumps),
        breaks=where(lambda finding: finding.breaks),
        spikes=where(lambda finding: finding.spikes),
        swaps=where(lambda finding: finding.swaps),
        flips=where(lambda finding: finding.flips),
        bone_drift=where(_drift),
        bone_variation=_variation(store, present),
        odd_size=_odd_sizes(names, findings),
        protocols={p: (len(store.split(p, "train")), len(store.split(p, "test"))) for p in store.protocols},
        duplicates=duplicates,
        near_duplicates={p: _near_leaks(store, p, near, duplicates[p]) for p in store.protocols},
        copies=tuple(_named(store, group) for group in copies),
        contradictions=tuple(
            _named(store, group) for group in copies if len(set(store.labels[group].tolist()) - {-1}) > 1
        ),
        untrained=untrained_classes(store),
        shared_subjects={p: shared_subjects(store, p) for p in store.protocols},
        body_size=float(np.median([finding.size for finding in present])) if present else float("nan"),
        unit=space.unit,
        unit_agreement=_agreement(space.unit, [finding.space.unit for finding in present]),
        odd_unit=where(
            lambda finding: (
                finding.space.unit
                if finding.space.unit not in (space.unit, UNCLEAR) and finding.size > 0
                else ""
            )
        ),
        up=space.up,
        up_agreement=_agreement(space.up, [finding.space.up for finding in present]),
        sides=space.sides,
        exchanged=tuple(
            name for name, finding in zip(names, findings, strict=True) if finding.space.sides == "exchanged"
        ),
        quarantined={item["source"]: item["reason"] for item in store.meta.get("quarantined", ())},
        notes=summarize_notes(store),
        about=tuple(str(note) for note in store.meta.get("notes", ())),
        cleaning=tuple(describe(step) for step in store.meta.get("cleaning", ())),
    )


def _named(store: Store, indices: Sequence[int] | np.ndarray) -> tuple[str, ...]:
    return tuple(store.name(int(index)) for index in indices)


def _agreement(guess: str, guesses: list[str]) -> float:
    """The share of all recordings that suggest what most do."""
    return 0.0 if guess == UNCLEAR else guesses.count(guess) / len(guesses)


def _mostly(finding: Findings) -> float:
    share = float(finding.missing.sum() / max(finding.bodies * len(finding.missing), 1))
    return share if share > MOSTLY else 0.0


def _drift(finding: Findings) -> float:
    if finding.bones is None:
        return 0.0
    varies = finding.bones.variation[~np.isnan(finding.bones.variation)]
    mean = float(varies.mean()) if len(varies) else 0.0
    return mean if mean > DRIFT else 0.0


def _variation(store: Store, findings: list[Findings]) -> dict[str, float]:
    variations = [finding.bones.variation for finding in findings if finding.bones is not None]
    if not variations:
        return {}
    values = np.stack(variations)
    middle = masked_median(values, ~np.isnan(values))
    joints = [store.layout.joints[child] for child, _ in store.layout.bones()]
    return {joint: float(value) for joint, value in zip(joints, middle, strict=True) if not np.isnan(value)}


def _odd_sizes(names: list[str], findings: list[Findings]) -> dict[str, float]:
    measured = [
        (name, finding.bones.lengths)
        for name, finding in zip(names, findings, strict=True)
        if finding.bones is not None
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


def _near_leaks(
    store: Store, protocol: str, pairs: list[tuple[int, int]], exact: tuple[str, ...]
) -> tuple[str, ...]:
    each = np.array([*pairs, *(pair[::-1] for pair in pairs)], np.int64).reshape(-1, 2)
    train, test = (store.split(protocol, part) for part in ("train", "test"))
    leaked = np.unique(each[np.isin(each[:, 0], train) & np.isin(each[:, 1], test), 1])
    return tuple(name for name in _named(store, leaked) if name not in set(exact))


def _tally(numbers: np.ndarray, names: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(numbers[numbers >= 0], minlength=len(names))
    return dict(zip(names, counts.tolist(), strict=True))


@contextmanager
def opened(
    path: str | Path,
    layout: Layout | str | None = None,
    format: str | None = None,
    columns: str | None = None,
) -> Iterator[Store]:
    """The recordings of a store, folder or file as a store, while the context is open.

    A folder is imported, and a file read, into a temporary store; files that cannot be read are listed in its
    meta. Layout, format and columns are for files that do not say themselves what they hold.

    Raises:
        DataError: if nothing can be read, or options are given for a store.
    """
    path = Path(path)
    recover_folder(path)
    if is_store(path):
        if any(option is not None for option in (layout, format, columns)):
            raise DataError(f"{path} is a store: it knows its layout; options for files do not apply to it.")
        yield Store.open(path)
        return
    if kind := made_here(path):
        raise DataError(f"{path} holds no recordings: {kind}.")
    with TemporaryDirectory(prefix="hitrs-inspect-") as folder:
        target = Path(folder) / "store"
        if path.is_dir():
            import_dataset(path, target, layout=layout, format=format, columns=columns, keep_lost=True)
        else:
            recordings = read_recordings(path, layout, format, columns)
            first = next(recordings, None)
            if first is None:
                raise DataError(f"{path} holds no recording.")
            write_store(target, chain([first], recordings), meta={"dataset": path.name})
        yield Store.open(target, verify=False)
