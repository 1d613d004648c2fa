"""How a store holds positions: as float32, or rounded to int16 in half the bytes.

int16 is an integer times a scale, as netCDF and Zarr pack numbers. Each recording has a scale of its own: the
smallest power of two with which its farthest coordinate fits. Whatever the unit, a coordinate is off by at
most half of it: 0.06 mm where all coordinates are below 4 m. (A float16 takes the same space and is off by up
to 1 mm there.)

As the scale is a power of two, rounding what was rounded changes nothing more: neither does reading a store
and writing it again, nor cutting it.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np

from hitrs.data.inspection.motion import body_size
from hitrs.data.recording import Recording
from hitrs.errors import ConfigError, DataError

Dtype: TypeAlias = Literal["float32", "int16"]
FLOAT, PACKED = "float32", "int16"
VALID = "valid.bits"
_FILES = {FLOAT: "positions.f32", PACKED: "positions.i16"}
_TYPES: dict[str, np.dtype] = {FLOAT: np.dtype("<f4"), PACKED: np.dtype("<i2")}
_LARGEST = 32767
_SMALLEST_EXPONENT = -149  # of a float32
COARSEST = 1e-3
"""Rounding of at most this part of a body's size is small beside what sensors and pose estimators do: 1.8 mm
of a person; a recording that would be rounded more is refused."""
COARSEST_PIXEL = 1 / 16
"""In 2-D so much of a pixel is nothing either, however small the body."""


def check_dtype(dtype: str) -> None:
    """ConfigError unless a store can hold positions as ``dtype``."""
    if dtype not in _FILES:
        raise ConfigError(f"positions are stored as {' or '.join(_FILES)}, not as '{dtype}'")


def bulk_files(dtype: str) -> tuple[str, str]:
    """Files of a shard that hold positions and validity."""
    return _FILES[dtype], VALID


def stored_type(dtype: str) -> np.dtype:
    """Type of the numbers in the file of positions."""
    return _TYPES[dtype]


def encode(recording: Recording, dtype: str) -> tuple[np.ndarray, float]:
    """What is stored of a recording's positions (T, P, J, C), and its scale; 1 for float32.

    Raises:
        DataError: if a coordinate is so far away that int16 would round the bodies visibly.

    Example:
        >>> stored, scale = encode(recording, "int16")
        >>> np.abs(decode(stored, scale) - recording.positions).max() <= scale / 2
        True
    """
    positions = np.ascontiguousarray(recording.positions, "<f4")
    if dtype == FLOAT:
        return positions, 1.0
    farthest = float(np.abs(positions).max())
    fraction, exponent = math.frexp(farthest / _LARGEST)
    exponent -= fraction == 0.5  # a power of two fits itself
    scale = math.ldexp(1.0, max(exponent, _SMALLEST_EXPONENT) if farthest else _SMALLEST_EXPONENT)
    size = body_size(positions, recording.valid)
    allowed = max(COARSEST * size, COARSEST_PIXEL if recording.layout.dims == 2 else 0.0)
    if size > 0 and scale / 2 > allowed:
        raise DataError(
            f"'{recording.name}' does not fit int16: a coordinate of {farthest:.4g} beside bodies of "
            f"{size:.3g} would round all by up to {scale / 2:.3g}. Store float32 (--dtype float32), or "
            "repair what stands so far away first (`hitrs clean --spikes 0.2`)."
        )
    return np.rint(positions / np.float32(scale)).astype(_TYPES[PACKED]), scale


def decode(stored: np.ndarray, scale: float) -> np.ndarray:
    """Positions as float32; the same array where it holds them as they are."""
    return stored if stored.dtype == _TYPES[FLOAT] else stored * np.float32(scale)
