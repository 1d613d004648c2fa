"""One recording: where each joint of each person was in each frame, and what is known about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.errors import DataError, counted
from hitrs.skeleton.layout import Layout, get_layout

LARGEST = 1e7
"""A coordinate beyond this (ten kilometers in millimeters) is no position, and would drown all others."""
_CATEGORY = "category"


def _category() -> Any:
    return field(default=None, metadata={_CATEGORY: True})


@dataclass(frozen=True)
class Segment:
    """An action inside an untrimmed recording, frames [start, stop), 0-based."""

    start: int
    stop: int
    label: str


def fit_segments(segments: Sequence[Segment], frames: int) -> tuple[tuple[Segment, ...], tuple[str, ...]]:
    """Segments of a recording of so many frames, and a sentence for each that ended one frame late.

    That is what comes of counting frames from 1, or of a last frame that is part of the segment; it is cut.
    Whatever else lies outside stays, for ``Recording`` to refuse.

    Example:
        >>> fit_segments([Segment(3, 11, "wave")], frames=10)[0]
        (Segment(start=3, stop=10, label='wave'),)
    """
    late = [each for each in segments if each.stop == frames + 1 and each.start < frames]
    fitting = tuple(replace(each, stop=frames) if each in late else each for each in segments)
    notes = [
        f"segment '{each.label}' from frame {each.start} ended at frame {each.stop}, one behind the last of "
        f"{frames} frames, and was cut there"
        for each in late
    ]
    return fitting, tuple(notes)


@dataclass(kw_only=True)
class Metadata:
    """What is known about a recording besides what it shows.

    This is the only list of these fields: the index and columns of a store, the keys of an npz file and the
    columns of ``labels.csv`` follow from it. A field made by ``_category()`` is a text that many recordings
    share.
    """

    name: str = "recording"
    """Unique within a data set; usually the file name without suffix."""
    fps: float | None = None
    """Frames per second; None = unknown."""
    label: str | None = None
    """Class name of a trimmed recording; None = not labeled."""
    subject: str | None = _category()
    """Who moves; None = unknown, as for the other texts."""
    camera: str | None = _category()
    """Which camera filmed."""
    session: str | None = _category()
    """When it was recorded, where subjects came more than once."""
    part: str | None = None
    """Part of the published split ("train" or "test") that the file itself states; None = none."""
    source: str = ""
    """The file it came from, relative to the folder that was imported."""
    notes: tuple[str, ...] = ()
    """What a reader or cleaning left out, joined or changed, in sentences for people."""

    def __post_init__(self) -> None:
        for each in fields(Metadata):
            value = getattr(self, each.name)
            if (
                isinstance(value, str) and not value.isascii()
            ):  # a file name, or JSON, may hold half a character
                setattr(self, each.name, value.encode(errors="backslashreplace").decode())

    def metadata(self) -> dict[str, Any]:
        """Field -> value."""
        return {each.name: getattr(self, each.name) for each in fields(Metadata)}


CATEGORIES = tuple(each.name for each in fields(Metadata) if each.metadata.get(_CATEGORY))
"""Fields of ``Metadata`` that hold a text which many recordings share ("subject", "camera", "session")."""


@dataclass(init=False, repr=False, eq=False)
class Recording(Metadata):
    """Positions of P persons over T frames with their validity and what is known about the recording.

    A recording checks itself when it is made. Afterwards positions are float32 and valid is bool, positions
    are finite, and joints that are not valid stand at 0, so that whatever a file held there cannot leak into
    a computation.

    Args:
        positions: (T, P, J, C), or (T, J, C) of one person.
        valid: (T, P, J) or (T, J) bool, True where the joint was seen; by default where the position is not
            NaN.
        layout: the joints: a ``Layout``, the name of one (see ``list_layouts``) or a YAML file.
        categories: "subject", "camera" and "session", each a text or None.

    Raises:
        DataError: for a shape that does not fit the layout, an empty recording, a coordinate of a valid joint
            that is NaN, infinite or beyond ``LARGEST`` (naming frame, person and joint), a frame rate that is
            not positive, or a segment out of range.
        LayoutError: if there is no such layout.

    Example:
        >>> Recording(np.zeros((90, 20, 3)), layout="kinect20", fps=30, label="walk", subject="anna")
        Recording('recording', 90 frames, 1 person, 20 joints of kinect20, 30 fps, label 'walk')
    """

    positions: np.ndarray
    """(T, P, J, C) float32: meters, or pixels where the layout is 2-D."""
    valid: np.ndarray
    """(T, P, J) bool: True where the joint was seen."""
    layout: Layout
    segments: tuple[Segment, ...] = ()
    """Labeled actions of an untrimmed recording."""

    def __init__(
        self,
        positions: Any,
        valid: Any = None,
        layout: Layout | str | Path | None = None,
        name: str = "recording",
        *,
        fps: float | None = None,
        label: str | None = None,
        segments: tuple[Segment, ...] = (),
        part: str | None = None,
        source: str = "",
        notes: tuple[str, ...] = (),
        **categories: str | None,
    ) -> None:
        super().__init__(
            name=name, fps=fps, label=label, part=part, source=source, notes=notes, **categories
        )  # fmt: skip
        if layout is None:
            raise DataError(f"recording '{name}' needs a layout, for example layout=\"kinect20\".")
        self.layout, self.segments = get_layout(layout), tuple(segments)
        self.positions, self.valid = self._checked(positions, valid)
        self._check_times()

    def _checked(self, given: Any, valid: Any) -> tuple[np.ndarray, np.ndarray]:
        """Positions (T, P, J, C) float32, 0 where they are not valid, and valid (T, P, J)."""
        where, layout = f"recording '{self.name}'", self.layout
        positions = np.asarray(given)
        if positions.dtype.kind not in "fiu":
            raise DataError(f"{where}: positions are {positions.dtype}, expected numbers.")
        if positions.ndim == 3:
            positions = positions[:, None]  # (T, P=1, J, C)
        if positions.ndim != 4:
            raise DataError(
                f"{where}: positions have shape {positions.shape}; expected (frames, persons, joints, "
                "coordinates), or (frames, joints, coordinates) of one person."
            )
        valid = ~np.isnan(positions).any(-1) if valid is None else np.asarray(valid, dtype=bool)
        if valid.ndim == 2:
            valid = valid[:, None]  # (T, P=1, J)
        frames, persons, joints, dims = positions.shape
        if frames == 0 or persons == 0:
            raise DataError(f"{where} is empty: {frames} frames of {persons} persons.")
        if joints != layout.n_joints:
            raise DataError(f"{where} has {joints} joints, but layout '{layout.name}' has {layout.n_joints}.")
        if dims != layout.dims:
            raise DataError(f"{where} is {dims}-D, but layout '{layout.name}' is {layout.dims}-D.")
        if valid.shape != positions.shape[:-1]:
            raise DataError(f"{where}: valid has shape {valid.shape}, expected {positions.shape[:-1]}.")
        # What float32 cannot hold becomes infinite and is reported below; a signaling NaN is like any other.
        with np.errstate(over="ignore", invalid="ignore"):
            positions = positions.astype(np.float32, copy=False)
            clear = valid.all() or not positions[~valid].any()
        if not clear:
            positions = np.where(valid[..., None], positions, np.float32(0))
        if not (positions.min() >= -LARGEST and positions.max() <= LARGEST):  # neither is true of NaN
            frame, person, joint, _ = np.argwhere(~(np.abs(positions) <= LARGEST))[0]
            values = positions[frame, person, joint]
            need = f"ones up to {LARGEST:g}" if np.isfinite(values).all() else "finite ones"
            raise DataError(
                f"{where}: frame {frame}, person {person}, joint '{layout.joints[joint]}' has coordinates "
                f"{values.tolist()}; a valid joint needs {need}. Mark unseen joints as not valid."
            )
        return positions, valid

    def _check_times(self) -> None:
        where = f"recording '{self.name}'"
        if self.fps is not None and not (np.isfinite(self.fps) and self.fps > 0):
            raise DataError(
                f"{where}: a frame rate of {self.fps} makes no sense; leave it out where it is unknown."
            )
        for segment in self.segments:
            if not 0 <= segment.start < segment.stop <= self.n_frames:
                raise DataError(
                    f"{where}: segment '{segment.label}' [{segment.start}, {segment.stop}) does not lie "
                    f"within its {self.n_frames} frames."
                )

    @property
    def n_frames(self) -> int:
        return self.positions.shape[0]

    @property
    def n_persons(self) -> int:
        return self.positions.shape[1]

    def __repr__(self) -> str:
        """In a line, without coordinates."""
        parts = [
            repr(self.name),
            counted(self.n_frames, "frame"),
            counted(self.n_persons, "person"),
            f"{counted(self.layout.n_joints, 'joint')} of {self.layout.name}",
            "unknown frame rate" if self.fps is None else f"{self.fps:g} fps",
        ]
        if self.segments:
            parts.append(counted(len(self.segments), "segment"))
        elif self.label is not None:
            parts.append(f"label {self.label!r}")
        return f"Recording({', '.join(parts)})"


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """Sort key of names that puts "s2" before "s10"."""
    key = []
    for piece in filter(None, re.split(r"(\d+)", text)):
        digits = piece.lstrip("0")  # compared as texts, because Python makes no number of thousands of digits
        key.append((0, len(digits), digits) if piece.isdecimal() else (1, 0, piece))
    return key
