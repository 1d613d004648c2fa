"""What the Kinect v1 data sets share: one body, meters, and (0, 0, 0) where the sensor lost a joint."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton.layout import Layout


def kinect_recording(path: Path, joints: np.ndarray, layout: Layout) -> Recording:
    """Recording of one body from joints (T, J, 3) in meters, named after the file.

    A joint at exactly (0, 0, 0) is not valid: that point is the sensor itself, where Kinect puts what it
    lost.

    Raises:
        DataError: if there is no frame, or a coordinate is not finite (naming frame and joint).
    """
    if len(joints) == 0:
        raise DataError(f"{path} is an empty sequence: it has no frames.")
    if not np.isfinite(joints).all():
        frame, joint, _ = np.argwhere(~np.isfinite(joints))[0]
        raise DataError(
            f"{path}: frame {frame}, joint '{layout.joints[joint]}' has coordinates "
            f"{joints[frame, joint].tolist()}; expected finite numbers in meters."
        )
    positions = joints[:, None]  # (T, P=1, J, C)
    with located(path):
        return Recording(positions, (positions != 0).any(-1), layout, name=path.stem, source=path.name)
