"""One recording: where each joint of each person was in each frame, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitrs.errors import DataError
from hitrs.skeleton.layout import Layout


@dataclass(frozen=True)
class Segment:
    """An action inside an untrimmed recording, frames [start, stop), 0-based."""

    start: int
    stop: int
    label: str


@dataclass
class Recording:
    """Positions of P persons over T frames with their validity and what is known about the recording.

    A recording checks itself when it is made. Afterwards positions are float32 and valid is bool, positions
    are finite, and joints that are not valid stand at 0, so that whatever a file held there cannot leak into
    a computation.

    Raises:
        DataError: for a shape that does not fit the layout, an empty recording, a coordinate of a valid joint
            that is NaN or infinite (naming frame, person and joint), a frame rate that is not positive, or a
            segment out of range.
    """

    positions: np.ndarray
    """(T, P, J, C) float32: meters, or pixels where the layout is 2-D."""
    valid: np.ndarray
    """(T, P, J) bool: True where the joint was seen."""
    layout: Layout
    name: str
    """Unique within a data set; usually the file name without suffix."""
    fps: float | None = None
    """Frames per second; None = unknown."""
    label: str | None = None
    """Class name of a trimmed recording; None = not labeled."""
    segments: tuple[Segment, ...] = ()
    """Labeled stretches of an untrimmed recording."""
    subject: str | None = None
    camera: str | None = None
    part: str | None = None
    """Part of the published split ("train" or "test") that the file itself states; None = none."""
    source: str = ""
    """The file it came from, relative to the folder that was imported."""
    notes: tuple[str, ...] = ()
    """What a reader or cleaning left out, joined or changed, in sentences for people."""

    def __post_init__(self) -> None:
        where, layout = f"recording '{self.name}'", self.layout
        positions, valid = np.asarray(self.positions), np.asarray(self.valid, dtype=bool)
        if positions.dtype.kind not in "fiu":
            raise DataError(f"{where}: positions are {positions.dtype}, expected numbers.")
        if positions.ndim != 4:
            raise DataError(
                f"{where}: positions have shape {positions.shape}; expected (frames, persons, joints, "
                "coordinates)."
            )
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
        if not np.isfinite(positions).all():
            frame, person, joint, _ = np.argwhere(~np.isfinite(positions))[0]
            raise DataError(
                f"{where}: frame {frame}, person {person}, joint '{layout.joints[joint]}' has coordinates "
                f"{positions[frame, person, joint].tolist()}; a valid joint needs finite ones. Mark unseen "
                "joints as not valid."
            )
        if self.fps is not None and not (np.isfinite(self.fps) and self.fps > 0):
            raise DataError(
                f"{where}: a frame rate of {self.fps} makes no sense; leave it out where it is unknown."
            )
        for segment in self.segments:
            if not 0 <= segment.start < segment.stop <= frames:
                raise DataError(
                    f"{where}: segment '{segment.label}' [{segment.start}, {segment.stop}) does not lie "
                    f"within its {frames} frames."
                )
        self.positions, self.valid = positions, valid
        self.segments = tuple(self.segments)

    @property
    def n_frames(self) -> int:
        return self.positions.shape[0]

    @property
    def n_persons(self) -> int:
        return self.positions.shape[1]
