"""What a data set of the catalog hands to the import: its layout, classes, protocols and a stream of recordings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hitrs.data.recording import Recording
from hitrs.data.writer import Protocol
from hitrs.skeleton.layout import Layout


@dataclass
class Dataset:
    """A data set that was found at a path and is ready to be streamed into a store, once."""

    name: str
    layout: Layout
    classes: tuple[str, ...]
    protocols: Mapping[str, Protocol]
    recordings: Iterator[Recording]
    """May add to ``notes`` and ``skipped`` while it is consumed."""
    meta: dict[str, Any] = field(default_factory=dict)
    """What is known about the data, JSON values."""
    notes: list[str] = field(default_factory=list)
    """Sentences for people about what is unusual in this import."""
    skipped: list[str] = field(default_factory=list)
    """Files that were left out, each with the reason."""


def matching_files(folder: Path, pattern: re.Pattern[str]) -> list[tuple[Path, re.Match[str]]]:
    """Files in ``folder`` whose name matches the whole pattern, sorted by name, with the match."""
    if not folder.is_dir():
        return []
    found = ((file, pattern.fullmatch(file.name)) for file in sorted(folder.iterdir()))
    return [(file, match) for file, match in found if match]
