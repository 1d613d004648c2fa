"""From where a recording is looked at: joints to pixels, and the floor they stand on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitrs.data.recording import Recording
from hitrs.errors import DataError

_AZIMUTH, _ELEVATION = np.radians(28.0), np.radians(12.0)
_DISTANCE = 4.0  # of the camera, in sizes of the scene: near enough to see depth, far enough not to distort
_MARGIN = 0.1  # of the picture, on each side


@dataclass(frozen=True)
class View:
    """A fixed camera: an oblique view from the front for 3-D recordings, the image itself for 2-D ones."""

    axes: np.ndarray
    """(C, C) unit rows: the directions right, up and, in 3-D, towards the camera."""
    origin: np.ndarray
    """(C,) the point that the camera looks at."""
    distance: float
    """Of the camera from the origin; infinite in 2-D, where there is no perspective."""
    scale: float
    """Pixels per unit at the origin."""
    offset: np.ndarray
    """(2,) pixels: where the origin lies."""
    floor: tuple[np.ndarray, ...]
    """Ends (2, 3) of each line of the floor grid; none in 2-D."""

    def project(self, positions: np.ndarray) -> np.ndarray:
        """(..., C) positions -> (..., 2) pixels, x to the right and y downwards."""
        flat = _flatten(positions, self.axes, self.origin, self.distance)
        return self.offset + self.scale * flat * (1.0, -1.0)

    def nearness(self, positions: np.ndarray) -> np.ndarray:
        """(..., C) positions -> (...): how far from the origin towards the camera; 0 in 2-D."""
        if len(self.axes) == 2:
            return np.zeros(positions.shape[:-1])
        return (positions - self.origin) @ self.axes[2]

    def drop(self, positions: np.ndarray) -> np.ndarray:
        """(..., 3) positions -> the same, let down on the floor."""
        dropped = np.array(positions, dtype=np.float64)
        dropped[..., 1] = self.floor[0][0, 1]
        return dropped


def fit_view(recording: Recording, size: int) -> View:
    """A camera that has the valid joints of all frames in a square picture of this many pixels.

    3-D recordings are taken to be right-handed with y upwards, in any unit. The camera stands a little to the
    side of where the persons face on average, or beside the line that joins two persons, so that none covers
    the other.

    Raises:
        DataError: if no joint is valid in any frame.
    """
    seen = recording.positions[recording.valid].astype(np.float64)
    if not len(seen):
        raise DataError(f"recording '{recording.name}' has no valid joint in any frame: nothing to draw.")
    # A few stray joints must not make the persons small.
    low, high = np.percentile(seen, [0.2, 99.8], axis=0)
    origin = (low + high) / 2
    floor: tuple[np.ndarray, ...] = ()
    if recording.layout.dims == 2:
        axes = np.array([[1.0, 0.0], [0.0, -1.0]])
        distance = np.inf
    else:
        across = _across(recording)
        axes = _camera(across)
        distance = _DISTANCE * max(float(np.linalg.norm(high - low)), 1e-6)
        floor = _floor(seen, float(low[1]), float(high[1]), across)
    flat = _flatten(np.clip(seen, low, high), axes, origin, distance)
    left_bottom, right_top = flat.min(axis=0), flat.max(axis=0)
    room = size * (1 - 2 * _MARGIN)
    scale = room / max(float((right_top - left_bottom).max()), 1e-9)
    offset = size / 2 - scale * (left_bottom + right_top) / 2 * (1.0, -1.0)
    return View(axes, origin, distance, scale, offset, floor)


def _flatten(positions: np.ndarray, axes: np.ndarray, origin: np.ndarray, distance: float) -> np.ndarray:
    """(..., C) -> (..., 2): right and up, in the unit of the recording at the depth of the origin."""
    seen = (positions - origin) @ axes.T
    if np.isinf(distance):
        return seen
    # A stray joint behind the camera would turn the picture inside out; it is kept in front of it.
    return seen[..., :2] / np.maximum(1.0 - seen[..., 2:] / distance, 0.1)


def _camera(across: np.ndarray) -> np.ndarray:
    """(3,) horizontal direction from right to left of the persons -> (3, 3) axes of a view from the front."""
    up = np.array([0.0, 1.0, 0.0])
    ahead = np.cross(across, up)
    right = np.cos(_AZIMUTH) * across - np.sin(_AZIMUTH) * ahead
    towards = np.cross(right, up)
    cos, sin = np.cos(_ELEVATION), np.sin(_ELEVATION)
    return np.stack([right, cos * up - sin * towards, cos * towards + sin * up])


def _across(recording: Recording) -> np.ndarray:
    """(3,) horizontal unit vector from right to left of the persons: rightwards for who faces them."""
    positions, valid = recording.positions.astype(np.float64), recording.valid
    pairs, joints = recording.layout.pairs, recording.layout.joints
    # The trunk says where a person faces; hands and feet go their own ways.
    trunk = [pair for pair in pairs if joints[pair[0]].endswith(("shoulder", "hip"))]
    across = np.zeros(3)
    for left, right in trunk or pairs:
        both = valid[:, :, left] & valid[:, :, right]
        across += (positions[:, :, left] - positions[:, :, right])[both].sum(axis=0)
    across[1] = 0.0
    present = [person for person in range(recording.n_persons) if valid[:, person].any()]
    if len(present) > 1:
        first, second = (positions[:, person][valid[:, person]].mean(axis=0) for person in present[:2])
        line = (second - first) * (1.0, 0.0, 1.0)
        if np.linalg.norm(line) > 1e-6:
            across = line if line @ across >= 0 else -line
    length = np.linalg.norm(across)
    return across / length if length > 1e-9 else np.array([1.0, 0.0, 0.0])


def _floor(seen: np.ndarray, bottom: float, top: float, across: np.ndarray) -> tuple[np.ndarray, ...]:
    """Grid lines under all joints (N, 3), along and across where they face; some three squares a height."""
    ahead = np.cross(across, [0.0, 1.0, 0.0])
    on_floor = np.stack([seen @ across, seen @ ahead], axis=1)
    low, high = np.percentile(on_floor, [0.5, 99.5], axis=0)
    third = max(top - bottom, 0.25 * float((high - low).max()), 1e-6) / 3
    power = 10.0 ** np.floor(np.log10(third))
    step = power * max(factor for factor in (1, 2, 5) if factor * power <= third)
    (a_first, b_first), (a_last, b_last) = np.floor(low / step - 0.35), np.ceil(high / step + 0.35)

    def point(a: float, b: float) -> np.ndarray:
        return step * (a * across + b * ahead) + np.array([0.0, bottom, 0.0])

    lines = [np.stack([point(a, b_first), point(a, b_last)]) for a in np.arange(a_first, a_last + 1)]
    lines += [np.stack([point(a_first, b), point(a_last, b)]) for b in np.arange(b_first, b_last + 1)]
    return tuple(lines)
