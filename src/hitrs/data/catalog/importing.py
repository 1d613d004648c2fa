"""From a folder of files to a store, and a summary of what was imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.catalog import folder
from hitrs.data.catalog.base import Dataset
from hitrs.data.catalog.registry import all_entries
from hitrs.data.files import atomic_folder
from hitrs.data.shards import FOLDER, ShardWriter, remove_indices, shard_name
from hitrs.data.store import SHARD_RECORDINGS, Store, check_destination
from hitrs.data.writer import finish_store
from hitrs.errors import DataError
from hitrs.skeleton import Layout, get_layout

DATASETS = (*all_entries(), folder.NAME)
"""Names of the data sets that ``import_dataset`` knows."""


def import_dataset(
    src: str | Path,
    dst: str | Path,
    *,
    dataset: str | None = None,
    layout: str | Path | Layout | None = None,
    test_subjects: Sequence[str] | None = None,
    split: str | None = None,
    skip_unreadable: bool = False,
    overwrite: bool = False,
) -> Store:
    """Read a data set from the folder ``src``, write it to a new store ``dst`` and open that.

    Args:
        dataset: "nw-ucla", "utd-mhad" or "folder" (npz and CSV files of your own); by default found by the
            files.
        layout: joint layout of a folder's files, a name or a layout file, where they do not say it
            themselves.
        test_subjects: subjects of a folder that test; by default about 28% of them.
        split: "random" splits a folder by file instead of by subject.
        skip_unreadable: leave out files that cannot be read, and list them, instead of stopping at the first.
        overwrite: replace an existing store at ``dst``.

    Raises:
        DataError: if the source or destination is not usable, or a file is damaged. Nothing is left behind
            then.
    """
    source, target = Path(src), Path(dst)
    if not source.is_dir():
        raise DataError(f"there is no folder {source} to import from.")
    check_destination(target, overwrite)
    if isinstance(layout, str | Path):
        layout = get_layout(layout)
    found = _find(source, dataset, layout, test_subjects, split)
    with atomic_folder(target) as folder:
        shards = _write_shards(found, source, folder, target, skip_unreadable)
        finish_store(
            folder,
            target,
            shards,
            layout=found.layout,
            classes=found.classes,
            split=found.split,
            meta={"dataset": found.name, **found.meta, "notes": found.notes},
        )
        remove_indices(folder)
    return Store.open(target, verify=False)


def _write_shards(
    found: Dataset, source: Path, folder: Path, target: Path, skip_unreadable: bool
) -> list[str]:
    """Read all files into shards, and return the names of the shards."""
    names: list[str] = []
    for start in range(0, len(found.sources), SHARD_RECORDINGS):
        names.append(shard_name(len(names)))
        quarantined: list[dict[str, str]] = []
        with ShardWriter(folder / FOLDER / names[-1], target, found.layout, found.classes) as writer:
            for each in found.sources[start : start + SHARD_RECORDINGS]:
                try:
                    for recording in each.read():
                        writer.add(recording)
                except DataError as error:
                    if not skip_unreadable:
                        raise
                    where = each.path.relative_to(source).as_posix()
                    quarantined.append({"source": where, "reason": str(error)})
            writer.close(tuple(quarantined))
    return names


def _find(
    source: Path,
    name: str | None,
    layout: Layout | None,
    test_subjects: Sequence[str] | None,
    split: str | None,
) -> Dataset:
    if name not in (None, *DATASETS):
        raise DataError(f"there is no data set '{name}'; known: {', '.join(DATASETS)}.")
    for public, entry in all_entries().items():
        found = entry.find(source) if name in (None, public) else None
        if found is not None:
            if (layout not in (None, found.layout)) or test_subjects is not None or split is not None:
                raise DataError(
                    f"{source} is {public}, which has a fixed layout ({found.layout.name}) and a published "
                    "split; layout, test subjects and split can only be chosen for a folder of your own "
                    "files."
                )
            return found
    if name in (None, folder.NAME):
        found = folder.find(source, layout=layout, test_subjects=test_subjects, split=split)
        if found is not None:
            return found
    expected = f"no files of {name}" if name else "no files of a known data set, and no npz or CSV files"
    raise DataError(f"{source} holds {expected}. Known data sets: {', '.join(DATASETS)}.")


@dataclass(frozen=True)
class ImportSummary:
    """What is in a store that was imported; ``lines()`` is what the command line prints."""

    dataset: str
    layout: str
    recordings: int
    classes: int
    subjects: int
    cameras: int
    frames: int
    unlabeled: int
    """Recordings with neither a label nor segments."""
    unseen: int
    """Joints that are not valid, of ``joints`` (both summed over frames and persons)."""
    joints: int
    protocols: dict[str, tuple[int, int, int]]
    """Name -> recordings in train, in test, and test recordings that are exact copies of training ones."""
    skipped: tuple[str, ...]
    """Why files were left out."""
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """Plain lines for people; the last one says how many recordings there are."""
        lines = [
            f"data set    {self.dataset}, layout {self.layout}",
            f"classes     {self.classes} ({self.unlabeled} recordings without a label)",
            f"subjects    {self.subjects or 'unknown'}",
            f"cameras     {self.cameras or 'unknown'}",
            f"frames      {self.frames}",
            f"joints      {self.unseen} of {self.joints} not seen ({100 * self.unseen / self.joints:.2g}%)",
        ]
        for name, (train, test, twins) in self.protocols.items():
            lines.append(f"protocol    {name}: {train} train, {test} test")
            if twins:
                lines.append(f"            {twins} of the test recordings are exact copies of training ones")
        lines += [f"skipped     {reason}" for reason in self.skipped]
        lines += [f"note        {note}" for note in self.notes]
        return [*lines, f"recordings  {self.recordings}"]


def summarize_import(store: Store) -> ImportSummary:
    """The summary of a store that was just imported."""
    return ImportSummary(
        dataset=str(store.meta.get("dataset", "unknown")),
        layout=store.layout.name,
        recordings=len(store),
        classes=len(store.classes),
        subjects=len(store.subject_names),
        cameras=len(store.camera_names),
        frames=int(store.frames.sum(dtype=np.int64)),
        unlabeled=int(((store.labels < 0) & (store.segment_counts == 0)).sum()),
        unseen=store.joints_total - store.joints_seen,
        joints=store.joints_total,
        protocols={
            name: (len(store.split(name, "train")), len(store.split(name, "test")), len(store.twins(name)))
            for name in store.protocols
        },
        skipped=tuple(item["reason"] for item in store.meta.get("quarantined", ())),
        notes=tuple(store.meta.get("notes", ())),
    )
