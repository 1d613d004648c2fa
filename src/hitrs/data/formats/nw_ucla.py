"""NW-UCLA skeletons: one JSON file per sequence, ``{"skeletons": [T][20][3], "label": 1..10, ...}``, Kinect v1, meters."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import get_layout


def read_nw_ucla(path: str | Path) -> Recording:
    """Read one NW-UCLA sequence; the recording has no label (``catalog.nw_ucla`` knows the classes).

    A joint at exactly (0, 0, 0) is not valid: that point is the sensor itself, where Kinect puts what it lost.

    Raises:
        DataError: for a file that is missing, cut short, holds no frames, another number of joints or coordinates, or a
            coordinate that is not a finite number (naming frame and joint).
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise DataError(f"{path} is not complete JSON ({error}); it seems cut short or damaged. Get the file again.") from error
    if not isinstance(content, dict) or not isinstance(content.get("skeletons"), list):
        raise DataError(f"{path} is not an NW-UCLA file: it has no list 'skeletons'.")
    layout = get_layout("kinect20")
    frames = content["skeletons"]
    if not frames:
        raise DataError(f"{path} is an empty sequence: 'skeletons' has no frames.")
    for number, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) != layout.n_joints:
            count = len(frame) if isinstance(frame, list) else "no"
            raise DataError(f"{path}: frame {number} has {count} joints, expected {layout.n_joints}.")
        for joint, point in enumerate(frame):
            if not isinstance(point, list) or len(point) != 3 or not all(type(x) in (int, float) for x in point):
                raise DataError(f"{path}: frame {number}, joint '{layout.joints[joint]}' is {point}, expected three numbers.")
    positions = np.array(frames, np.float64)
    if not np.isfinite(positions).all():
        frame, joint, _ = np.argwhere(~np.isfinite(positions))[0]
        raise DataError(
            f"{path}: frame {frame}, joint '{layout.joints[joint]}' has coordinates {positions[frame, joint].tolist()}; "
            "expected finite numbers in meters."
        )
    positions = positions[:, None]  # (T, P=1, J, C)
    return Recording(positions, (positions != 0).any(-1), layout, name=path.stem, source=path.name)
