"""A shard: some recordings of a store with their bulk data and an index, written by one process on its own.

Shards are what lets an import run over many processes and machines and go on after a kill: each is written to
a temporary folder and renamed when it is complete. ``writer.finish_store`` makes one store of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from hitrs.data.encoding import FLOAT, VALID, bulk_files, decode, encode, stored_type
from hitrs.data.recording import Metadata, Recording
from hitrs.errors import DataError, located
from hitrs.files import HashedWriter, add_folder, explained_writes, read_json, temporary_folder
from hitrs.skeleton.layout import Layout

INDEX = "index.json"
FOLDER = "shards"
"""Folder of the shards in a store."""


@dataclass(kw_only=True)
class Facts(Metadata):
    """What is known of a recording but its positions: what protocols go by, and what columns hold."""

    frames: int
    persons: int
    digest: int
    """64-bit hash of shape, positions and validity, as the store gives them back."""
    seen: int
    """Valid joints, summed over frames and persons."""
    scale: float = 1.0
    """By which stored positions are multiplied (see ``encoding``)."""
    segments: tuple[tuple[int, int, str], ...] = ()
    """(start, stop, label) of each labeled action."""


@dataclass(frozen=True)
class Index:
    """What stands in a shard."""

    facts: tuple[Facts, ...]
    files: dict[str, dict[str, Any]]
    """Bulk file -> {"bytes": size, "sha256": checksum}."""
    quarantined: tuple[dict[str, str], ...] = field(default=())
    """{"source", "reason"} of each file that could not be read."""


class ShardWriter:
    """Writes the recordings of one shard; the folder appears when ``close`` is called, complete.

    As a context manager it removes what it has written unless it was closed.
    """

    def __init__(
        self,
        folder: Path,
        target: Path,
        layout: Layout,
        classes: Collection[str] | None,
        dtype: str = FLOAT,
    ) -> None:
        """
        Args:
            folder: the shard's folder, which must not exist yet.
            target: the store, which messages name.
            classes: the only labels that recordings may have; None = any.
            dtype: how positions are stored (see ``encoding``).
        """
        self.folder, self.target, self.layout, self.classes = folder, target, layout, classes
        self.dtype = dtype
        self.facts: list[Facts] = []
        self._stack = ExitStack()
        with explained_writes(target):
            self.part = self._stack.enter_context(temporary_folder(folder))
        self.writers = {name: HashedWriter(self.part / name, target) for name in bulk_files(dtype)}

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self.writers.values():
            writer.abandon()
        self._stack.close()

    def add(self, recording: Recording, source: Path | None = None) -> None:
        """Write one recording.

        Args:
            source: the file that it is from, which messages name.

        Raises:
            DataError: if it has another layout, a label that is not one of the classes, arrays that were
                changed for the worse since it was made, or coordinates that cannot be stored so; nothing is
                written then.
        """
        with located(source) if source is not None else nullcontext():
            recording = replace(recording)  # checks it again: arrays may have been changed since it was made
            self._check(recording)
            stored, scale = encode(recording, self.dtype)
        positions = decode(
            stored, scale
        )  # what is equal when it is read is a copy, as it was read or rounded
        bits = np.ascontiguousarray(np.packbits(recording.valid, axis=-1))
        content = hashlib.blake2b(repr(positions.shape).encode(), digest_size=8)
        content.update(positions.data)
        content.update(bits.data)
        for name, array in zip(bulk_files(self.dtype), (stored, bits), strict=True):
            self.writers[name].write(array.tobytes())
        self.facts.append(
            Facts(
                **recording.metadata(),
                frames=recording.n_frames,
                persons=recording.n_persons,
                digest=int.from_bytes(content.digest(), "little"),
                seen=int(recording.valid.sum()),
                scale=scale,
                segments=tuple((int(s.start), int(s.stop), s.label) for s in recording.segments),
            )
        )

    def close(self, quarantined: tuple[dict[str, str], ...] = ()) -> Index:
        """Complete the shard. Where another process has written the same shard meanwhile, that one stays."""
        files = {name: writer.close() for name, writer in self.writers.items()}
        index = Index(tuple(self.facts), files, quarantined)
        text = HashedWriter(self.part / INDEX, self.target)
        facts = [vars(each) for each in index.facts]  # asdict takes longer than all else that is written
        text.write(json.dumps({"facts": facts, "files": files, "quarantined": quarantined}).encode())
        text.close()
        with explained_writes(self.target):
            added = add_folder(self.part, self.folder)
        if not added and read_index(self.folder) is None:
            raise DataError(f"cannot write {self.folder}: a folder that is no shard is in the way.")
        return index

    def _check(self, recording: Recording) -> None:
        if recording.layout != self.layout:
            raise DataError(
                f"recording '{recording.name}' has layout '{recording.layout.name}', but the store is for "
                f"'{self.layout.name}'; store it on its own, or import all to one layout (--to)."
            )
        for label in (recording.label, *(segment.label for segment in recording.segments)):
            if self.classes is not None and label is not None and label not in self.classes:
                raise DataError(
                    f"'{recording.name}' has the label '{label}', which is not one of the classes: "
                    f"{', '.join(self.classes) or 'none'}."
                )


def read_index(folder: Path) -> Index | None:
    """The index of a shard, or None if there is no shard or it is not complete."""
    try:
        content = read_json(folder / INDEX)
        facts = tuple(
            Facts(
                **{
                    **row,
                    "segments": tuple((start, stop, label) for start, stop, label in row["segments"]),
                    "notes": tuple(row["notes"]),
                }
            )
            for row in content["facts"]
        )
        files = content["files"]
        if VALID not in files or any(
            (folder / name).stat().st_size != facts_of_file["bytes"] for name, facts_of_file in files.items()
        ):
            return None
        return Index(facts, files, tuple(content["quarantined"]))
    except (OSError, ValueError, KeyError, TypeError):  # whatever it is, it is not a complete shard
        return None


def read_arrays(
    folder: Path, layout: Layout, dtype: str, row: int, facts: Facts
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, P, J, C) and valid (T, P, J) of the recording that begins at a row of a shard."""
    rows, joints, dims = facts.frames * facts.persons, layout.n_joints, layout.dims
    width = (joints + 7) // 8  # bytes of a row's bits
    positions, bits = (folder / name for name in bulk_files(dtype))
    kind = stored_type(dtype)
    stored = np.fromfile(positions, kind, rows * joints * dims, offset=row * joints * dims * kind.itemsize)
    packed = np.fromfile(bits, np.uint8, rows * width, offset=row * width)
    valid = np.unpackbits(packed.reshape(rows, width), axis=-1, count=joints).view(bool)
    shape = (facts.frames, facts.persons, joints)
    return decode(stored, facts.scale).reshape(*shape, dims), valid.reshape(shape)


def remove_indices(folder: Path) -> None:
    """Remove the indices of a finished store's shards: its columns hold the same."""
    for index in (folder / FOLDER).glob(f"*/{INDEX}"):
        index.unlink()


def shard_name(number: int) -> str:
    return f"{number:05}"
