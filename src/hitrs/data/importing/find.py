"""Which data set a folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hitrs.data.catalog import folder
from hitrs.data.catalog.base import Dataset
from hitrs.data.catalog.registry import all_entries, get_entry
from hitrs.errors import DataError
from hitrs.skeleton.layout import Layout


@dataclass(frozen=True)
class OwnOptions:
    """What can be chosen for a folder of one's own files only."""

    layout: Layout | None = None
    format: str | None = None
    test_subjects: Sequence[str] | None = None
    split: str | None = None


def find_dataset(source: Path, name: str | None, own: OwnOptions) -> Dataset:
    """The data set in a folder: the one that is named, or the first whose files are there.

    Raises:
        DataError: if there is none, the name is unknown, or options are given that do not suit it.
    """
    entries = all_entries()
    if name not in (None, folder.NAME):
        entries = {str(name): get_entry(str(name))}
    for public, entry in entries.items() if name != folder.NAME else ():
        found = entry.find(source)
        if found is None:
            continue
        others = (own.format, own.test_subjects, own.split)
        if (own.layout not in (None, found.layout)) or any(value is not None for value in others):
            raise DataError(
                f"{source} is {public}, which has a fixed layout ({found.layout.name}) and a published "
                "split; layout, format, test subjects and split can only be chosen for a folder of your own "
                f"files (to read it as one: --dataset {folder.NAME})."
            )
        return found
    if name in (None, folder.NAME):
        own_files = folder.find(
            source,
            layout=own.layout,
            format=own.format,
            test_subjects=own.test_subjects,
            split=own.split,
        )
        if own_files is not None:
            return own_files
    expected = f"no files of {name}" if name else "no files of a known data set or file format"
    raise DataError(
        f"{source} holds {expected}. Known data sets: {', '.join((*all_entries(), folder.NAME))} (`hitrs "
        "data list` tells how to lay out their files)."
    )
