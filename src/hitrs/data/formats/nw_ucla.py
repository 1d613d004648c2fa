"""NW-UCLA skeletons (Kinect v1): one JSON file per sequence, ``{"skeletons": [T][20][3], "label": ...}``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hitrs.data.formats.format import Format, Head, check_layout, kinect_recording, one
from hitrs.data.formats.json_text import read_json
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import Layout, get_layout


def read_nw_ucla(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one NW-UCLA sequence; the recording has no label (``catalog.nw_ucla`` knows the classes).

    Args:
        layout: must be "kinect20" if given.

    Raises:
        DataError: for a file that is missing, cut short, without frames, with another number of joints or
            coordinates, or with a coordinate that is not a finite number (naming frame and joint).
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("skeletons"), list):
        raise DataError(f"{path} is not an NW-UCLA file: it has no list 'skeletons'.")
    layout = check_layout(path, layout, get_layout("kinect20"))
    for number, frame in enumerate(content["skeletons"]):
        if not isinstance(frame, list) or len(frame) != layout.n_joints:
            count = len(frame) if isinstance(frame, list) else "no"
            raise DataError(f"{path}: frame {number} has {count} joints, expected {layout.n_joints}.")
        for joint, point in zip(layout.joints, frame, strict=True):
            if not isinstance(point, list) or len(point) != 3 or not {type(x) for x in point} <= {int, float}:
                raise DataError(
                    f"{path}: frame {number}, joint '{joint}' is {str(point)[:80]}, expected three numbers."
                )
    return kinect_recording(path, np.array(content["skeletons"], np.float64), layout)


def _matches(head: Head) -> bool:
    return head.text.lstrip().startswith("{") and '"skeletons"' in head.text


FORMAT = Format(
    name="nw-ucla",
    title="NW-UCLA skeletons, one JSON file a sequence",
    suffixes=(".json",),
    matches=_matches,
    read=one(read_nw_ucla),
    memory=36,
)
