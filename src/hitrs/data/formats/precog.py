"""PRECOG (Kinect v1): a table per untrimmed sequence, ``;`` between joints, blanks within, the label last.

The header names 20 joints; a row holds ``x y z`` of each in meters and the number of the action that the
frame belongs to, 0 for none. Neighboring frames of one action are a segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from hitrs.data.formats.format import Format, Head, check_layout, one
from hitrs.data.formats.text_rows import TextLines, number_blocks, open_text
from hitrs.data.recording import Recording, Segment
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout
from hitrs.skeleton.names import anatomical_names

ACTIONS = (
    "right punch", "left punch", "front right kick", "front left kick", "side right kick", "side left kick",
    "back fist", "elbow strike",
)  # fmt: skip
"""Names of the actions 1 to 8."""
_JOINTS = 20


def read_precog(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one sequence; the frame rate is not stated (Kinect v1 gives 30 a second at best).

    Raises:
        DataError: for a file that is missing, has another header, no frames, a row of another length, a value
            that is no finite number, or a label that is no action (naming the line).
    """
    path = Path(path)
    layout = check_layout(path, layout, get_layout("kinect20"))
    with open_text(path) as file:
        order = _order(path, file.readline(), layout)
        rows = list(number_blocks(_rows(file), 3 * _JOINTS + 1, None, path, _JOINTS))
    if not rows:
        raise DataError(f"{path} is an empty sequence: it has a header but no frames.")
    values = np.concatenate(rows)
    positions = values[:, :-1].reshape(-1, 1, _JOINTS, 3)[:, :, order]
    valid = (positions != 0).any(-1)
    notes = () if valid.any() else ("all coordinates are zero: the sensor saw nobody",)
    with located(path):
        return Recording(
            positions,
            valid,
            layout,
            name=path.stem,
            segments=_segments(path, values[:, -1]),
            source=path.name,
            notes=notes,
        )


def _order(path: Path, header: str, layout: Layout) -> list[int]:
    """For each joint of the layout its place in the file."""
    names = anatomical_names([cell.strip() for cell in header.split(";")][:_JOINTS])
    if sorted(map(str, names)) != sorted(layout.joints):
        raise DataError(
            f"{path}, line 1: expected the names of {_JOINTS} joints with ';' between them (HipCenter; "
            f"Spine; "
            "...), as PRECOG has them."
        )
    return [names.index(joint) for joint in layout.joints]


def _rows(file: TextLines) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file, start=2):
        yield number, line.replace(";", " ")


def _segments(path: Path, labels: np.ndarray) -> tuple[Segment, ...]:
    wrong = np.flatnonzero((labels % 1 != 0) | (labels < 0) | (labels > len(ACTIONS)))
    if len(wrong):
        raise DataError(
            f"{path}: frame {wrong[0]} has the label {labels[wrong[0]]:g}; labels are 0 (none) to "
            f"{len(ACTIONS)}."
        )
    bounds = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
    return tuple(
        Segment(int(start), int(stop), ACTIONS[int(labels[start]) - 1])
        for start, stop in pairwise(bounds)
        if labels[start] > 0
    )


def _matches(head: Head) -> bool:
    return head.text.lstrip().partition("\n")[0].replace(" ", "").startswith("HipCenter;Spine;")


FORMAT = Format("precog", "PRECOG sequences", (".csv",), _matches, one(read_precog), memory=24)
