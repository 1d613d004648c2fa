"""The detected segments of a recording, and files of them: JSON, CSV or PKU-MMD text.

JSON and CSV give frames from 0, ``stop`` no longer part of the segment, and seconds where the frame rate is
known. PKU-MMD text is ``label,start,end,confidence`` with classes and frames from 1 and no names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.pku_mmd import Instance, read_labels, write_labels
from hitrs.errors import ConfigError, DataError
from hitrs.files import atomic_file, explained_writes, file_name
from hitrs.tasks.csv_files import write_rows
from hitrs.tasks.detection.segments import Proposal
from hitrs.tasks.inputs import JointsSeen

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
    joints: JointsSeen | None = None
    """How many of the model's joints the recording has, and shows; None where only segments were read."""
    notes: tuple[str, ...] = ()
    """What its reader left out or changed, and what was converted."""

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
        """JSON values: name, length, frame rate, the segments, joints and notes."""
        segments = [{key: row[key] for key in COLUMNS[1:]} for row in self.rows()]
        joints = None if self.joints is None else self.joints.to_dict()
        facts = {"name": self.name, "frames": self.frames, "fps": self.fps}
        return {**facts, "segments": segments, "joints": joints, "notes": list(self.notes)}

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
    """A line per segment; seconds are empty where the frame rate is unknown, names are no formulas."""
    rows = (row for detection in detections for row in detection.rows())
    write_rows(Path(path), COLUMNS, ([row[key] for key in COLUMNS] for row in rows))


def write_pku(folder: str | Path, detections: Sequence[Detection]) -> None:
    """A file ``NAME.txt`` per recording, as PKU-MMD's scorer expects them.

    What a name has that cannot stand in a file's is replaced: see ``file_name``.

    Raises:
        ConfigError: if two recordings have the same name: one file would replace the other.
    """
    names = [file_name(detection.name) for detection in detections]
    for name, count in Counter(name.casefold() for name in names).items():
        if count > 1:
            raise ConfigError(f"two recordings are called '{name}'; PKU text needs a file name for each")
    for name, detection in zip(names, detections, strict=True):
        instances = [Instance(str(p.label + 1), p.start, p.stop, p.score) for p in detection.proposals]
        write_labels(Path(folder) / f"{name}.txt", instances)


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
