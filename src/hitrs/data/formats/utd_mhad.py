"""UTD-MHAD skeletons (Kinect v1): one MATLAB file per sequence, ``d_skel`` of 20 joints x 3 x T frames."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from hitrs.data.formats.base import Format, Head, check_layout, one
from hitrs.data.formats.kinect import kinect_recording
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import Layout, get_layout

# scipy has no common error for files it cannot read; NotImplementedError is MATLAB 7.3, which is HDF5.
_UNREADABLE = (
    MatReadError,
    ValueError,
    TypeError,
    OSError,
    NotImplementedError,
    EOFError,
    IndexError,
    KeyError,
)


def read_utd_mhad(path: str | Path) -> Recording:
    """Read one UTD-MHAD skeleton file; the recording has no label (``catalog.utd_mhad`` knows the classes).

    Raises:
        DataError: for a file that is missing, damaged, without frames, of another shape, or with a coordinate
            that is not finite (naming frame and joint).
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}.")
    try:
        content = loadmat(path, variable_names=["d_skel"])
    except (*_UNREADABLE, zlib.error) as error:
        raise DataError(
            f"{path} is not a MATLAB file that can be read ({error}); it seems damaged. Get the file again."
        ) from error
    layout = get_layout("utd20")
    joints = content.get("d_skel")
    if joints is None:
        raise DataError(f"{path} is not a UTD-MHAD skeleton file: it has no variable 'd_skel'.")
    if joints.ndim == 2:
        joints = joints[..., None]  # MATLAB drops a last axis of length one: a single frame
    if joints.ndim != 3 or joints.shape[:2] != (layout.n_joints, 3) or joints.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: d_skel is {joints.dtype} of shape {joints.shape}, expected numbers of shape "
            f"({layout.n_joints} joints, 3 coordinates, frames)."
        )
    return kinect_recording(path, np.moveaxis(joints, 2, 0).astype(np.float64), layout)


def _read(path: Path, layout: Layout | None) -> Recording:
    check_layout(path, layout, get_layout("utd20"))
    return read_utd_mhad(path)


def _matches(head: Head) -> bool:
    return True  # the only format of MATLAB files; the reader says what is wrong with others


FORMAT = Format("utd-mhad", "UTD-MHAD skeletons", (".mat",), _matches, one(_read))
