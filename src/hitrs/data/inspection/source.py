"""Anything that can be inspected as a store: a store, a folder of files, a single file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from hitrs.data.formats.registry import read_recordings
from hitrs.data.importing import import_dataset
from hitrs.data.shards import FOLDER, ShardWriter, shard_name
from hitrs.data.store import Store
from hitrs.data.writer import finish_store
from hitrs.errors import DataError
from hitrs.skeleton.layout import Layout


@contextmanager
def opened(path: str | Path, layout: Layout | None = None, format: str | None = None) -> Iterator[Store]:
    """The recordings of a store, folder or file as a store, while the context is open.

    A folder is imported, and a file read, into a temporary store; files that cannot be read are listed in its
    meta. Layout and format are for files that do not say themselves what they hold.

    Raises:
        DataError: if nothing can be read, or options are given for a store.
    """
    path = Path(path)
    if (path / "store.json").is_file():
        if layout is not None or format is not None:
            raise DataError(f"{path} is a store: it knows its layout; options for files do not apply to it.")
        yield Store.open(path)
        return
    with TemporaryDirectory(prefix="hitrs-inspect-") as folder:
        target = Path(folder) / "store"
        if path.is_dir():
            import_dataset(path, target, layout=layout, format=format)
        else:
            _read_file(path, target, layout, format)
        yield Store.open(target, verify=False)


def _read_file(path: Path, target: Path, layout: Layout | None, format: str | None) -> None:
    recordings = iter(read_recordings(path, layout, format))
    first = next(recordings, None)
    if first is None:
        raise DataError(f"{path} holds no recording.")
    name = shard_name(0)
    with ShardWriter(target / FOLDER / name, target, first.layout, classes=None) as writer:
        for recording in chain([first], recordings):
            writer.add(recording)
        writer.close()
    meta = {"dataset": path.name}
    finish_store(
        target, target, [name], layout=first.layout, classes=None, split=lambda _: ({}, []), meta=meta
    )
