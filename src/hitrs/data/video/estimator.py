"""What a pose estimator is to the rest, and all of them: MediaPipe's, and those of other packages.

Another package brings one through the entry point "hitrs.pose_estimators", whose value is a
``PoseEstimator``; scripts by ``register_pose_estimator``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from hitrs.data.video.streams import name_of, pictures
from hitrs.errors import DataError, HitrsError, located
from hitrs.plugins import Registry

Source: TypeAlias = "Path | int"
"""A video's file, or the number of a camera."""

VISIBLE = 0.5
"""A joint of less visibility was not seen."""
DEFAULT = "mediapipe"


@dataclass(frozen=True)
class EstimatedPose:
    """One person in one picture."""

    points: np.ndarray
    """(J, C) in the estimator's layout: meters, or pixels of the picture where the layout is 2-D."""
    visible: np.ndarray
    """(J,) from 0 to 1; below ``VISIBLE`` the joint counts as not seen."""
    image: np.ndarray | None = None
    """(J, 2) in pixels of the picture, to draw the skeleton on it and to follow the person; None: 2-D points
    serve, and a 3-D pose is not drawn."""
    person: str | None = None
    """Who it is from picture to picture; None: people are followed by where they are."""


EstimatePoses: TypeAlias = "Callable[[np.ndarray], Sequence[EstimatedPose]]"
"""From a picture (H, W, 3) uint8, red first, to the people in it."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video's file or a camera states about it."""

    width: int
    height: int
    fps: float | None = None
    """Frames per second; None = not stated."""
    frames: int | None = None
    """How many there are; None = not stated, or a camera."""


@dataclass(frozen=True)
class PoseFrame:
    """One picture of a video, and who is in it."""

    video: VideoInfo
    number: int
    """From 0."""
    seconds: float
    """When, from any start."""
    poses: tuple[EstimatedPose, ...]


class PoseEstimator(ABC):
    """Estimates the poses of people in videos; one picture after another: ``PictureEstimator``."""

    name: str
    """As ``--pose`` takes it, and its entry point."""
    version: str = "1"
    """Another one says that poses come out otherwise: those that were kept of a video are estimated anew."""
    layout: str
    """Name or file of the layout of its points."""
    notes: tuple[str, ...] = ()
    """What people should know about every recording that it makes."""

    @abstractmethod
    def frames(self, source: Source, start: int = 0) -> Iterator[PoseFrame]:
        """The frames of a video or camera, one after another, all of them, also those with nobody in them.

        Args:
            start: number of the frame to begin with.

        Raises:
            ProcessEndedError: where a process that does the work has ended; the rest is asked for once more.
            DataError: for a video that cannot be read, a camera that is not there.
        """

    def check_live(self) -> None:
        """Refuse single pictures where they cannot be looked at.

        Raises:
            DataError: with why, and what to do.
        """
        raise DataError(f"the pose estimator '{self.name}' takes videos and cameras, no single pictures.")

    def live(self) -> AbstractContextManager[EstimatePoses]:
        """What finds the people in pictures that come one by one, of one camera, from wherever.

        Example:
            >>> with current_estimator().live() as estimate:
            ...     poses = estimate(picture)  # (H, W, 3) uint8, red first

        Raises:
            ProcessEndedError: of ``estimate`` where a process that does the work has ended.
            DataError: as for ``check_live``.
        """
        self.check_live()
        raise NotImplementedError(f"{type(self).__name__}.live")


class PictureEstimator(PoseEstimator):
    """An estimator that looks at one picture after another, in this process.

    Pictures come from the process that opens videos (``hitrs video-setup``), upright, at most 1,280 pixels
    wide and high.

    Example:
        >>> class Center(PictureEstimator):
        ...     name, layout = "center", "coco17"
        ...     def estimate(self, picture):
        ...         height, width, _ = picture.shape
        ...         return [EstimatedPose(np.full((17, 2), (width / 2, height / 2)), np.ones(17))]
    """

    @abstractmethod
    def estimate(self, picture: np.ndarray) -> Sequence[EstimatedPose]:
        """The people in a picture (H, W, 3) uint8, red first."""

    def frames(self, source: Source, start: int = 0) -> Iterator[PoseFrame]:
        for size, number, seconds, picture in pictures(source, start):
            video = VideoInfo(*size)
            scale = video.width / picture.shape[1]
            with located(name_of(source)):
                found = self._estimated(picture, f"frame {number}")
            yield PoseFrame(video, number, seconds, tuple(self._scaled(pose, scale) for pose in found))

    def check_live(self) -> None:
        """They are looked at in this process."""

    @contextmanager
    def live(self) -> Iterator[EstimatePoses]:
        yield lambda picture: self._estimated(picture, "a picture")

    def _estimated(self, picture: np.ndarray, what: str) -> Sequence[EstimatedPose]:
        try:
            return self.estimate(picture)
        except HitrsError:
            raise
        except Exception as error:  # whatever somebody else's estimator may raise
            raise DataError(
                f"the pose estimator '{self.name}' failed on {what} ({type(error).__name__}: {error}). This "
                "is a defect of the estimator."
            ) from error

    def _scaled(self, pose: EstimatedPose, scale: float) -> EstimatedPose:
        """Pixels of the picture that was looked at as those of the video."""
        points, image = np.asarray(pose.points), pose.image
        if image is None and points.shape[-1] == 2:
            return replace(pose, points=points * scale)
        return replace(pose, image=None if image is None else np.asarray(image) * scale)


def _checked(value: Any, name: str) -> PoseEstimator:
    if not isinstance(value, PoseEstimator):
        raise TypeError(f"it is {type(value).__name__}, expected a PoseEstimator")
    if getattr(value, "name", None) != name:
        raise TypeError(f"it calls itself {getattr(value, 'name', None)!r}, expected '{name}'")
    if not isinstance(getattr(value, "layout", None), str | Path):
        raise TypeError("it has no layout")
    return value


ESTIMATORS: Registry[PoseEstimator] = Registry(
    "hitrs.pose_estimators", "pose estimator", {DEFAULT: "hitrs.data.video.mediapipe:ESTIMATOR"}, _checked
)
_chosen: ContextVar[str] = ContextVar("estimator", default=DEFAULT)


def register_pose_estimator(estimator: PoseEstimator) -> PoseEstimator:
    """Add a pose estimator from a script or notebook; the same name again replaces it.

    Raises:
        ConfigError: if it is none, or has the name of one of this package.
    """
    return ESTIMATORS.register(str(getattr(estimator, "name", "")), estimator)


@contextmanager
def pose_estimator(name: str | None) -> Iterator[None]:
    """Read videos with this estimator; None changes nothing.

    Example:
        >>> with pose_estimator("rtmlib"):
        ...     recording = read_recording("clip.mp4")

    Raises:
        ConfigError: if there is none of this name.
    """
    if name is not None:
        ESTIMATORS.get(name)
    token = _chosen.set(_chosen.get() if name is None else name)
    try:
        yield
    finally:
        _chosen.reset(token)


def current_estimator() -> PoseEstimator:
    """The estimator that reads videos now."""
    return ESTIMATORS.get(_chosen.get())
