"""UTD-MHAD skeletons (Kinect v1): one MATLAB file per sequence, ``d_skel`` of 20 joints x 3 x T frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hitrs.data.formats.format import Format, Head, check_layout, kinect_recording, one
from hitrs.data.formats.mat import load_mat, mat_names
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import Layout, get_layout


def read_utd_mhad(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one UTD-MHAD skeleton file; the recording has no label (``catalog.utd_mhad`` knows the classes).

    Raises:
        DataError: for a file that is missing, damaged, without frames, of another shape, or with a coordinate
            that is not finite (naming frame and joint).
    """
    path = Path(path)
    layout = check_layout(path, layout, get_layout("utd20"))
    joints = load_mat(path, ["d_skel"]).get("d_skel")
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


def _matches(head: Head) -> bool:
    return "d_skel" in mat_names(head.data)


FORMAT = Format("utd-mhad", "UTD-MHAD skeletons", (".mat",), _matches, one(read_utd_mhad))
