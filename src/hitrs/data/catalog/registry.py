"""All data sets of the catalog. Packages of others add theirs through the entry point "hitrs.datasets"."""

from __future__ import annotations

import difflib
import importlib
from functools import cache

from hitrs.data.catalog.base import Entry
from hitrs.data.plugins import load_plugins
from hitrs.errors import DataError

_MODULES = (
    "nw_ucla",
    "utd_mhad",
    "precog",
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
