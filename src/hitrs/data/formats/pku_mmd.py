"""PKU-MMD (Kinect v2): skeletons as a line of 150 numbers per frame, two bodies of 25 joints; and its labels.

Labels, and proposals of a detector, are text of a line per action: ``label,start,end,confidence``. Frames
count from 1 there and ``end`` is the last frame of the action, as the ranges of the files suggest; here
segments are half-open from 0, so [start, end] becomes [start - 1, end).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hitrs.data.formats.format import Format, Head, check_layout, one
from hitrs.data.formats.text_rows import number_blocks, open_text
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.files import atomic_file, explained_writes
from hitrs.skeleton import Layout, get_layout

BODIES, JOINTS = 2, 25
COLUMNS = BODIES * JOINTS * 3
_LONGEST_LINE = 200
"""Of labels: numbers of thousands of digits cannot even be printed."""


@dataclass(frozen=True)
class Instance:
    """A labeled or proposed action, frames [start, stop), 0-based."""

    label: str
    """The number of its class, as text."""
    start: int
    stop: int
    confidence: float | None = None


def read_pku_mmd(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one sequence; a body whose joints are all zero is absent, a second one who never comes is dropped.

    Raises:
        DataError: for a file that is missing, has no frames, or a line that is not 150 finite numbers (naming
            line and frame).
    """
    path = Path(path)
    layout = check_layout(path, layout, get_layout("ntu25"))
    with open_text(path) as file:
        rows = list(number_blocks(enumerate(file, start=1), COLUMNS, None, path, BODIES * JOINTS))
    if not rows:
        raise DataError(f"{path} is an empty sequence: it has no frames.")
    positions = np.concatenate(rows).reshape(-1, BODIES, JOINTS, 3)
    valid = (positions != 0).any(-1)
    persons = BODIES if valid[:, 1].any() else 1
    with located(path):
        return Recording(positions[:, :persons], valid[:, :persons], layout, name=path.stem, source=path.name)


def read_labels(path: Path) -> list[Instance]:
    """Read labels or proposals.

    Raises:
        DataError: naming the line that is not a label, two frames in order and perhaps a confidence.
    """
    instances = []
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                instances.append(_instance(f"{path}, line {number}", line))
    return instances


def write_labels(path: Path, instances: Iterable[Instance]) -> None:
    """Write labels or proposals in the same form; a confidence that is not known is written as 1."""
    lines = [
        f"{each.label},{each.start + 1},{each.stop},{1.0 if each.confidence is None else each.confidence!r}\n"
        for each in instances
    ]
    with atomic_file(path) as part, explained_writes(path):
        part.write_text("".join(lines), encoding="utf-8")


def _instance(where: str, line: str) -> Instance:
    cells = [cell.strip() for cell in line.split(",")]
    try:
        start, end = int(cells[1]), int(cells[2])
        confidence = float(cells[3]) if len(cells) > 3 else None
        known = (
            len(cells) in (3, 4)
            and cells[0].isdecimal()
            and (confidence is None or np.isfinite(confidence))
            and len(line) < _LONGEST_LINE
        )
    except (ValueError, IndexError):
        known, start, end, confidence = False, 0, 0, None
    if not known:
        raise DataError(f"{where}: '{line.strip()[:60]}' is not 'label,start,end,confidence'.")
    if not 1 <= start <= end:
        raise DataError(
            f"{where}: frames {start} to {end}; the first must be 1 or more and not after the last."
        )
    return Instance(str(int(cells[0])), start - 1, end, confidence)


def _matches(head: Head) -> bool:
    lines = head.text.lstrip().split("\n", 2)
    return "," not in lines[0] and len(lines[0].split()) == COLUMNS


FORMAT = Format("pku-mmd", "PKU-MMD skeletons", (".txt",), _matches, one(read_pku_mmd), memory=12)
