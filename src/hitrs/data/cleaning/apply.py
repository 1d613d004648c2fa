"""From a store to a cleaned one, with the raw one inside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

from hitrs.data.cleaning.operations import Operation
from hitrs.data.encoding import Dtype, check_dtype
from hitrs.data.recording import Recording
from hitrs.data.remote import address_of
from hitrs.data.shards import FOLDER, ShardWriter, remove_indices, shard_name
from hitrs.data.store import SHARD_RECORDINGS, Store, check_destination
from hitrs.data.store_files import files_of, read_header
from hitrs.data.writer import PARTS, finish_store
from hitrs.errors import DataError
from hitrs.files import atomic_folder, explained_writes

RAW = "raw"


def clean_store(
    src: str | Path,
    dst: str | Path,
    operations: Sequence[Operation],
    *,
    dtype: Dtype | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Store:
    """Apply operations to every recording of a store, write a new store and open it.

    Labels, protocols, names, notes and meta stay as they are. What was done is noted with each recording that
    was changed and, in all, in ``meta["cleaning"]``, a list of {"operation", "options", "recordings",
    "values"} behind those of earlier cleanings. ``Store.raw`` of the result are the values as they were read:
    the files of the source (or of its own raw store), linked where the file system can, else copied.

    Args:
        operations: in the order in which they are applied.
        dtype: how positions are stored, "float32" or "int16"; None: as in the source. The raw ones stay as
            they are.
        progress: is called with the recordings done, and their number.

    Raises:
        DataError: if the source is no store, the destination is not free, an operation cannot be applied to a
            recording, or writing fails. Nothing is left behind then.
    """
    if (address := address_of(src)) is not None:
        raise DataError(
            f"cleaning keeps the raw values beside the cleaned ones: copy the store {address} to a folder of "
            "this machine first."
        )
    source, target = Path(src), Path(dst)
    store = Store.open(source)
    here, there = source.resolve(), target.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise DataError(
            f"{target} cannot be inside {source}, or the other way round; choose another destination."
        )
    check_destination(target, overwrite)
    dtype = dtype or store.dtype
    check_dtype(dtype)
    parts = _parts(store)
    counts = [[0, 0] for _ in operations]  # recordings, values
    with atomic_folder(target) as folder:
        shards: list[str] = []
        indices = iter(range(len(store)))
        while chunk := list(islice(indices, SHARD_RECORDINGS)):
            shards.append(shard_name(len(shards)))
            place = folder / FOLDER / shards[-1]
            with ShardWriter(place, target, store.layout, store.classes, dtype) as writer:
                for index in chunk:
                    writer.add(_cleaned(store[index], operations, counts))
                    progress(index + 1, len(store))
                writer.close()
        steps = [
            {"operation": each.name, "options": asdict(each), "recordings": recordings, "values": values}
            for each, (recordings, values) in zip(operations, counts, strict=True)
        ]
        finish_store(
            folder,
            target,
            shards,
            layout=store.layout,
            classes=store.classes,
            split=lambda _: (parts, []),
            meta=_meta(store, steps),
            dtype=dtype,
        )
        remove_indices(folder)
        raw = source / RAW
        _link_store(raw if raw.is_dir() else source, folder / RAW, target)
    return Store.open(target, verify=False)


def _cleaned(recording: Recording, operations: Sequence[Operation], counts: list[list[int]]) -> Recording:
    for operation, count in zip(operations, counts, strict=True):
        change = operation(recording)
        recording = change.recording
        if change.note:
            recording = replace(recording, notes=(*recording.notes, change.note))
            count[0] += 1
            count[1] += change.values
    return recording


def _parts(store: Store) -> dict[str, list[str | None]]:
    """Protocol -> part of each recording."""
    parts: dict[str, list[str | None]] = {}
    for protocol in store.protocols:
        parts[protocol] = [None] * len(store)
        for part in PARTS:
            for index in store.split(protocol, part).tolist():
                parts[protocol][index] = part
    return parts


def _meta(store: Store, steps: list[dict[str, Any]]) -> dict[str, Any]:
    meta = {**store.meta, "cleaning": [*store.meta.get("cleaning", []), *steps]}
    if any(step["operation"] == "unit" for step in steps):
        meta.pop("units", None)  # what a store of before 0.2 said of itself
    return meta


def _link_store(source: Path, folder: Path, target: Path) -> None:
    """The files of a store under another folder, without taking space where hard links are possible."""
    for name in ("store.json", *read_header(files_of(source))["files"]):
        place = folder / name
        with explained_writes(target):
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source / name, place)
            except OSError:  # another file system, or one without links
                shutil.copyfile(source / name, place)
