"""What a data set hands to the import: its layout, classes and protocols, and what reads its recordings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hitrs.data.recording import Recording
from hitrs.data.writer import Protocol
from hitrs.skeleton.layout import Layout


@dataclass(frozen=True)
class Dataset:
    """A data set that was found in a folder and is ready to be read, one recording at a time."""

    name: str
    layout: Layout
    classes: tuple[str, ...]
    """Class names in their canonical order."""
    protocols: Mapping[str, Protocol]
    readers: Iterable[Callable[[], Recording]]
    """One call per file; each may raise DataError."""
    meta: dict[str, Any] = field(default_factory=dict)
    """What is known about the data, JSON values."""
    notes: list[str] = field(default_factory=list)
    """Sentences for people about what is unusual in what was found."""


def matching_files(source: Path, below: str, pattern: re.Pattern[str]) -> list[tuple[Path, tuple[int, ...]]]:
    """Files in ``source`` or its subfolder ``below`` whose name matches, sorted, with the numbers in it."""
    for folder in (source, source / below):
        if folder.is_dir():
            found = ((file, pattern.fullmatch(file.name)) for file in sorted(folder.iterdir()))
            files = [(file, tuple(int(group) for group in match.groups())) for file, match in found if match]
            if files:
                return files
    return []


def incomplete(found: int, expected: int) -> list[str]:
    """The note on a copy of a public data set that has not all of its sequences."""
    return [] if found == expected else [f"the whole data set has {expected} sequences, {found} are here"]


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """Sort key that puts "s2" before "s10"."""
    pieces = re.split(r"(\d+)", text)
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece]
