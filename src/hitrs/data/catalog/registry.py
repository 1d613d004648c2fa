"""All data sets of the catalog, and which of them a folder holds.

Packages of others add theirs through the entry point "hitrs.datasets".
"""

from __future__ import annotations

import difflib
import importlib
from functools import cache
from pathlib import Path

from hitrs.data.catalog import folder
from hitrs.data.catalog.dataset import Dataset, Entry, ImportOptions
from hitrs.errors import DataError
from hitrs.plugins import load_plugins
from hitrs.skeleton.layout import get_layout

_MODULES = (
    "nw_ucla",
    "utd_mhad",
    "precog",
    "ui_prmd",
    "ntu",
    "pku_mmd",
    "penn_action",
    "cmu_motion",
    "human36m",
    "pyskl",
)
"""In the order in which they are asked whether a folder is theirs."""


@cache
def all_entries() -> dict[str, Entry]:
    """Name -> data set, those of other packages last."""
    own: list[Entry] = []
    for name in _MODULES:
        module = importlib.import_module(f"{__package__}.{name}")
        own += module.ENTRIES if hasattr(module, "ENTRIES") else (module.ENTRY,)
    plugins = load_plugins("hitrs.datasets", Entry, {entry.name for entry in own})
    return {entry.name: entry for entry in (*own, *plugins)}


def get_entry(name: str) -> Entry:
    """A data set by its name; DataError with the nearest name where there is none."""
    entries = all_entries()
    if name not in entries:
        near = difflib.get_close_matches(name, entries, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(entries)}."
        raise DataError(f"there is no data set '{name}'; {hint}")
    return entries[name]


def find_dataset(source: Path, options: ImportOptions) -> Dataset:
    """The data set in a folder: the one that the options name, or the first whose files are there.

    Raises:
        DataError: if there is none, the name is unknown, or options are given that do not suit it.
    """
    name, entries = options.dataset, all_entries()
    if name not in (None, folder.NAME):
        entries = {str(name): get_entry(str(name))}
    for public, entry in entries.items() if name != folder.NAME else ():
        dataset = entry.find(source)
        if dataset is None:
            continue
        layout = None if options.layout is None else get_layout(options.layout)
        others = (options.format, options.columns, options.pose, options.test_subjects, options.split)
        if layout not in (None, dataset.layout) or any(value is not None for value in others):
            raise DataError(
                f"{source} is {public}, which has a fixed layout ({dataset.layout.name}) and a published "
                "split; layout, format, columns, pose estimator, test subjects and split can only be "
                f"chosen for a folder of your own files (to read it as one: --dataset {folder.NAME})."
            )
        return dataset
    if name in (None, folder.NAME):
        own_files = folder.find(source, options)
        if own_files is not None:
            return own_files
    expected = f"no files of {name}" if name else "no files of a known data set or file format"
    raise DataError(
        f"{source} holds {expected}{folder.kinds(source)}. Known data sets: "
        f"{', '.join((*all_entries(), folder.NAME))} (`hitrs data list` says how to lay out their files)."
    )
