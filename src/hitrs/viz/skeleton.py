"""Skeletons as pictures, drawn with Pillow on a fixed projection: a hundred times faster than a 3-D plot."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton.layout import Layout
from hitrs.viz.canvas import BLUE, RED
from hitrs.viz.view import fit_view

LEFT, RIGHT, MIDLINE, FLOOR, SHADOW = RED, BLUE, "#4A4A4A", "#E4E4E4", "#D2D2D2"
_FINE = 2  # drawn this much larger, then reduced, so that lines are smooth


def draw_pose(
    recording: Recording, frame: int, *, size: int = 480, up: Literal["x", "y", "z"] = "y"
) -> Image.Image:
    """One frame as a square picture: left side orange-red, right side blue, unseen joints left out.

    Args:
        size: pixels.
        up: the axis of 3-D data that points upwards. In 2-D data y points down, as in images.

    Raises:
        DataError: if the frame does not exist, or no joint of the recording is valid.
    """
    return Scene(recording, size, up).draw(frame)


class Scene:
    """A recording on its floor, seen by a camera that stands still.

    Raises:
        DataError: if no joint of the recording is valid.
    """

    def __init__(self, recording: Recording, size: int, up: Literal["x", "y", "z"] = "y"):
        if recording.layout.dims == 3:  # cyclic, so that left stays left
            upright = np.roll(recording.positions, 1 - "xyz".index(up), axis=-1)
            recording = replace(recording, positions=upright)
        self.recording = recording
        self.size = size
        self._view = fit_view(recording, size * _FINE)
        self._thick = max(2, round(size * _FINE / 85))
        self._background = Image.new("RGB", (size * _FINE, size * _FINE), "white")
        draw = ImageDraw.Draw(self._background)
        for line in self._view.floor:
            draw.line([tuple(point) for point in self._view.project(line)], fill=FLOOR, width=_FINE)

    def draw(self, frame: int) -> Image.Image:
        """The frame as a picture of ``size`` x ``size`` pixels; DataError if it does not exist."""
        if not 0 <= frame < self.recording.n_frames:
            last = self.recording.n_frames - 1
            raise DataError(f"recording '{self.recording.name}' has frames 0 to {last}, not {frame}.")
        picture = self._background.copy()
        draw = ImageDraw.Draw(picture)
        if self._view.floor:
            self._draw_shadows(draw, frame)
        self._draw_persons(draw, frame)
        return picture.resize((self.size, self.size), Image.Resampling.BOX)

    def _draw_shadows(self, draw: ImageDraw.ImageDraw, frame: int) -> None:
        """What tells where on the floor a person stands."""
        recording = self.recording
        pixels = self._view.project(self._view.drop(recording.positions[frame]))
        for person, valid in enumerate(recording.valid[frame]):
            for child, parent in recording.layout.bones():
                if valid[child] and valid[parent]:
                    ends = pixels[person, [child, parent]]
                    _stroke(draw, ends, SHADOW, self._thick // 2)

    def _draw_persons(self, draw: ImageDraw.ImageDraw, frame: int) -> None:
        layout, positions = self.recording.layout, self.recording.positions[frame]
        pixels, nearness = self._view.project(positions), self._view.nearness(positions)  # (P, J, 2), (P, J)
        strokes: list[tuple[float, np.ndarray, str, float]] = []  # nearness, ends or center, color, width
        for person, valid in enumerate(self.recording.valid[frame]):
            colors = [paler(side, person) for side in side_colors(layout)]
            for child, parent in layout.bones():
                if valid[child] and valid[parent]:
                    both = [child, parent]
                    near = float(nearness[person, both].mean())
                    strokes.append((near, pixels[person, both], colors[child], self._thick))
            for joint in np.flatnonzero(valid):
                width = self._thick * (3.4 if layout.joints[joint] == "head" else 1.45)
                strokes.append(
                    (float(nearness[person, joint]), pixels[person, [joint]], colors[joint], width)
                )
        # The farthest first, so that near limbs cover far ones.
        for _, points, color, width in sorted(strokes, key=lambda stroke: stroke[0]):
            _stroke(draw, points, color, width)


def _stroke(draw: ImageDraw.ImageDraw, points: np.ndarray, color: str, width: float) -> None:
    """A line with round ends through (2, 2) pixels, or a dot at (1, 2)."""
    if len(points) > 1:
        draw.line([tuple(point) for point in points], fill=color, width=round(width))
    for x, y in points:
        draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=color)


def side_colors(layout: Layout) -> list[str]:
    """Color of each joint, and of the bone from it to its parent."""
    colors = [MIDLINE] * layout.n_joints
    for left, right in layout.pairs:
        colors[left], colors[right] = LEFT, RIGHT
    return colors


@cache
def paler(color: str, person: int) -> str:
    """The first person in full color, the others paler, so that one can tell whose limb it is."""
    return "#{:02x}{:02x}{:02x}".format(*on_white(color, (1.0, 0.55, 0.38)[min(person, 2)]))


def on_white(color: str, share: float) -> tuple[int, ...]:
    """RGB of a color of which only a share covers the white paper."""
    return tuple(round(255 - share * (255 - part)) for part in ImageColor.getrgb(color)[:3])
