"""The detected segments of a recording, and files of them: JSON, CSV or PKU-MMD text.

JSON and CSV give frames from 0, ``stop`` no longer part of the segment, and seconds where the frame rate is
known. PKU-MMD text is ``label,start,end,confidence`` with classes and frames from 1 and no names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.pku_mmd import Instance, read_labels, write_labels
from hitrs.errors import ConfigError, DataError
from hitrs.files import atomic_file, explained_writes
from hitrs.tasks.csv_files import write_rows
from hitrs.tasks.detection.segments import Proposal

COLUMNS = ("name", "label", "start", "stop", "start_seconds", "stop_seconds", "score")


@dataclass(frozen=True)
class Detection:
    """The detected segments of one recording, and the probabilities that they were made of."""

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
                "label": self.classes[proposal.label],
                "start": proposal.start,
                "stop": proposal.stop,
                "start_seconds": self._seconds(proposal.start),
                "stop_seconds": self._seconds(proposal.stop),
                "score": proposal.score,
            }
            for proposal in self.proposals
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON values: name, length, frame rate, and the segments."""
        segments = [{key: row[key] for key in COLUMNS[1:]} for row in self.rows()]
        return {"name": self.name, "frames": self.frames, "fps": self.fps, "segments": segments}

    def _seconds(self, frame: int) -> float | None:
        return None if self.fps is None else round(frame / self.fps, 4)


def write_json(path: str | Path, detections: Sequence[Detection]) -> None:
    """A list with one object per recording, also of one without a segment.

    Raises:
        DataError: if the file cannot be written; the same holds for the other writers.
    """
    path = Path(path)
    values = [detection.to_dict() for detection in detections]
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as part, explained_writes(path):
        part.write_text(text + "\n", encoding="utf-8")


def write_csv(path: str | Path, detections: Sequence[Detection]) -> None:
    """A line per segment; seconds are empty where the frame rate is unknown."""
    rows = (row for detection in detections for row in detection.rows())
    write_rows(Path(path), COLUMNS, ([row[key] for key in COLUMNS] for row in rows))


def write_pku(folder: str | Path, detections: Sequence[Detection]) -> None:
    """A file ``NAME.txt`` per recording, as PKU-MMD's scorer expects them.

    Raises:
        ConfigError: if two recordings have the same name: one file would replace the other.
    """
    names = [detection.name for detection in detections]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two recordings are called '{name}'; PKU text needs a file name for each")
    for detection in detections:
        instances = [Instance(str(p.label + 1), p.start, p.stop, p.score) for p in detection.proposals]
        write_labels(Path(folder) / f"{detection.name}.txt", instances)


def read_pku(path: str | Path, n_classes: int, frames: int | None = None) -> list[Proposal]:
    """Proposals or labels of one recording in PKU-MMD's text form, by start; without confidence: score 1.

    Args:
        frames: of the recording, if proposals that run over its end are to be refused.

    Raises:
        DataError: naming the file and what is wrong in it: a line of another form, an unknown class, frames
            that are reversed or outside of the recording.
    """
    path = Path(path)
    proposals = []
    for instance in read_labels(path):
        number = int(instance.label)
        if not 1 <= number <= n_classes:
            raise DataError(f"{path}: there is no class {number}; classes are 1 to {n_classes}.")
        if frames is not None and instance.stop > frames:
            raise DataError(
                f"{path}: class {number} stands in frames {instance.start + 1} to {instance.stop}, but the "
                f"recording has {frames}; is this the file of another recording?"
            )
        score = 1.0 if instance.confidence is None else instance.confidence
        proposals.append(Proposal(instance.start, instance.stop, number - 1, score))
    return sorted(proposals, key=lambda p: (p.start, p.stop, p.label))
