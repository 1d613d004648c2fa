"""A video with what was seen in it: the skeleton and the class on each picture, and a timeline below."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hitrs.data.video.streams import pictures, video_writer
from hitrs.data.video.track import PoseTrack
from hitrs.errors import ConfigError
from hitrs.files import explained_writes, temporary_folder
from hitrs.skeleton import Layout
from hitrs.viz.canvas import FAINT, INK, MUTED
from hitrs.viz.skeleton import paler, side_colors
from hitrs.viz.text import fitted, font
from hitrs.viz.timeline import class_style

_STRIP, _BAR = 44, 22  # pixels of the timeline, and of the bars in it
_UNKNOWN_FPS = 25.0
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class DrawnSpan:
    """A class from one frame to another, [start, stop), frames of the result that is shown."""

    start: int
    stop: int
    label: str
    color: int
    """Number of the class."""
    score: float | None
    """None for "none of these"."""


def draw_video(
    source: Path, track: PoseTrack, layout: Layout, spans: Sequence[DrawnSpan], fps: float | None, out: Path
) -> None:
    """Write the video with the skeleton of each picture, the class there, and all spans as a timeline.

    Pictures are at most 1,280 pixels wide and high; those of a variable frame rate are repeated or left out.

    Args:
        track: the poses of its frames, of this layout.
        fps: frame rate in which spans count; None: they count the video's own frames.
        out: an .mp4 file.

    Raises:
        ConfigError: for another suffix, or where ``out`` is the video itself.
        DataError: if the video can no longer be read, or the file cannot be written.
    """
    if out.suffix.lower() != ".mp4":
        raise ConfigError(f"cannot write {out}: a video is written as .mp4")
    if out.exists() and out.samefile(source):
        raise ConfigError(f"{out} is the video that is read; name another file")
    passed = track.seconds - track.seconds[0] if np.isfinite(track.seconds).all() else None
    count = len(track.seconds)
    if fps is None or passed is None:
        moments, length = np.arange(count), count
    else:
        moments = np.round(passed * fps).astype(int)
        length = int(moments.max()) + 1
    times = _repeats(track)
    with explained_writes(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(out) as folder:
        part = folder / "video.mp4"
        with video_writer(part, track.times.fps or _UNKNOWN_FPS) as writer:
            overlay: _Overlay | None = None
            for size, number, _, picture in pictures(source):
                if number >= count:
                    break
                if overlay is None:
                    overlay = _Overlay(picture, size[0], layout, spans, length, fps)
                drawn = overlay.draw(picture, track, number, int(moments[number]))
                for _ in range(times[number]):
                    writer.add(drawn)
        with explained_writes(out):
            os.replace(part, out)


def _repeats(track: PoseTrack) -> np.ndarray:
    """(T,) how often each picture is shown, for the video to keep its speed at a constant rate."""
    if track.times.places is None:
        return np.ones(len(track.seconds), int)
    shown = np.minimum((track.times.places + 1e-6).astype(int), len(track.seconds) - 1)
    return np.bincount(shown, minlength=len(track.seconds))


class _Overlay:
    """What is drawn on the pictures of one video."""

    def __init__(
        self,
        picture: np.ndarray,
        width: int,
        layout: Layout,
        spans: Sequence[DrawnSpan],
        length: int,
        fps: float | None,
    ) -> None:
        height, self._width = (side - side % 2 for side in picture.shape[:2])  # codecs want even sides
        self._height, self._scale = height, picture.shape[1] / width
        self._bones, self._colors = layout.bones(), side_colors(layout)
        self._thick = max(2, round(max(picture.shape[:2]) / 320))
        self._spans, self._length, self._fps = spans, length, fps
        self._strip = self._timeline()

    def draw(self, picture: np.ndarray, track: PoseTrack, number: int, moment: int) -> np.ndarray:
        """The picture with all that is said about it, (H, W, 3) uint8."""
        canvas = Image.new("RGB", (self._width, self._height + _STRIP), "white")
        canvas.paste(Image.fromarray(picture), (0, 0))
        canvas.paste(self._strip, (0, self._height))
        draw = ImageDraw.Draw(canvas)
        low, high = np.searchsorted(track.frame, [number, number + 1])
        seen = track.seen()[low:high] if high > low else ()
        for person, (points, valid) in enumerate(zip(track.image[low:high], seen, strict=True)):
            self._skeleton(draw, points * self._scale, valid & np.isfinite(points).all(-1), person)
        self._labels(draw, moment)
        x = self._x(moment)
        draw.line([x, self._height + 2, x, self._height + _STRIP - 3], fill=INK, width=3)
        return np.asarray(canvas)

    def _skeleton(
        self, draw: ImageDraw.ImageDraw, points: np.ndarray, valid: np.ndarray, person: int
    ) -> None:
        for width, halo in ((self._thick + 2, True), (self._thick, False)):
            for child, parent in self._bones:
                if valid[child] and valid[parent]:
                    color = _WHITE if halo else paler(self._colors[child], person)
                    draw.line([*points[child], *points[parent]], fill=color, width=width)
        radius = 0.8 * self._thick
        for joint in np.flatnonzero(valid):
            x, y = points[joint]
            color = paler(self._colors[joint], person)
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color)

    def _labels(self, draw: ImageDraw.ImageDraw, moment: int) -> None:
        size = max(14, self._height // 26)
        face = font(size, bold=True)
        y = size // 2
        for span in self._spans:
            if not span.start <= moment < span.stop:
                continue
            score = "" if span.score is None else f"  {span.score:.0%}"
            text = fitted(f"{span.label}{score}", self._width - 2 * size, face)
            wide = face.getlength(text)
            draw.rectangle([size // 2, y, size * 1.5 + wide, y + 1.6 * size], fill=_WHITE)
            draw.rectangle([size // 2, y, size * 0.75, y + 1.6 * size], fill=_fill(span))
            draw.text((size, y + size * 0.2), text, fill=INK, font=face)
            y += 2 * size

    def _timeline(self) -> Image.Image:
        strip = Image.new("RGB", (self._width, _STRIP), "white")
        draw, small = ImageDraw.Draw(strip), font(11)
        draw.rectangle([self._x(0), 2, self._x(self._length), 2 + _BAR], fill=FAINT)
        for span in self._spans:
            left, right = self._x(span.start), self._x(span.stop)
            draw.rectangle([left, 2, max(right - 1, left), 2 + _BAR], fill=_fill(span))
            text = fitted(span.label, right - left - 6, small)
            if len(text) > 2:
                dark = sum(_fill(span)) < 380
                draw.text((left + 3, 6), text, fill=_WHITE if dark else INK, font=small)
        unit = f"{self._length / self._fps:.1f} s" if self._fps else f"{self._length} frames"
        draw.text((self._x(0), _BAR + 6), "0", fill=MUTED, font=small)
        draw.text((self._x(self._length), _BAR + 6), unit, fill=MUTED, font=small, anchor="ra")
        return strip

    def _x(self, frame: int) -> float:
        return 8 + (self._width - 16) * frame / self._length


def _fill(span: DrawnSpan) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in class_style(span.color)["facecolor"])
