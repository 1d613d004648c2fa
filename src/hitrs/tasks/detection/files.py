"""Files of detected segments: JSON, CSV or PKU-MMD text.

JSON and CSV give frames from 0, ``stop`` no longer part of the segment, and seconds where the frame rate is
known. PKU-MMD text is ``label,start,end,confidence`` with classes and frames from 1 and no names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hitrs.data.formats.pku_mmd import Instance, read_labels, write_labels
from hitrs.errors import ConfigError, DataError
from hitrs.files import atomic_file, explained_writes, file_name
from hitrs.tasks.csv_files import write_rows
from hitrs.tasks.detection.detection import COLUMNS, Detection
from hitrs.tasks.detection.segments import Proposal


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
