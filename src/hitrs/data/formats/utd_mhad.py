"""UTD-MHAD skeletons: one MATLAB file per sequence with ``d_skel`` (20 joints, 3 coordinates, T frames), Kinect v1, meters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import get_layout


def read_utd_mhad(path: str | Path) -> Recording:
    """Read one UTD-MHAD skeleton file; the recording has no label (``catalog.utd_mhad`` knows the classes).

    Raises:
        DataError: for a file that is missing, damaged, without frames, of another shape, or with a coordinate that is not
            finite (naming frame and joint).
    """
    path = Path(path)
    try:
        content = loadmat(path, variable_names=["d_skel"])
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except (MatReadError, ValueError, TypeError, OSError, NotImplementedError, EOFError, IndexError, KeyError) as error:
        # scipy has no common error for damaged files; NotImplementedError is MATLAB 7.3, which is HDF5
        raise DataError(f"{path} is not a MATLAB file that can be read ({error}); it seems damaged. Get it again.") from error
    layout = get_layout("utd20")
    skeleton = content.get("d_skel")
    if skeleton is None:
        raise DataError(f"{path} is not a UTD-MHAD skeleton file: it has no variable 'd_skel'.")
    if skeleton.ndim == 2:
        skeleton = skeleton[..., None]  # MATLAB drops a last axis of one frame
    if skeleton.ndim != 3 or skeleton.shape[:2] != (layout.n_joints, 3) or skeleton.dtype.kind not in "fiu":
        raise DataError(f"{path}: d_skel is {skeleton.dtype} of shape {skeleton.shape}, expected numbers of (20 joints, 3, frames).")
    positions = np.moveaxis(skeleton, 2, 0).astype(np.float64)  # (T, J, C)
    if len(positions) == 0:
        raise DataError(f"{path} is an empty sequence: d_skel has no frames.")
    if not np.isfinite(positions).all():
        frame, joint, _ = np.argwhere(~np.isfinite(positions))[0]
        raise DataError(
            f"{path}: frame {frame}, joint '{layout.joints[joint]}' has coordinates {positions[frame, joint].tolist()}; "
            "expected finite numbers in meters."
        )
    positions = positions[:, None]  # (T, P=1, J, C)
    return Recording(positions, (positions != 0).any(-1), layout, name=path.stem, source=path.name)
