"""``hitrs detect MODEL --camera 0``: what somebody in front of a camera does, while it happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from hitrs.cli.console import print_line
from hitrs.data.video.estimator import PoseFrame, current_estimator
from hitrs.data.video.rate import held
from hitrs.data.video.track import all_frames, first_pose
from hitrs.skeleton import get_layout, map_positions

if TYPE_CHECKING:
    from hitrs.tasks.detection.online import Event, OnlineDetector


def watch(online: OnlineDetector, camera: int, *, as_json: bool) -> None:
    """Print when actions start and end, until Ctrl-C; of one person, the first that the estimator names.

    Frames come when they come: where the model has a frame rate, it gets the newest pose as often as that.

    Raises:
        DataError: if there is no such camera, or it gives no more pictures; actions are ended before.
    """
    watched = _Watched(camera)
    fps = online.card.fps
    told: set[str] = set()
    if not as_json:
        print_line(f"camera      {camera}; Ctrl-C ends")
    try:
        poses = watched.poses(online)
        for pose in held(poses, fps) if fps is not None else (pose for _, pose in poses):
            positions, valid = pose if pose is not None else watched.nobody(online)
            result = online.update(positions, valid)
            _print_notes({*result.notes, *watched.notes} - told, as_json)
            told |= {*result.notes, *watched.notes}
            _print_events(result.events, watched.rate(fps), as_json)
    except KeyboardInterrupt:
        pass
    finally:
        watched.close()
        _print_events(online.finish(), watched.rate(fps), as_json)
        if not as_json:
            watched.print_summary(fps)


class _Watched:
    """The frames of a camera, and how many there were."""

    def __init__(self, camera: int) -> None:
        self.notes: list[str] = []
        self._estimator = current_estimator()
        self._frames = all_frames(camera, self._estimator, self.notes)
        self._layout = get_layout(self._estimator.layout)
        self._count = self._seen = 0
        self._first = self._last = 0.0

    def close(self) -> None:
        """Let go of the camera."""
        self._frames.close()

    def poses(self, online: OnlineDetector) -> Iterator[tuple[float, tuple[np.ndarray, np.ndarray]]]:
        """(seconds, (positions (1, J, C), valid (1, J)) in the model's layout) of each frame."""
        for frame in self._frames:
            if not self._count:
                self._first = frame.seconds
            self._count, self._last = self._count + 1, frame.seconds
            self._seen += bool(frame.poses)
            yield frame.seconds, self._pose(frame, online)

    def _pose(self, frame: PoseFrame, online: OnlineDetector) -> tuple[np.ndarray, np.ndarray]:
        positions, valid = first_pose(frame.poses, self._layout)
        positions, valid = map_positions(positions[None], valid[None], self._layout, online.layout)
        return positions[0], valid[0]

    def nobody(self, online: OnlineDetector) -> tuple[np.ndarray, np.ndarray]:
        """A frame in which nobody is seen."""
        layout = online.layout
        return np.zeros((1, layout.n_joints, layout.dims), np.float32), np.zeros((1, layout.n_joints), bool)

    def rate(self, fps: float | None) -> float | None:
        """Frames of the detector a second, as far as known."""
        span = self._last - self._first
        return fps if fps is not None else (self._count - 1) / span if span > 0 else None

    def print_summary(self, fps: float | None) -> None:
        if not self._count:
            return
        rate = self.rate(None)
        a_second = "" if rate is None else f", {rate:.1f} a second"
        seen = f"{self._seen / self._count:.0%}"
        print_line(f"watched     {self._count} pictures{a_second}; somebody was seen in {seen}")
        if fps is not None and rate is not None and rate < fps / 2:
            print_line(f"note        the model was trained at {fps:g} a second: quick movements are missed")


def _print_notes(notes: set[str], as_json: bool) -> None:
    for note in sorted(notes):
        if not as_json:
            print_line(f"note        {note}")


def _print_events(events: tuple[Event, ...], rate: float | None, as_json: bool) -> None:
    for event in events:
        facts = event.to_dict(rate)
        start = _when(facts["start_seconds"], facts["start"])
        if as_json:
            print_line(json.dumps(facts, ensure_ascii=False))
        elif event.kind == "started":
            print_line(f"{start}  {event.label} ...")
        else:
            stop = _when(facts["stop_seconds"], facts["stop"]).strip()
            print_line(f"{start} to {stop}  {event.label} {event.segment.score:.0%}")


def _when(seconds: float | None, frame: int) -> str:
    return f"{'frame ' + str(frame) if seconds is None else f'{seconds:.1f} s':>10}"
