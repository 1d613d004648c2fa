"""The frame rate that a video's time stamps tell, and the frames of a constant one where they vary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from hitrs.data.interpolation import interpolate

REGULAR = 0.2
"""A rate is constant if no step from frame to frame differs from the median by more than this part."""
LONGEST_GAP = 0.5
"""Seconds without a picture that are bridged; in longer gaps nobody is seen."""
_SPARSE = 10
"""Stamps are wrong where a constant rate would make more than so many frames of one, and a thousand."""

_LONGEST_PAUSE = 10.0
_SAME = 1e-6  # seconds
T = TypeVar("T")


@dataclass(frozen=True)
class FrameTimes:
    """How frames lie in time."""

    fps: float | None
    """Frames per second; None = unknown."""
    places: np.ndarray | None = None
    """(N,) float64: where the frames of the constant rate lie between those that were filmed, in frames; None
    where these are regular themselves."""
    gap: np.ndarray | None = None
    """(N,) bool: the frame lies in a gap too long to bridge."""
    notes: tuple[str, ...] = ()

    def resampled(self, positions: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions (N, P, J, C) and valid (N, P, J) at the constant rate, of those that were filmed."""
        if self.places is None or self.gap is None:
            return positions, valid
        between, seen = interpolate(positions, valid, self.places)
        return between, seen & ~self.gap[:, None, None]


def frame_times(seconds: np.ndarray, claimed: float | None) -> FrameTimes:
    """What time stamps say about the frame rate.

    Args:
        seconds: (T,) of each frame, from any start.
        claimed: frames per second that the file states, used where the stamps say nothing; None = none.

    Example:
        >>> frame_times(np.array([0.0, 0.04, 0.08]), None).fps
        25.0
    """
    steps = np.diff(seconds)
    if not np.isfinite(seconds).all() or (steps <= 0).any():
        used = "unknown" if claimed is None else f"the {claimed:g} that the file states"
        return FrameTimes(
            claimed, notes=(f"time stamps do not rise from frame to frame; the frame rate is {used}",)
        )
    if not len(steps):
        return FrameTimes(claimed)
    step = float(np.median(steps))
    if np.abs(steps - step).max() <= REGULAR * step:
        return FrameTimes(round(len(steps) / float(seconds[-1] - seconds[0]), 3))
    fps = round(1 / step, 3)
    span = float(seconds[-1] - seconds[0])
    low, high = f"{steps.min():.3g}", f"{steps.max():.3g} s"
    if not fps or span * fps > _SPARSE * len(seconds) + 1000:
        return FrameTimes(
            None, notes=(f"time stamps lie {low} to {high} apart; the frame rate stays unknown",)
        )
    times = np.arange(int(span * fps + 1e-6) + 1) / fps
    places = np.interp(times, seconds - seconds[0], np.arange(len(seconds)))
    # a frame on which a time falls exactly is no part of the gap behind it
    places = np.where(np.abs(places - places.round()) < 1e-6, places.round(), places)
    lower = np.minimum(places.astype(np.int64), len(steps) - 1)
    gap = (steps[lower] > LONGEST_GAP) & (places != places.round())
    note = f"variable frame rate, {low} to {high} from frame to frame: brought to {fps:g} frames a second"
    notes: tuple[str, ...] = (note,)
    if gap.any():
        notes += (f"nobody is seen in {gap.sum()} frames that lie in gaps of more than {LONGEST_GAP:g} s",)
    return FrameTimes(fps, places, gap, notes)


class Held(Generic[T]):
    """Frames that come when they come, at a constant rate: at each moment the newest one so far.

    Args:
        fps: frames per second to give.

    Example:
        >>> held = Held(fps=20)
        >>> [list(held.at(seconds, frame)) for seconds, frame in [(0.0, "a"), (0.11, "b"), (0.2, "c")]]
        [['a'], ['a', 'a'], ['b', 'c']]
    """

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self._tick, self._left_out = 0, 0.0
        self._start: float | None = None
        self._before = 0.0
        self._newest: T | None = None

    def at(self, seconds: float, frame: T) -> Iterator[T | None]:
        """The moments up to that of the next frame, one for every 1 / fps seconds since the first.

        Yields:
            The newest frame; None where that is older than ``LONGEST_GAP``. A pause of more than ten seconds
            counts as ten.
        """
        seconds -= self._left_out
        if self._start is None:
            self._start = seconds
        else:
            pause = max(0.0, seconds - self._before - _LONGEST_PAUSE)
            self._left_out, seconds = self._left_out + pause, seconds - pause
            while (moment := self._start + self._tick / self.fps) < seconds - _SAME:
                yield self._newest if moment - self._before <= LONGEST_GAP else None
                self._tick += 1
        self._before, self._newest = seconds, frame
        if self._start + self._tick / self.fps <= seconds + _SAME:
            yield frame
            self._tick += 1


def held(frames: Iterable[tuple[float, T]], fps: float) -> Iterator[T | None]:
    """The same of (seconds, frame), rising, that an iterator gives.

    Example:
        >>> list(held([(0.0, "a"), (0.11, "b"), (0.2, "c")], fps=20))
        ['a', 'a', 'a', 'b', 'c']
    """
    at = Held[T](fps).at
    for seconds, frame in frames:
        yield from at(seconds, frame)
