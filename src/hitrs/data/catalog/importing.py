"""From a folder of files to a store."""

from __future__ import annotations

from pathlib import Path

from hitrs.data.catalog import nw_ucla, utd_mhad
from hitrs.data.store import Store, check_destination, write_store
from hitrs.errors import DataError

_FINDERS = {nw_ucla.NAME: nw_ucla.find, utd_mhad.NAME: utd_mhad.find}


def import_dataset(src: str | Path, dst: str | Path, *, dataset: str | None = None, overwrite: bool = False) -> Store:
    """Read a data set from the folder ``src`` and write it to a new store ``dst``."""
    source, target = Path(src), Path(dst)
    if not source.is_dir():
        raise DataError(f"there is no folder {source} to import.")
    check_destination(target, overwrite)
    for name, find in _FINDERS.items():
        found = find(source) if dataset in (None, name) else None
        if found:
            meta = {"dataset": found.name, **found.meta, "notes": found.notes}
            return write_store(
                target, found.recordings, layout=found.layout, classes=found.classes, protocols=found.protocols, meta=meta,
                overwrite=overwrite,
            )  # fmt: skip
    raise DataError(f"no known data set in {source}.")
