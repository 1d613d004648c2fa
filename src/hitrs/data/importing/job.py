"""An import from start to end: find the data set, read its files shard by shard, make one store of them.

Until it is complete an import lives in ``DST.importing`` beside the store. Shards that are finished stay
there when the import is interrupted or killed, and the same call goes on with those that are missing. Several
machines that share the folder read disjoint parts of the shards (``part``); a call without ``part`` finishes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hitrs.data.catalog.dataset import Dataset, ImportOptions, SourceFile
from hitrs.data.catalog.registry import find_dataset
from hitrs.data.cleaning import MaskLost
from hitrs.data.encoding import check_dtype
from hitrs.data.formats.memory import memory_limit
from hitrs.data.importing.plan import (
    clear_leftovers,
    close_plan,
    divide,
    import_lock,
    open_plan,
    plan_file,
    plan_lock,
    working_folder,
)
from hitrs.data.importing.workers import ImportTask, Refused, read_shard
from hitrs.data.parquet import SUFFIX as PARQUET
from hitrs.data.recording import Recording
from hitrs.data.shards import FOLDER, read_index, shard_name
from hitrs.data.store import Store, check_destination
from hitrs.data.video.estimator import pose_estimator
from hitrs.data.writer import finish_store
from hitrs.engine import Engine, LocalEngine
from hitrs.errors import DataError, EngineError, HitrsError, WriteError
from hitrs.files import made_here, replace_folder
from hitrs.skeleton import Layout, get_layout, map_positions


class ImportJob:
    """A data set that was found in a folder and is being read into a store.

    Args:
        src: the folder.
        dst: the store.
        options: which files, and how they are read.

    Raises:
        DataError: if the source or destination is not usable, another process imports there, or the options
            do not suit the data set.
    """

    def __init__(self, src: str | Path, dst: str | Path, options: ImportOptions | None = None) -> None:
        options = options or ImportOptions()
        check_dtype(options.dtype)
        self.source, self.target = Path(src), Path(dst)
        if not self.source.is_dir():
            hint = f" `hitrs convert` makes a store of a {PARQUET} file." * (self.source.suffix == PARQUET)
            raise DataError(f"there is no folder {self.source} to import from.{hint}")
        if kind := made_here(self.source):
            raise DataError(f"{self.source} holds no files to import: {kind}.")
        close_plan(self.target)  # a kill may have come before
        check_destination(self.target, options.overwrite)
        with memory_limit(options.max_memory), pose_estimator(options.pose):
            dataset = find_dataset(self.source, options)
        self.dataset = dataset if options.keep_lost else _without_lost(dataset)
        if options.to is not None:
            self.dataset = _mapped(self.dataset, get_layout(options.to))
        self.strict = options.strict
        self._options = options
        self.folder = working_folder(self.target)
        self._lock: ExitStack | None = None  # between run and finish
        with plan_lock(self.target):
            self._open()
        self.parts = divide(self.dataset.sources)
        self.names = [shard_name(number) for number in range(len(self.parts))]

    @property
    def n_files(self) -> int:
        return len(self.dataset.sources)

    def run(
        self,
        workers: int = 1,
        part: tuple[int, int] | None = None,
        progress: Callable[[int, int], None] = lambda done, of: None,
        engine: Engine | None = None,
    ) -> None:
        """Read the files that were not read yet.

        From here until ``finish`` no other process can import to the same place.

        Args:
            workers: processes.
            part: (k, n): only the k-th of n parts (k from 1), for n machines that share the folder.
            progress: called now and then with the files that are done, and how many there are to do.
            engine: where the work is done in place of ``workers`` processes of this machine.

        Raises:
            DataError: of a file that cannot be read, if the import is strict: nothing is left behind then,
                unless other machines take part. Or if writing fails, a process is ended from outside, or
                another import to the same place runs: the shards that are complete are kept then.
        """
        with ExitStack() as held:
            held.enter_context(import_lock(self.target, part))
            self._open()
            self._run(engine or LocalEngine(workers), part, progress)
            if part is None:
                self._lock = held.pop_all()

    def _run(
        self, engine: Engine, part: tuple[int, int] | None, progress: Callable[[int, int], None]
    ) -> None:
        which = range(len(self.parts)) if part is None else range(part[0] - 1, len(self.parts), part[1])
        missing = [n for n in which if read_index(self._shard(n)) is None]
        total = sum(len(self.parts[n]) for n in which)
        before = total - sum(len(self.parts[n]) for n in missing)
        tasks = [
            ImportTask(
                folder=self._shard(n),
                target=self.target,
                root=self.source,
                layout=self.dataset.layout,
                classes=self.dataset.classes,
                sources=self.parts[n],
                dtype=self._options.dtype,
                strict=self.strict,
                max_memory=self._options.max_memory,
                pose=self._options.pose,
            )
            for n in missing
        ]
        progress(before, total)
        try:
            for n in missing:  # one that is there but damaged
                shutil.rmtree(self._shard(n), ignore_errors=True)
            needs = (self.source, plan_file(self.target))
            for _ in engine.map(
                read_shard, tasks, progress=lambda done: progress(before + done, total), needs=needs
            ):
                pass
        except Refused:
            if part is None:
                shutil.rmtree(self.folder, ignore_errors=True)
            raise
        except WriteError as error:
            raise WriteError(f"{error} {self._kept()}") from error
        except EngineError as error:
            raise DataError(f"{error} {self._kept()}") from error

    def _open(self) -> None:
        """To be called by whoever holds the lock: the destination may have changed since one looked."""
        check_destination(self.target, self._options.overwrite)
        decisive = {
            "dataset": self.dataset.name,
            "layout": self.dataset.layout.to_dict(),
            "format": self._options.format,
            "keep_lost": self._options.keep_lost,
            "columns": self._options.columns,
            "pose": self._options.pose,
            "dtype": self._options.dtype,
            "strict": self.strict,
        }
        open_plan(self.target, self.source, self.dataset.sources, decisive)

    def _kept(self, again: str = "the same command") -> str:
        return f"What was read is kept in {self.folder}: {again} goes on from there."

    def finish(self) -> Store:
        """Make the store of all shards and open it.

        Raises:
            DataError: if shards are missing (naming what to do), no file could be read, or a split cannot be
                made. What was read is kept then, except where nothing could be read. Also if another process
                imports to the same place.
        """
        with ExitStack() as held:
            if self._lock is not None:
                held.push(self._lock)
                self._lock = None
            else:  # others have read the shards
                held.enter_context(import_lock(self.target))
                self._open()
            self._finish(held)
        return Store.open(self.target, verify=False)

    def _finish(self, held: ExitStack) -> None:
        missing = sum(read_index(self._shard(n)) is None for n in range(len(self.parts)))
        if missing:
            raise DataError(
                f"{missing} of {len(self.parts)} shards of {self.target} are not there yet; run all parts, "
                "or the import without a part."
            )
        clear_leftovers(self.folder, self.folder / FOLDER)
        try:
            finish_store(
                self.folder,
                self.target,
                self.names,
                layout=self.dataset.layout,
                classes=self.dataset.classes,
                split=self.dataset.split,
                meta={"dataset": self.dataset.name, **self.dataset.meta, "notes": self.dataset.notes},
                dtype=self._options.dtype,
            )
        except HitrsError as error:
            if not any((self._shard(n)).exists() for n in range(len(self.parts))):
                shutil.rmtree(self.folder, ignore_errors=True)
                raise
            again = "the same command" if isinstance(error, WriteError) else "the corrected command"
            raise DataError(f"{error} {self._kept(again)}") from error
        if os.name == "nt":  # where a folder with an open file, which the lock is, cannot be moved
            held.close()
        replace_folder(self.folder, self.target)
        close_plan(self.target)

    def _shard(self, number: int) -> Path:
        return self.folder / FOLDER / self.names[number]


def import_dataset(
    src: str | Path,
    dst: str | Path,
    options: ImportOptions | None = None,
    *,
    workers: int = 1,
    engine: Engine | None = None,
    **more: Any,
) -> Store:
    """Read a data set from the folder ``src``, write it to a new store ``dst`` and open that.

    Files that cannot be read are left out and listed in ``store.meta["quarantined"]`` with the reason.

    Args:
        options: which files, and how they are read.
        workers: processes that read. With more than one a script must start its work under
            ``if __name__ == "__main__":``, as always where Python starts processes.
        engine: where the work is done instead, for example a Ray cluster (``hitrs.engine.open_engine``).
        more: fields of ``ImportOptions`` by name, in place of those of ``options``.

    Example:
        >>> store = import_dataset("recordings", "stores/own", layout="kinect20", workers=4)

    Raises:
        DataError: if the source or destination is not usable, the options do not suit the data set, no file
            can be read, or writing fails.
    """
    job = ImportJob(src, dst, replace(options or ImportOptions(), **more))
    job.run(workers, engine=engine)
    return job.finish()


def _without_lost(dataset: Dataset) -> Dataset:
    """The same data set with joints marked as not seen that a tracker had lost."""
    sources = [SourceFile(each.path, partial(_read_without_lost, each.read)) for each in dataset.sources]
    return replace(dataset, sources=sources)


def _read_without_lost(read: Callable[[], Iterable[Recording]]) -> Iterable[Recording]:
    mask = MaskLost()
    for recording in read():
        change = mask(recording)
        notes = (*recording.notes, change.note) if change.note else recording.notes
        yield replace(change.recording, notes=notes)


def _mapped(dataset: Dataset, layout: Layout) -> Dataset:
    """The same data set with all recordings in another layout."""
    sources = [
        SourceFile(source.path, partial(_read_mapped, source.read, layout)) for source in dataset.sources
    ]
    return replace(dataset, layout=layout, sources=sources)


def _read_mapped(read: Callable[[], Iterable[Recording]], layout: Layout) -> Iterable[Recording]:
    for recording in read():
        if recording.layout != layout:
            positions, valid = map_positions(recording.positions, recording.valid, recording.layout, layout)
            note = f"mapped from the layout '{recording.layout.name}'"
            recording = replace(
                recording, positions=positions, valid=valid, layout=layout, notes=(*recording.notes, note)
            )
        yield recording
