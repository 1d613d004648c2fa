"""npy: a single array of numpy, (T, J, C) or (T, P, J, C) with NaN where a joint was not seen.

The array says nothing about its joints: the layout is given. ``NAME.skeleton.npy``, which scripts make of
NTU RGB+D, holds a dict of bodies instead; it is read like the file it was made of. Other objects are refused,
because opening them could run code.
"""

from __future__ import annotations

import math
import tokenize
from pathlib import Path
from typing import IO, Any

import numpy as np

from hitrs.data.formats.bodies import Track, track_bodies
from hitrs.data.formats.format import Format, Head, check_layout, layout_hint, one
from hitrs.data.formats.memory import PER_NUMBER, reserve
from hitrs.data.formats.ntu import PERSONS
from hitrs.data.formats.plain_pickle import as_array, boxed, plain_value
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout

_MAGIC = b"\x93NUMPY"
_BODY = "skel_body"
_BODIES = 64


def read_npy(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one recording, named after its file.

    Args:
        layout: the joints of the array, in its order.

    Example:
        >>> read_npy("walk.npy", get_layout("kinect20"))
        Recording('walk', 90 frames, 1 person, 20 joints of kinect20, unknown frame rate)

    Raises:
        DataError: for a file that is missing, damaged or holds other objects, another shape, or no layout
            (naming those that would fit).
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            shape, dtype = array_header(file)
            if dtype.hasobject:
                return _bodies(path, plain_value(file.read(), str(path)), layout)
            stored = path.stat().st_size - file.tell()
            if math.prod(shape) * dtype.itemsize != stored:
                raise DataError(
                    f"{path} declares an array {shape} of {dtype} in {stored:,} bytes; it is damaged."
                )
            reserve(path, math.prod(shape) * (dtype.itemsize + PER_NUMBER), f"{stored:,} bytes")
            file.seek(0)
            array = np.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except (ValueError, TypeError, SyntaxError, MemoryError, OverflowError, UnicodeError) as error:
        raise DataError(
            f"{path} is not an npy file that can be read ({error}); it may be damaged."
        ) from error
    if array.dtype.kind not in "fiu" or array.ndim not in (3, 4):
        raise DataError(
            f"{path} is an array {array.shape} of {array.dtype}; expected numbers (frames, joints, "
            "coordinates) or (frames, persons, joints, coordinates)."
        )
    if layout is None:
        raise DataError(f"{path} does not say which joints it has. {layout_hint(*array.shape[-2:])}")
    with located(path):
        return Recording(array, layout=layout, name=path.stem, source=path.name)


def _bodies(path: Path, value: Any, layout: Layout | None) -> Recording:
    """NTU RGB+D: ``skel_body0``, ... (T, 25, 3), all zeros where the body is not seen."""
    content = boxed(value)
    bodies = {}
    if isinstance(content, dict):
        keys = [f"{_BODY}{number}" for number in range(_BODIES) if f"{_BODY}{number}" in content]
        bodies = {key: as_array(content[key]) for key in keys}
    ntu = check_layout(path, layout, get_layout("ntu25"))
    arrays = {key: array for key, array in bodies.items() if array is not None and array.ndim == 3}
    if not arrays or len({len(array) for array in arrays.values()}) > 1:
        raise DataError(
            f"{path} holds pickled objects that are no bodies of NTU RGB+D ({_BODY}0, ... of the same "
            "length)."
        )
    tracks = []
    for key, array in arrays.items():
        if array.shape[1:] != (ntu.n_joints, 3) or array.dtype.kind != "f":
            raise DataError(f"{path}: '{key}' is {array.dtype} {array.shape}, expected numbers (T, 25, 3).")
        frames = np.flatnonzero((array != 0).any((1, 2)))
        tracks.append(Track(key.removeprefix(_BODY), frames, array[frames].astype(np.float64)))
    n_frames = len(next(iter(arrays.values())))
    positions, valid, notes = track_bodies(
        [track for track in tracks if len(track.frames)], n_frames, PERSONS
    )
    if not n_frames or positions.shape[1] == 0:
        raise DataError(f"{path}: no body is seen in any of its {n_frames} frames.")
    name = path.stem.removesuffix(".skeleton")
    with located(path):
        return Recording(positions, valid, ntu, name=name, source=path.name, notes=notes)


def array_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array that begins at the place of a file; what follows is not looked at.

    Raises:
        ValueError, TypeError, SyntaxError, OverflowError, MemoryError: if that is no array's header, which
            numpy reads as an expression.
    """
    version = np.lib.format.read_magic(file)
    first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    try:
        shape, _, dtype = read(file)
    except tokenize.TokenError as error:
        raise ValueError(str(error)) from error
    if any(size < 0 for size in shape):
        raise ValueError(f"an array of shape {shape}")
    return shape, dtype


def _matches(head: Head) -> bool:
    return head.data.startswith(_MAGIC)


FORMAT = Format(
    "npy", "an array (frames, joints, coordinates), or with persons", (".npy",), _matches, one(read_npy)
)
