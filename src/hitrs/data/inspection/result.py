"""All findings on a store, and how they are told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hitrs.data.space import UNCLEAR
from hitrs.errors import counted

SHORT = 10
"""Frames; hardly any movement fits into so few."""
PAPER_LENGTH = 19
"""Frames that all four pretext tasks need in the paper's setting; shorter sequences take part in some."""
IMBALANCE = 10
"""A class with so many times more recordings than another gets most of the attention in training."""
_LISTED = 5


@dataclass(frozen=True)
class Inspection:
    """Findings on a store; names of recordings are listed completely, ``lines()`` shows the first few."""

    dataset: str
    layout: str
    fingerprint: str
    """SHA-256 of the store's content."""
    dtype: str
    """How positions are stored, "float32" or "int16"."""
    rounding: float
    """By how much a coordinate may be off because of that, at most."""
    recordings: int
    looked_into: int
    """So many of them, evenly spread; what is found in a recording's movement is of these alone."""
    frames: int
    shortest: int
    median_length: float
    longest: int
    lengths: tuple[int, ...]
    """Frames of each recording."""
    one_frame: tuple[str, ...]
    """Recordings of a single frame."""
    short: int
    """Recordings of at most 10 frames."""
    below_paper: int
    """Recordings of fewer than 19 frames."""
    classes: dict[str, int]
    """Recordings (for untrimmed data: segments) of each class."""
    unlabeled: tuple[str, ...]
    """Recordings with neither a label nor segments."""
    glitches: dict[str, int]
    """Recording -> labeled segments of at most 4 frames."""
    overlaps: dict[str, int]
    """Recording -> labeled segments that begin before an earlier one has ended."""
    subjects: dict[str, int]
    cameras: dict[str, int]
    fps: dict[str, int]
    """Frame rate that occurs -> recordings; empty = unknown throughout."""
    unknown_fps: int
    """Recordings of unknown frame rate."""
    repeats: dict[str, int]
    """Recording -> frames that are exact copies of the frame before: frames were dropped, or the rate was
    raised by repeating."""
    unseen: dict[str, float]
    """Joint name -> share of bodies that lack it, over all frames; only joints that are ever missing."""
    mostly_unseen: dict[str, float]
    """Recording -> share of joints that its bodies lack, where that is more than a half."""
    empty: dict[str, int]
    """Recording -> frames in which nobody is seen."""
    empty_frames: int
    """The sum of these."""
    nobody: tuple[str, ...]
    """Recordings in which nobody is ever seen: the file held nothing, zeros or NaN."""
    all_zero: tuple[str, ...]
    """Recordings whose joints count as seen, but all stand at 0."""
    lost: dict[str, str]
    """Recording -> joints that count as seen though the tracker had lost them, in words with counts."""
    flat: dict[str, str]
    """Recording -> axes whose coordinate is the same for all joints in all frames (3-D)."""
    frozen: tuple[str, ...]
    """Recordings of several frames in which nothing moves at all."""
    frozen_joints: dict[str, tuple[str, ...]]
    """Recording -> joints that keep their exact place for 10 frames or more while the body moves."""
    jumps: dict[str, int]
    """Recording -> how often a body moves by more than half its size in one frame: lost or swapped bodies."""
    breaks: dict[str, int]
    """Recording -> frames in which a body's whole pose is another one than before and after."""
    spikes: dict[str, int]
    """Recording -> how often a single joint leaves the body for a frame or two and returns."""
    swaps: dict[str, int]
    """Recording -> how often two bodies exchange their slots."""
    flips: dict[str, int]
    """Recording -> how often left and right of a body are exchanged."""
    bone_drift: dict[str, float]
    """Recording -> how much its bones vary in length, as a part of it, where that is unusually much (3-D)."""
    bone_variation: dict[str, float]
    """Joint -> how much the bone to its parent varies in length, median over recordings (3-D)."""
    odd_size: dict[str, float]
    """Recording -> its bones over those of the median recording, where they are much longer or shorter."""
    protocols: dict[str, tuple[int, int]]
    """Name -> recordings in train and test."""
    duplicates: dict[str, tuple[str, ...]]
    """Protocol -> test recordings whose exact content also stands in the training part."""
    near_duplicates: dict[str, tuple[str, ...]]
    """Protocol -> further test recordings that are training ones but for a shift and rounding."""
    copies: tuple[tuple[str, ...], ...]
    """Groups of recordings of the same content, whatever part they are in."""
    contradictions: tuple[tuple[str, ...], ...]
    """Those of these groups that carry different labels."""
    untrained: dict[str, tuple[str, ...]]
    """Protocol -> classes that its test part shows and its training part does not."""
    shared_subjects: dict[str, tuple[str, ...]]
    """Protocol -> subjects that stand in both parts (in a cross-view protocol that is meant)."""
    body_size: float
    """Median over recordings of the largest extent of a body; NaN if none was seen."""
    unit: str
    """What the bodies suggest: "meters", "centimeters", "millimeters", "pixels" (2-D) or "unclear"."""
    unit_agreement: float
    """Share of the recordings with somebody in them that suggest this unit."""
    odd_unit: dict[str, str]
    """Recording -> the unit it suggests, where that is clear and another one."""
    up: str
    """Axis along which heads stand above feet: "y", "-y", "z", ..., or "unclear"."""
    up_agreement: float
    """Share of the recordings with somebody in them that suggest this axis."""
    sides: str
    """ "right" where the left joints of most recordings are on the left, "exchanged", or "unclear"."""
    exchanged: tuple[str, ...]
    """Recordings whose left and right look exchanged throughout."""
    quarantined: dict[str, str]
    """File that could not be read -> why."""
    notes: dict[str, int]
    """What readers and cleaning noted -> in how many recordings; N stands for numbers that differ."""
    about: tuple[str, ...]
    """What the import noted about the data set as a whole."""
    cleaning: tuple[str, ...]
    """What was done to the data by ``hitrs clean``."""

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON; what is not a number (the size, where nobody is seen) is None."""
        values = asdict(self)
        return {key: None if isinstance(v, float) and math.isnan(v) else v for key, v in values.items()}

    @property
    def somebody(self) -> bool:
        return len(self.nobody) < self.looked_into

    def lines(self) -> list[str]:
        """Plain lines for people, findings that need attention marked with "!"."""
        return [*self._what_it_is(), *self._recordings(), *self._joints(), *self._splits(), *self._said()]

    def _what_it_is(self) -> list[str]:
        size = up = "unknown, nobody is seen"
        if self.somebody:
            sure = f" ({_percent(self.unit_agreement)} of the recordings agree)"
            size = f"{self.body_size:.4g}, so the unit is {self.unit}" + sure * (self.unit != "pixels")
            up = f"{self.up} ({_percent(self.up_agreement)} of the recordings agree)"
        rates = ", ".join(f"{rate} ({count})" for rate, count in self.fps.items())
        unknown = f"{self.unknown_fps} unknown" if self.fps and self.unknown_fps else ""
        flat = self.unit == "pixels"
        attention = {
            "rate": len(self.fps) + bool(unknown) > 1,
            "size": self.somebody and self.unit not in ("meters", "pixels"),
            "up": self.somebody and self.up not in (("-y",) if flat else ("y",)),
            "classes": bool(self._unbalanced()),
        }
        return [
            f"  data set      {self.dataset}, layout {self.layout}, content {self.fingerprint[:12]}",
            f"  recordings    {self.recordings} with {counted(self.frames, 'frame')} in all",
            *self._sampled(),
            f"  lengths       {self.shortest} to {counted(self.longest, 'frame')}, "
            f"median {self.median_length:g}; {self.short} have at most {SHORT}, "
            f"{self.below_paper} fewer than {PAPER_LENGTH}",
            _line(attention["rate"], "frame rate", ", ".join(filter(None, (rates, unknown))) or "unknown"),
            _line(attention["size"], "body size", size),
            _line(attention["up"], "up axis", up),
            *([f"  positions     {rounded(self.dtype, self.rounding, self.unit)}"] if self.rounding else []),
            _line(attention["classes"], "classes", _counts(self.classes) + self._unbalanced()),
            f"  subjects      {_counts(self.subjects)}",
            f"  cameras       {_counts(self.cameras)}",
            *(
                f"  protocol      {name}: {a} train, {b} test{self._shared(name)}"
                for name, (a, b) in self.protocols.items()
            ),
        ]

    def _sampled(self) -> list[str]:
        if self.looked_into == self.recordings:
            return []
        return [
            f"! looked into   {self.looked_into} of them, evenly spread (--at-most {self.recordings}: all); "
            "counts of what is wrong in the movement, and body size, unit and axis, are of these"
        ]

    def _shared(self, protocol: str) -> str:
        count = len(self.shared_subjects[protocol])
        return f"; {counted(count, 'subject stands', 'subjects stand')} in both parts" if count else ""

    def _unbalanced(self) -> str:
        none = [name for name, count in self.classes.items() if not count]
        if none:
            return f"; none of {_some(none)}"
        counts = self.classes.values()
        return "; unbalanced" if counts and max(counts) > IMBALANCE * min(counts) else ""

    def _recordings(self) -> list[str]:
        findings: tuple[tuple[Iterable[str], str], ...] = (
            (self.unlabeled, "without a label"),
            (self.glitches, f"with {_total(self.glitches, 'labeled segment')} of 1 to 4 frames"),
            (self.overlaps, "with labeled segments that overlap"),
            (self.one_frame, "of one frame"),
            (self.nobody, "in which nobody is ever seen (nothing, zeros or NaN)"),
            (self.all_zero, "of nothing but zeros"),
            (
                self.lost,
                "with joints that the tracker had lost, but that count as seen (`hitrs clean --lost`)",
            ),
            (self.flat, "without depth: a coordinate never changes"),
            (self.frozen, "in which nothing moves"),
            (self.repeats, f"with {_total(self.repeats, 'frame')} like the one before"),
            (_worst(self.jumps), f"in which a body jumps ({_total(self.jumps, 'time')})"),
            (
                _worst(self.breaks),
                f"with poses that fit none of the frames around ({_total(self.breaks, 'time')})",
            ),
            (_worst(self.swaps), f"in which bodies exchange slots ({_total(self.swaps, 'time')})"),
            (_worst(self.flips), f"in which left and right are exchanged ({_total(self.flips, 'time')})"),
            (self.exchanged, "in which left and right look exchanged throughout (or an axis mirrored)"),
            (_worst(self.bone_drift), "in which bones change their length"),
            (_worst(self.odd_size), "with bodies much larger or smaller than the others"),
            (self.odd_unit, "that suggest another unit"),
        )
        return [f"! recordings    {len(list(n))} {text}: {_some(n)}" for n, text in findings if n]

    def _joints(self) -> list[str]:
        lines = []
        if self.empty_frames:
            lines.append(
                f"! frames        {counted(self.empty_frames, 'with nobody in it', 'with nobody in them')}, "
                f"in {counted(len(self.empty), 'recording')}: {_some(_worst(self.empty))}"
            )
        if self.unseen:
            worst = [f"{joint} {_percent(self.unseen[joint])}" for joint in _worst(self.unseen)]
            lines.append(f"! joints        not always seen: {_some(worst)}")
        if self.mostly_unseen:
            names = _some(_worst(self.mostly_unseen))
            count = counted(len(self.mostly_unseen), "recording")
            lines.append(f"! joints        most are missing in {count}: {names}")
        if self.frozen_joints:
            joints: dict[str, int] = {}
            for held in self.frozen_joints.values():
                for joint in held:
                    joints[joint] = joints.get(joint, 0) + 1
            lines.append(
                "! joints        frozen while the body moves, in "
                f"{counted(len(self.frozen_joints), 'recording')}: "
                f"{_some([f'{joint} ({joints[joint]})' for joint in _worst(joints)])}"
            )
        if self.spikes:
            lines.append(
                f"! joints        {_total(self.spikes, 'spike')} of single joints, in "
                f"{counted(len(self.spikes), 'recording')}: {_some(_worst(self.spikes))}"
            )
        return lines

    def _splits(self) -> list[str]:
        lines = []
        for name, (_, test) in self.protocols.items():
            exact, near = self.duplicates[name], self.near_duplicates[name]
            if exact:
                one, many = (
                    "test recording is an exact copy of a training one",
                    "test recordings are exact copies of training ones",
                )
                lines.append(f"! leak          {name}: {counted(len(exact), one, many)}")
            if near:
                more = "more " * bool(exact)
                one, many = (
                    f"{more}test recording is a training one",
                    f"{more}test recordings are training ones",
                )
                lines.append(
                    f"! leak          {name}: {counted(len(near), one, many)} but for a shift and rounding"
                )
            if exact or near:
                rest = test - len(exact) - len(near)
                names = _some([*exact, *near])
                left = counted(rest, "test recording remains", "test recordings remain")
                lines.append(f"                ({names}); {left} without them")
            if self.untrained[name]:
                lines.append(
                    f"! classes       {name}: no training recording shows {_some(self.untrained[name])}"
                )
        if self.copies:
            some = _some([" = ".join(group) for group in self.copies])
            groups = counted(len(self.copies), "group of recordings is", "groups of recordings are")
            lines.append(f"! copies        {groups} the same: {some}")
        if self.contradictions:
            some = _some([" = ".join(group) for group in self.contradictions])
            groups = counted(len(self.contradictions), "of these groups has", "of these groups have")
            lines.append(f"! labels        {groups} different labels: {some}")
        return lines

    def _said(self) -> list[str]:
        lines = []
        if self.quarantined:
            lines.append(f"! quarantined   {counted(len(self.quarantined), 'file')} could not be read")
            shown = list(self.quarantined.items())[:_LISTED]
            lines += [f"                {source}: {reason}" for source, reason in shown]
            if len(self.quarantined) > _LISTED:
                lines.append(f"                and {len(self.quarantined) - _LISTED} more (--json lists all)")
        notes = list(self.notes.items())
        lines += [
            f"  note          in {counted(count, 'recording')}: {note}" for note, count in notes[:_LISTED]
        ]
        lines += [f"  note          and {len(notes) - _LISTED} other notes"] if len(notes) > _LISTED else []
        lines += [f"  note          {note}" for note in self.about]
        return [*lines, *(f"  cleaned       {step}" for step in self.cleaning)]


def rounded(dtype: str, rounding: float, unit: str) -> str:
    """How positions are stored that were rounded, in words."""
    known = f" {unit}" * (unit != UNCLEAR)
    return f"{dtype}, coordinates are rounded by at most {rounding:.3g}{known}"


def _line(attention: bool, what: str, text: str) -> str:
    return f"{'!' if attention else ' '} {what:<13} {text}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.995 else "100%"


def _total(counts: Mapping[str, int], noun: str) -> str:
    """How often it happened over all recordings."""
    return counted(sum(counts.values()), noun)


def _worst(values: Mapping[str, float]) -> list[str]:
    """Names by falling value."""
    return sorted(values, key=lambda name: -values[name])


def _counts(counts: Mapping[str, int]) -> str:
    if not counts:
        return "none"
    values = list(counts.values())
    return f"{len(counts)}, with {min(values)} to {max(values)} recordings each"


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
