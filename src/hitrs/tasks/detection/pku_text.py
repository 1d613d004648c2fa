"""Proposals and labels as PKU-MMD writes them: ``label,start,end,confidence``, classes and frames from 1."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hitrs.data.formats.pku_mmd import Instance, read_labels, write_labels
from hitrs.errors import DataError
from hitrs.tasks.detection.segments import Proposal


def read_proposals(path: str | Path, n_classes: int, frames: int | None = None) -> list[Proposal]:
    """Read proposals or labels, by their start; a line without confidence has the score 1.

    Args:
        frames: of the recording, if proposals that run over its end are to be refused.

    Raises:
        DataError: naming the file and what is wrong in it: a line of another form, an unknown class, frames
            that are reversed or outside of the recording.
    """
    path = Path(path)
    found = []
    for each in read_labels(path):
        number = int(each.label)
        if not 1 <= number <= n_classes:
            raise DataError(f"{path}: there is no class {number}; classes are 1 to {n_classes}.")
        if frames is not None and each.stop > frames:
            raise DataError(
                f"{path}: class {number} stands in frames {each.start + 1} to {each.stop}, but the recording "
                f"has {frames}; is this the file of another recording?"
            )
        score = 1.0 if each.confidence is None else each.confidence
        found.append(Proposal(each.start, each.stop, number - 1, score))
    return sorted(found, key=lambda p: (p.start, p.stop, p.label))


def write_proposals(path: str | Path, proposals: Iterable[Proposal]) -> None:
    """Write proposals of one recording, atomically, in the order given.

    Raises:
        DataError: if the file cannot be written.
    """
    write_labels(Path(path), [Instance(str(p.label + 1), p.start, p.stop, p.score) for p in proposals])
