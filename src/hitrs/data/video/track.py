"""The poses of a whole video: estimated once, kept, and made a recording."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from hitrs.data.cache import cache_folder
from hitrs.data.formats.memory import reserve_joints
from hitrs.data.formats.people import DetectedPerson, arrange
from hitrs.data.recording import Recording
from hitrs.data.video.estimator import VISIBLE, EstimatedPose, PoseEstimator, PoseFrame, VideoInfo
from hitrs.data.video.process import ProcessEndedError
from hitrs.data.video.rate import FrameTimes, frame_times
from hitrs.data.video.streams import POSE_SIDE
from hitrs.errors import DataError, WriteError, located
from hitrs.files import atomic_file, explained_writes, file_name
from hitrs.skeleton import Layout, get_layout

Progress = Callable[[str, int, "int | None"], None]
"""What is looked at, frames so far, and in all where that is known."""

_FORMAT = 1
_CUT_SHORT = 0.05
"""A file that has fewer frames and seconds than it announces, by more than this part, was cut short."""
_watcher: ContextVar[Progress | None] = ContextVar("watcher", default=None)


@contextmanager
def watch_frames(progress: Progress) -> Iterator[None]:
    """Be told of every frame while poses are estimated."""
    token = _watcher.set(progress)
    try:
        yield
    finally:
        _watcher.reset(token)


@dataclass(frozen=True)
class PoseTrack:
    """The poses of all frames of a video, n in all over T frames."""

    video: VideoInfo
    seconds: np.ndarray
    """(T,) float64."""
    frame: np.ndarray
    """(n,) int64, rising: the frame of each pose."""
    points: np.ndarray
    """(n, J, C) float32."""
    visible: np.ndarray
    """(n, J) float32."""
    image: np.ndarray
    """(n, J, 2) float32, in pixels of the video; NaN where the estimator gives none."""
    person: tuple[str, ...]
    """n ids, "" where the estimator gives none."""
    notes: tuple[str, ...] = ()

    @cached_property
    def times(self) -> FrameTimes:
        """How the frames lie in time."""
        return frame_times(self.seconds, self.video.fps)

    def seen(self) -> np.ndarray:
        """(n, J) bool."""
        return seen_joints(self.points, self.visible)

    def recording(self, path: Path, layout: Layout) -> Recording:
        """What was seen, at a constant frame rate.

        Raises:
            DataError: if nobody is seen in any frame, or it would take too much memory.
        """
        count, seen = len(self.seconds), self.seen()
        if not seen.any():
            raise DataError(
                f"{path}: nobody is seen in any of its {count} frames, so there is nothing to go by. Is a "
                "person large enough in the picture (a tenth of its height), and well lit?"
            )
        notes = list(self.notes)
        places = self.points if layout.dims == 2 else self.image
        followed = bool(np.isfinite(places[seen]).all())
        detections = [
            DetectedPerson(
                int(frame),
                self.points[n].astype(np.float64),
                seen[n],
                self.person[n] or (None if followed else 0),
                places[n].astype(np.float64) if followed else None,
            )
            for n, frame in enumerate(self.frame)
        ]
        positions, valid = arrange(path, detections, 0, count, layout, notes)
        empty = int((~valid.any((1, 2))).sum())
        if empty:
            notes.append(f"nobody is seen in {empty} of {count} frames")
        times = self.times
        if times.places is not None:
            reserve_joints(path, len(times.places) * positions.shape[1] * layout.n_joints)
        positions, valid = times.resampled(positions, valid)
        with located(path):
            return Recording(
                positions,
                valid,
                layout,
                name=path.stem,
                fps=times.fps,
                source=path.name,
                notes=(*notes, *times.notes),
            )


def seen_joints(points: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """(..., J) bool of points (..., J, C) and their visibility (..., J)."""
    return (visible >= VISIBLE) & np.isfinite(points).all(-1)


def first_pose(poses: Sequence[EstimatedPose], layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Positions (1, J, C) and valid (1, J) of the first person in a picture; nobody where there is none.

    Args:
        layout: the estimator's.
    """
    if not poses:
        nobody = np.zeros((1, layout.n_joints, layout.dims), np.float32)
        return nobody, np.zeros((1, layout.n_joints), bool)
    points, visible = np.asarray(poses[0].points, np.float32), np.asarray(poses[0].visible)
    valid = seen_joints(points, visible)
    return np.where(valid[:, None], points, np.float32(0))[None], valid[None]


def pose_track(path: Path, estimator: PoseEstimator) -> PoseTrack:
    """The poses of a video: those that were kept, or estimated now and kept.

    Raises:
        DataError: if the video cannot be read, or the estimator does not do what it should.
    """
    kept = _kept_at(path, estimator)
    track = _load(kept, get_layout(estimator.layout))
    if track is None:
        track = estimate(path, estimator)
        with suppress(WriteError):  # a full disk costs the second reading, not this one
            _save(kept, track)
    return track


