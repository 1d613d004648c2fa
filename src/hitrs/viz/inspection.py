"""The page of an inspection: what is in the data, and a picture of each kind of finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hitrs import __version__
from hitrs.data.inspection.collection import GLITCH
from hitrs.data.inspection.motion import (
    body_size,
    find_breaks,
    find_flips,
    find_frozen,
    find_jumps,
    find_repeats,
    find_spikes,
    find_swaps,
)
from hitrs.data.inspection.result import PAPER_LENGTH, Inspection
from hitrs.data.recording import Recording
from hitrs.data.store import Store
from hitrs.errors import DataError, counted
from hitrs.viz.inspection_plots import (
    plot_bones,
    plot_counts,
    plot_lengths,
    plot_on_skeleton,
    plot_strip,
    plot_timeline,
)
from hitrs.viz.report import Report

_AROUND = 2
"""Frames shown before and after the one in question."""
_RIGID = 0.002
"""Bones that vary by less than this part of their length do not vary: the rest is rounding."""
_RAISES = 20
"""1.3 to this power: a hundred times the usual limit."""
_LONGEST_TABLE = 300
"""Rows; a page with more is slow to open, and ``--json`` has everything."""


def write_inspection(store: Store, inspection: Inspection, out: Path) -> Path:
    """Write the findings on a store as one HTML page with pictures, and return its path.

    Raises:
        ConfigError: for another suffix than .html.
        DataError: if the page cannot be written.
    """
    report = Report(
        f"What is in {inspection.dataset}",
        f"hitrs {__version__}, layout {inspection.layout}, content `{inspection.fingerprint[:12]}`",
    )
    lines = inspection.lines()
    report.text(
        f"{inspection.recordings} recordings with {inspection.frames} frames, "
        f"{len(inspection.classes)} classes, {len(inspection.subjects) or 'unknown'} subjects."
    )
    attention = [_sentence(line) for line in lines if line.startswith("!")]
    report.text("## What needs attention")
    report.text("\n".join(f"- {line}" for line in attention) if attention else "Nothing was inspection.")
    with TemporaryDirectory(prefix="hitrs-inspect-") as folder:
        pictures = Path(folder)
        report.text("## What is in it")
        _content(report, inspection, pictures)
        if inspection.somebody:
            _bodies(report, store, inspection, pictures)
        examples = list(_examples(store, inspection, pictures))
        if examples:
            report.text("## An example of each finding")
            for heading, picture, caption in examples:
                if heading:
                    report.text(f"### {heading}")
                report.figure(picture, caption)
    rows = _rows(inspection)
    if rows:
        report.text("## Recordings")
        report.table(["recording", "what was found"], rows[:_LONGEST_TABLE])
        if len(rows) > _LONGEST_TABLE:
            report.text(f"And {len(rows) - _LONGEST_TABLE} more; `hitrs inspect --json` has all of them.")
    report.text("## All in words")
    report.code("\n".join(lines))
    return report.write(out)


def _sentence(line: str) -> str:
    what, _, text = line[2:].partition(" ")
    return f"**{what}** {text.strip()}"


def _content(report: Report, inspection: Inspection, folder: Path) -> None:
    marks = {f"{PAPER_LENGTH}: all pretext tasks": PAPER_LENGTH}
    plot_lengths(inspection.lengths, folder / "lengths.png", marks)
    report.figure(
        folder / "lengths.png",
        f"Frames of each recording: {inspection.shortest} to {inspection.longest}, "
        f"median {inspection.median_length:g}.",
    )
    if inspection.classes:
        picture = folder / "classes.png"
        plot_counts(inspection.classes, picture, "Class balance", "recordings or labeled segments")
        report.figure(picture, "How often each class is shown.")
    for name, (train, test) in inspection.protocols.items():
        if inspection.duplicates[name] or inspection.near_duplicates[name]:
            rest = test - len(inspection.duplicates[name]) - len(inspection.near_duplicates[name])
            parts = f"{train} train, {test} test, of which {rest} have no duplicate in training"
            report.text(f"Protocol **{name}**: {parts}.")


def _bodies(report: Report, store: Store, inspection: Inspection, folder: Path) -> None:
    example = _typical(store)
    if inspection.unseen:
        picture, title = folder / "unseen.png", "Joints that are not seen"
        plot_on_skeleton(example, inspection.unseen, picture, title, "% of bodies", inspection.up)
        report.figure(picture, "Share of bodies that lack the joint, over all frames.")
    if inspection.bone_variation and max(inspection.bone_variation.values()) < _RIGID:
        report.text("Bones keep their lengths, as in motion capture that was fitted to a skeleton.")
    elif inspection.bone_variation:
        percents = {joint: 100 * value for joint, value in inspection.bone_variation.items()}
        plot_counts(percents, folder / "bones.png", "How much bones change their length", "%")
        report.figure(
            folder / "bones.png",
            "Variation of the bone from each joint to its parent, as a part of its length: median over the "
            "recordings. Real bones do not change; small values tell how well joints are measured.",
        )


def _typical(store: Store) -> Recording:
    """A recording of which much is seen: the best of some."""
    some = np.unique(np.linspace(0, len(store) - 1, 50).astype(int)).tolist()
    return store[max(some, key=lambda index: int(store.valid(index).sum(-1).max()))]


@dataclass(frozen=True)
class _Scene:
    """What to show of a finding: frames around one, or some others; a joint; and what is seen there."""

    frame: int
    caption: str
    joint: tuple[int, int] | None = None
    frames: tuple[int, ...] = ()


def _examples(store: Store, inspection: Inspection, folder: Path) -> Iterator[tuple[str, Path, str]]:
    """Heading, picture and caption for each kind of finding, on the recording that has most of it."""
    numbers = {store.name(index): index for index in range(len(store))}
    kinds: tuple[tuple[str, Mapping[str, float], Callable[[Recording], _Scene]], ...] = (
        ("A body that jumps", inspection.jumps, _jump),
        ("A pose that does not fit", inspection.breaks, _break),
        ("A joint that leaves the body", inspection.spikes, _spike),
        ("Bodies that exchange slots", inspection.swaps, _swap),
        ("Left and right exchanged", inspection.flips, _flip),
        ("A frozen joint", {name: len(joints) for name, joints in inspection.frozen_joints.items()}, _frozen),
        ("A frame that is repeated", inspection.repeats, _repeat),
        (
            "Frames with nobody in them",
            {n: c for n, c in inspection.empty.items() if n not in inspection.nobody},
            _empty,
        ),
        ("Most joints are missing", inspection.mostly_unseen, _least),
    )
    for number, (heading, findings, show) in enumerate(kinds):
        if findings:
            name = max(findings, key=lambda each: findings[each])
            recording = store[numbers[name]]
            scene = show(recording)
            first = max(0, min(scene.frame - _AROUND, recording.n_frames - 2 * _AROUND - 1))
            frames = scene.frames or tuple(range(first, min(first + 2 * _AROUND + 1, recording.n_frames)))
            picture = folder / f"example{number}.png"
            with suppress(DataError):  # none of these frames may show anybody: then there is nothing to draw
                plot_strip(recording, frames, picture, inspection.up, scene.frame, scene.joint)
                yield heading, picture, f"{name}: {scene.caption}"
    if inspection.bone_drift:
        name = max(inspection.bone_drift, key=lambda each: inspection.bone_drift[each])
        plot_bones(store[numbers[name]], folder / "drift.png", f"Bones of {name}")
        caption = f"{name}: bones vary by {100 * inspection.bone_drift[name]:.0f}% on average."
        yield "Bones that change their length", folder / "drift.png", caption
    if inspection.copies:
        for place, name in enumerate(inspection.copies[0][:2]):
            recording = store[numbers[name]]
            frames = tuple(np.unique(np.linspace(0, recording.n_frames - 1, 5).astype(int)).tolist())
            plot_strip(recording, frames, folder / f"copy{place}.png", inspection.up)
            heading = "" if place else "The same sequence twice"
            yield heading, folder / f"copy{place}.png", f"{name}{_parts(store, numbers[name])}"
    if inspection.glitches:
        name = next(iter(inspection.glitches))
        recording = store[numbers[name]]
        short = [k for k, segment in enumerate(recording.segments) if segment.stop - segment.start <= GLITCH]
        plot_timeline(recording, short, folder / "labels.png")
        caption = f"{name}: segments of at most {GLITCH} frames in red."
        yield "Labels that cannot be right", folder / "labels.png", caption


def _parts(store: Store, index: int) -> str:
    """ " (protocol: part)" of each protocol that has the recording."""
    names = [
        f"{protocol}: {part}"
        for protocol in store.protocols
        for part in ("train", "test")
        if index in store.split(protocol, part)
    ]
    return f" ({', '.join(names[:3])})" if names else ""


def _jump(recording: Recording) -> _Scene:
    jumps = _worst(recording, find_jumps)
    frame, person = np.argwhere(jumps)[0].tolist()
    return _Scene(frame, f"person {person} jumps in frame {frame}.")


def _break(recording: Recording) -> _Scene:
    def breaks(positions: np.ndarray, valid: np.ndarray, size: float) -> np.ndarray:
        return find_breaks(find_spikes(positions, valid, size), valid)

    frame, person = np.argwhere(_worst(recording, breaks))[0].tolist()
    return _Scene(frame, f"the pose of person {person} in frame {frame} fits none of the frames around.")


def _spike(recording: Recording) -> _Scene:
    def spikes(positions: np.ndarray, valid: np.ndarray, size: float) -> np.ndarray:
        found = find_spikes(positions, valid, size)
        return found & ~find_breaks(found, valid)[..., None]

    frame, person, joint = np.argwhere(_worst(recording, spikes))[0].tolist()
    name = recording.layout.joints[joint]
    return _Scene(frame, f"{name} of person {person} is out of place in frame {frame}.", (person, joint))


def _worst(recording: Recording, find: Callable[[np.ndarray, np.ndarray, float], np.ndarray]) -> np.ndarray:
    """What is found with a limit that is raised until nearly nothing is left."""
    size = body_size(recording.positions, recording.valid)
    found = find(recording.positions, recording.valid, size)
    for _ in range(_RAISES):
        size *= 1.3
        fewer = find(recording.positions, recording.valid, size)
        if not fewer.any():
            break
        found = fewer
    return found


def _swap(recording: Recording) -> _Scene:
    size = body_size(recording.positions, recording.valid)
    frame, a, b = find_swaps(recording.positions, recording.valid, size)[0].tolist()
    return _Scene(frame, f"persons {a} and {b} exchange slots in frame {frame}, so their colors change.")


def _flip(recording: Recording) -> _Scene:
    size = body_size(recording.positions, recording.valid)
    flips = find_flips(recording.positions, recording.valid, recording.layout, size)
    frame, person = np.argwhere(flips)[0].tolist()
    return _Scene(frame, f"the colors of person {person} change sides in frame {frame}.")


def _frozen(recording: Recording) -> _Scene:
    runs = find_frozen(recording.positions, recording.valid)
    person, joint = (int(place) for place in np.unravel_index(runs.argmax(), runs.shape))
    track, seen = recording.positions[:, person, joint], recording.valid[:, person, joint]
    held = np.concatenate([[False], (track[1:] == track[:-1]).all(-1) & seen[1:] & seen[:-1]])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], held.astype(int), [0]]))).reshape(-1, 2)
    start, stop = edges[(edges[:, 1] - edges[:, 0]).argmax()].tolist()
    frames = tuple(np.unique(np.linspace(start - 1, stop - 1, 5).astype(int)).tolist())
    name = recording.layout.joints[joint]
    caption = f"{name} of person {person} keeps its exact place from frame {start - 1} to {stop - 1}."
    return _Scene(-1, caption, (person, joint), frames)


def _repeat(recording: Recording) -> _Scene:
    frame = int(find_repeats(recording.positions, recording.valid).argmax())
    return _Scene(frame, f"frame {frame} is an exact copy of frame {frame - 1}.")


def _empty(recording: Recording) -> _Scene:
    somebody = np.asarray(recording.valid.any((1, 2)))
    # Best at a border, where one also sees who was there.
    borders = np.flatnonzero(somebody[:-1] != somebody[1:])
    frame = int(borders[0] + somebody[borders[0]]) if len(borders) else 0
    count = int((~somebody).sum())
    return _Scene(frame, f"nobody is seen in {count} of {recording.n_frames} frames, the first is {frame}.")


def _least(recording: Recording) -> _Scene:
    seen = recording.valid.sum((1, 2))
    frame = int(np.where(seen > 0, seen, seen.max() + 1).argmin())
    joints = recording.valid[0].size
    return _Scene(frame, f"{int(seen[frame])} of {joints} joints are seen in frame {frame}.")


def _rows(inspection: Inspection) -> list[list[str]]:
    """Recording -> what was found, in one line each; those with most findings first."""
    said: dict[str, list[str]] = {}

    def add(names: Mapping[str, object] | tuple[str, ...], text: str) -> None:
        for name in names:
            value = names[name] if isinstance(names, Mapping) else ""
            said.setdefault(name, []).append(text.format(value))

    def count(numbers: Mapping[str, int], one: str, many: str | None = None) -> None:
        add({name: counted(number, one, many) for name, number in numbers.items()}, "{}")

    add(inspection.nobody, "nobody is ever seen")
    add(inspection.all_zero, "nothing but zeros")
    add(inspection.lost, "{}")
    add(inspection.flat, "{} never changes")
    add(inspection.one_frame, "one frame")
    add(inspection.frozen, "nothing moves")
    count(inspection.glitches, "label of at most 4 frames", "labels of at most 4 frames")
    count(inspection.overlaps, "label that overlaps", "labels that overlap")
    add(inspection.odd_unit, "in {}")
    add({name: f"{ratio:.2g}" for name, ratio in inspection.odd_size.items()}, "{} times as large as others")
    count(inspection.swaps, "exchange of bodies", "exchanges of bodies")
    count(inspection.flips, "exchange of left and right", "exchanges of left and right")
    add(inspection.exchanged, "left and right exchanged throughout")
    count(inspection.jumps, "jump")
    count(inspection.breaks, "pose that does not fit", "poses that do not fit")
    count(inspection.spikes, "spike")
    add({name: f"{100 * value:.0f}" for name, value in inspection.bone_drift.items()}, "bones vary by {}%")
    add({name: ", ".join(joints) for name, joints in inspection.frozen_joints.items()}, "frozen: {}")
    count(inspection.repeats, "repeated frame")
    nobody, unseen = inspection.nobody, inspection.mostly_unseen
    empty = {name: number for name, number in inspection.empty.items() if name not in nobody}
    count(empty, "frame with nobody", "frames with nobody")
    add({name: f"{100 * share:.0f}" for name, share in unseen.items()}, "{}% of joints missing")
    for protocol, names in inspection.duplicates.items():
        add(names, f"stands in the training part of {protocol} too")
    for protocol, names in inspection.near_duplicates.items():
        add(names, f"nearly the same stands in the training part of {protocol}")
    return [[name, "; ".join(texts)] for name, texts in sorted(said.items(), key=lambda row: -len(row[1]))]
