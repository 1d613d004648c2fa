"""What a detector finds, and ``hitrs detect`` writes: segments, as JSON, CSV or PKU-MMD text.

JSON and CSV give frames from 0, ``stop`` no longer part of the segment, and seconds where the frame rate is
known; PKU-MMD text has its own counting and no names.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.files import atomic_file, explained_writes
from hitrs.errors import ConfigError
from hitrs.tasks.detection.pku_text import write_proposals
from hitrs.tasks.detection.segments import Proposal

COLUMNS = ("name", "label", "start", "stop", "start_seconds", "stop_seconds", "score")


@dataclass(frozen=True)
class Detection:
    """Segments that were found in one recording."""

    name: str
    """Name of the recording."""
    frames: int
    """Its length."""
    fps: float | None
    """Frames per second, None where unknown."""
    proposals: tuple[Proposal, ...]
    classes: tuple[str, ...]
    """Names of the labels."""
    probabilities: np.ndarray | None = field(default=None, repr=False, compare=False)
    """(T, K + 1) of the frames, background last; None where only segments were read."""

    def rows(self) -> list[dict[str, Any]]:
        """One dict per segment with the keys of ``COLUMNS``; seconds are None where the rate is unknown."""
        return [
            {
                "name": self.name,
                "label": self.classes[each.label],
                "start": each.start,
                "stop": each.stop,
                "start_seconds": self._seconds(each.start),
                "stop_seconds": self._seconds(each.stop),
                "score": each.score,
            }
            for each in self.proposals
        ]

    def to_dict(self) -> dict[str, Any]:
        segments = [{key: row[key] for key in COLUMNS[1:]} for row in self.rows()]
        return {"name": self.name, "frames": self.frames, "fps": self.fps, "segments": segments}

    def _seconds(self, frame: int) -> float | None:
        return None if self.fps is None else round(frame / self.fps, 4)


def write_json(path: str | Path, detections: Sequence[Detection]) -> None:
    """A list with one object per recording, also of one in which nothing was found.

    Raises:
        DataError: if the file cannot be written; the same holds for the other writers.
    """
    path = Path(path)
    text = json.dumps([each.to_dict() for each in detections], indent=1, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as part, explained_writes(path):
        part.write_text(text + "\n", encoding="utf-8")


def write_csv(path: str | Path, detections: Sequence[Detection]) -> None:
    """A line per segment; seconds are empty where the frame rate is unknown."""
    path = Path(path)
    with (
        atomic_file(path) as part,
        explained_writes(path),
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for each in detections:
            writer.writerows(each.rows())


def write_pku(folder: str | Path, detections: Sequence[Detection]) -> None:
    """A file ``NAME.txt`` per recording, as PKU-MMD's scorer expects them.

    Raises:
        ConfigError: if two recordings have the same name: one file would replace the other.
    """
    names = [each.name for each in detections]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two recordings are called '{name}'; PKU text needs a file name for each")
    for each in detections:
        write_proposals(Path(folder) / f"{each.name}.txt", each.proposals)