def estimate(path: Path, estimator: PoseEstimator) -> PoseTrack:
    """The poses of a video, estimated now.

    Raises:
        DataError: as for ``pose_track``.
    """
    layout = get_layout(estimator.layout)
    notes = list(estimator.notes)
    seconds: list[float] = []
    frames: list[int] = []
    points, visible, image = [], [], []
    persons: list[str] = []
    video = None
    progress = _watcher.get() or (lambda what, done, of: None)
    for frame in all_frames(path, estimator, notes):
        video = frame.video
        if frame.number != len(seconds):
            raise DataError(
                f"{path}: the pose estimator '{estimator.name}' gave frame {frame.number} in place of "
                f"{len(seconds)}. This is a defect of the estimator."
            )
        seconds.append(frame.seconds)
        for pose in frame.poses:
            flat = pose.points if pose.image is None and layout.dims == 2 else pose.image
            points.append(_shaped(pose.points, layout.dims, path, estimator, layout))
            visible.append(_shaped(pose.visible, None, path, estimator, layout))
            nowhere = np.full((layout.n_joints, 2), np.nan, np.float32)
            image.append(nowhere if flat is None else _shaped(flat, 2, path, estimator, layout))
            frames.append(frame.number)
            persons.append(pose.person or "")
        reserve_joints(path, (len(seconds) + len(frames)) * layout.n_joints)
        progress(path.name, len(seconds), video.frames)
    if video is None:
        raise DataError(f"{path} holds no frame.")
    largest = max(video.width, video.height)
    if largest > POSE_SIDE:
        notes.append(f"pictures of {video.width} x {video.height} were looked at with {POSE_SIDE} at most")
    if _cut_short(video, seconds):
        notes.append(
            f"ends after {len(seconds)} of the {video.frames} frames that it announces: it was cut short or "
            "is damaged"
        )
    joints = layout.n_joints
    return PoseTrack(
        video,
        np.array(seconds, np.float64),
        np.array(frames, np.int64),
        np.array(points, np.float32).reshape(-1, joints, layout.dims),
        np.array(visible, np.float32).reshape(-1, joints),
        np.array(image, np.float32).reshape(-1, joints, 2),
        tuple(persons),
        tuple(notes),
    )


def all_frames(
    source: Path | int, estimator: PoseEstimator, notes: list[str]
) -> Generator[PoseFrame, None, None]:
    """The frames of a video or camera; a process that ends is started once more, where it was.

    Args:
        notes: told of that.
    """
    after, again = 0, False
    while True:
        try:
            for frame in estimator.frames(source, after):
                after = frame.number + 1
                yield frame
            return
        except ProcessEndedError as error:
            if again:
                raise DataError(f"{error}. It was started twice; this happened at frame {after}.") from error
            again = True
            notes.append(f"the pose process ended at frame {after} and was started again")


def _shaped(
    given: np.ndarray, dims: int | None, path: Path, estimator: PoseEstimator, layout: Layout
) -> np.ndarray:
    values = np.asarray(given)
    shape = (layout.n_joints,) if dims is None else (layout.n_joints, dims)
    if values.shape != shape or values.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: the pose estimator '{estimator.name}' gave {values.dtype} of shape {values.shape}, but "
            f"its layout '{layout.name}' asks for numbers of shape {shape}. A defect of the estimator."
        )
    return values.astype(np.float32)


def _cut_short(video: VideoInfo, seconds: list[float]) -> bool:
    """By frames and by seconds: files of a variable rate only state how many frames there would be."""
    if video.frames is None or len(seconds) >= (1 - _CUT_SHORT) * video.frames - 1:
        return False
    span = seconds[-1] - seconds[0]
    return video.fps is None or span < (1 - _CUT_SHORT) * (video.frames - 1) / video.fps


def _kept_at(path: Path, estimator: PoseEstimator) -> Path:
    """Another file at the same place, or another version of the estimator, has other poses."""
    state = path.stat()
    facts = [
        str(path.resolve()),
        state.st_size,
        state.st_mtime_ns,
        estimator.name,
        estimator.version,
        _FORMAT,
    ]
    digest = hashlib.sha256(json.dumps(facts).encode(errors="surrogateescape")).hexdigest()[:16]
    return cache_folder() / "poses" / f"{file_name(path.stem)}-{digest}.npz"


def _save(path: Path, track: PoseTrack) -> None:
    facts = {
        "video": [track.video.width, track.video.height, track.video.fps, track.video.frames],
        "person": track.person,
        "notes": track.notes,
    }
    with atomic_file(path) as part, explained_writes(path), part.open("wb") as file:
        np.savez_compressed(
            file,
            facts=np.frombuffer(json.dumps(facts).encode(), np.uint8),
            seconds=track.seconds,
            frame=track.frame,
            points=track.points,
            visible=track.visible,
            image=track.image,
        )


def _load(path: Path, layout: Layout) -> PoseTrack | None:
    """What was kept; None where there is nothing, or it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            facts = json.loads(kept["facts"].tobytes())
            names = ("seconds", "frame", "points", "visible", "image")
            seconds, frame, points, visible, image = (kept[name] for name in names)
            track = PoseTrack(
                VideoInfo(*facts["video"]),
                seconds,
                frame,
                points,
                visible,
                image,
                tuple(map(str, facts["person"])),
                tuple(map(str, facts["notes"])),
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    count = len(track.frame)
    shapes = (count, layout.n_joints, layout.dims), (count, layout.n_joints), (count, layout.n_joints, 2)
    fits = shapes == (track.points.shape, track.visible.shape, track.image.shape)
    return track if fits and len(track.person) == count and track.seconds.ndim == 1 else None
