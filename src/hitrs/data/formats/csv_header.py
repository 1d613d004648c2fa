"""What the columns of a table mean: whose coordinate, how visible, which frame, person and time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hitrs.errors import DataError

AXES = ("x", "y", "z")
FRAMES = ("frame", "frame_number", "frame_id", "frame_index", "frame_idx")
PERSONS = ("person", "person_id", "track", "track_id")
TIMES = ("time", "time_s", "seconds", "timestamp", "timestamp_s", "time_ms", "timestamp_ms")
LANDMARKS = ("landmark", "landmark_name", "landmark_id", "landmark_index", "joint", "keypoint")
SCORES = {"visibility": 0.5, "presence": 0.5, "confidence": 0.0, "score": 0.0, "likelihood": 0.6, "v": 0.5,
          "c": 0.0}  # fmt: skip
"""Columns that say how well a joint was seen -> it counts as seen where they are larger than this."""
_NUMBERED = re.compile(rf"({'|'.join((*AXES, *SCORES))})_?(\d+)")
_NAMED = re.compile(rf"(?:landmark_?)?(.+?)_({'|'.join((*AXES, *SCORES))})")


@dataclass
class Header:
    """Columns by meaning; numbers are places in a row."""

    cells: list[str]
    """The names as they stand in the file."""
    joints: dict[str, dict[str, int]] = field(default_factory=dict)
    """Joint (name in lower case, or number) -> axis -> column. In the long form there is one joint, ''."""
    spelled: dict[str, str] = field(default_factory=dict)
    """Joint -> its name as it stands in the file, upper case and all."""
    scores: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Joint -> column that says how well it was seen, and the value that it must exceed."""
    frame: int | None = None
    person: int | None = None
    time: int | None = None
    landmark: int | None = None
    """In the long form, a row per joint: the column with its name or number."""
    unknown: list[int] = field(default_factory=list)

    @property
    def numbered(self) -> bool:
        """Whether joints are known by number only."""
        return bool(self.joints) and all(joint.isdigit() for joint in self.joints)


def normal(name: str) -> str:
    """A name in lower case with underscores, as joints are compared."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def read_header(path: Path, cells: Sequence[str]) -> Header:
    """The meaning of each column.

    Raises:
        DataError: for a column that occurs twice, or if there are no coordinates at all.
    """
    header = Header([cell.strip() for cell in cells])
    names = [normal(cell) for cell in header.cells]
    twice = {name for name, count in Counter(names).items() if count > 1}
    for cell, name in zip(header.cells, names, strict=True):
        if name in twice:
            raise DataError(f"{path}: the column '{cell}' occurs twice.")
    long = any(name in LANDMARKS for name in names) and {"x", "y"} <= set(names)
    for place, name in enumerate(names):
        if name in FRAMES and header.frame is None:
            header.frame = place
        elif name in PERSONS and header.person is None:
            header.person = place
        elif name in TIMES and header.time is None:
            header.time = place
        elif long and name in LANDMARKS:
            header.landmark = place
        elif long and name in AXES:
            header.joints.setdefault("", {})[name] = place
        elif long and name in SCORES:
            header.scores[""] = place, SCORES[name]
        elif match := _NUMBERED.fullmatch(name):
            _put(header, match[2].lstrip("0") or "0", match[1], place)
        elif match := _NAMED.fullmatch(name):
            joint = match[1]
            _put(header, (joint.lstrip("0") or "0") if joint.isdigit() else joint, match[2], place)
            spelled = re.sub(r"^landmark_?", "", header.cells[place][: -len(match[2])], flags=re.IGNORECASE)
            header.spelled.setdefault(joint, spelled.strip(" _.-:"))
        else:
            header.unknown.append(place)
    if not any("x" in axes for axes in header.joints.values()):
        raise DataError(
            f"{path}: the first line must be a comma-separated header with columns such as head_x (or x0, "
            "y0, ..., or landmark, x, y, z with a row per joint)."
        )
    return header


def _put(header: Header, joint: str, what: str, place: int) -> None:
    if what in AXES:
        header.joints.setdefault(joint, {})[what] = place
    else:
        header.scores[joint] = place, SCORES[what]
