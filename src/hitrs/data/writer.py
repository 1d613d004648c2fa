"""The files of a store and how they are written, with one recording in memory at a time."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from hitrs.data.files import HashedWriter
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton.layout import Layout

FORMAT = "hitrs-store"
VERSION = 1
PARTS = ("train", "test")
"""A split column holds an index into this, or -1 for a recording that the protocol leaves out."""

Protocol = Callable[[Recording], str | None]
"""Which part of a protocol a recording belongs to: "train", "test" or None (left out)."""

_DTYPES = {
    "rows": "<i8", "frames": "<i4", "persons": "<i4", "labels": "<i4", "subjects": "<i4", "cameras": "<i4",
    "fps": "<f8", "digests": "<u8",
    "names_offsets": "<i8", "sources_offsets": "<i8", "segments_offsets": "<i8",
}  # fmt: skip


class StoreWriter:
    """Streams positions, validity and text to disk; the columns, which are small, are gathered until the end.

    As a context manager it closes all files, whatever happens; the caller removes the folder after a failure.
    """

    def __init__(
        self,
        folder: Path,
        target: Path,
        layout: Layout,
        classes: Sequence[str],
        protocols: Mapping[str, Protocol],
    ) -> None:
        """``folder`` is where files go for now, ``target`` the place that messages name."""
        self.folder, self.target, self.layout, self.protocols = folder, target, layout, protocols
        self.classes = {name: number for number, name in enumerate(classes)}
        self.subjects: dict[str, int] = {}
        self.cameras: dict[str, int] = {}
        self.seen: set[str] = set()
        self.row = self.joints_seen = 0
        kinds = {"f": "d", "u": "Q", "i": "q"}
        self.columns: dict[str, array[Any]] = {
            name: array(kinds[dtype[1]]) for name, dtype in _DTYPES.items()
        }
        self.splits = [array("b") for _ in protocols]
        self.segments = array("q")
        self.text_size = {"names": 0, "sources": 0}
        self.writers: dict[str, HashedWriter] = {}
        for name in ("positions.f32", "valid.bits", "names.utf8", "sources.utf8"):
            self.writers[name] = HashedWriter(folder / name, target)

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self.writers.values():
            writer.abandon()

    def add(self, recording: Recording) -> None:
        recording = replace(recording)  # checks it again: arrays may have been changed since it was made
        self._check(recording)
        positions = np.ascontiguousarray(recording.positions, "<f4")
        bits = np.packbits(recording.valid, axis=-1)
        content = hashlib.blake2b(repr(positions.shape).encode(), digest_size=8)
        content.update(positions.data)
        content.update(bits.data)
        self.writers["positions.f32"].write(positions.tobytes())
        self.writers["valid.bits"].write(bits.tobytes())
        label = -1 if recording.label is None else self.classes[recording.label]
        segments_before = len(self.segments) // 3
        for segment in recording.segments:
            self.segments.extend((segment.start, segment.stop, self.classes[segment.label]))
        values = {
            "rows": self.row,
            "frames": recording.n_frames,
            "persons": recording.n_persons,
            "labels": label,
            "subjects": _number(self.subjects, recording.subject),
            "cameras": _number(self.cameras, recording.camera),
            "fps": float("nan") if recording.fps is None else recording.fps,
            "digests": int.from_bytes(content.digest(), "little"),
            "names_offsets": self._write_text("names", recording.name),
            "sources_offsets": self._write_text("sources", recording.source),
            "segments_offsets": segments_before,
        }
        for name, value in values.items():
            self.columns[name].append(value)
        for column, (name, protocol) in zip(self.splits, self.protocols.items(), strict=True):
            part = protocol(recording)
            if part is not None and part not in PARTS:
                raise DataError(
                    f"protocol '{name}' puts '{recording.name}' into '{part}', not train or test."
                )
            column.append(-1 if part is None else PARTS.index(part))
        self.row += recording.n_frames * recording.n_persons
        self.joints_seen += int(recording.valid.sum())

    def finish(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """Write the columns, close all files and return the content of ``store.json``."""
        if self.row == 0:
            raise DataError(f"there is no recording to write to {self.target}.")
        for kind, size in self.text_size.items():
            self.columns[f"{kind}_offsets"].append(size)
        self.columns["segments_offsets"].append(len(self.segments) // 3)
        for name, column in self.columns.items():
            self._write_column(name, np.array(column, _DTYPES[name]))
        for number, split in enumerate(self.splits):
            self._write_column(split_column(number), np.array(split, "i1"))
        self._write_column("segments", np.array(self.segments, "<i8").reshape(-1, 3))
        header = {
            "format": FORMAT,
            "version": VERSION,
            "recordings": len(self.seen),
            "joints_total": self.row * self.layout.n_joints,
            "joints_seen": self.joints_seen,
            "layout": self.layout.to_dict(),
            "classes": list(self.classes),
            "subject_names": list(self.subjects),
            "camera_names": list(self.cameras),
            "protocols": list(self.protocols),
            "meta": dict(meta),
            "files": {name: writer.close() for name, writer in self.writers.items()},
        }
        return {"sha256": header_checksum(header), **header}

    def _check(self, recording: Recording) -> None:
        if recording.layout != self.layout:
            raise DataError(
                f"recording '{recording.name}' has layout '{recording.layout.name}', but the store is for "
                f"'{self.layout.name}'."
            )
        if recording.name in self.seen:
            raise DataError(f"two recordings are named '{recording.name}'; names must be unique in a store.")
        self.seen.add(recording.name)
        for label in (recording.label, *(segment.label for segment in recording.segments)):
            if label is not None and label not in self.classes:
                known = ", ".join(self.classes) or "none"
                raise DataError(
                    f"'{recording.name}' has the label '{label}', which is not one of the classes: {known}."
                )

    def _write_text(self, kind: str, text: str) -> int:
        start = self.text_size[kind]
        self.text_size[kind] += self.writers[f"{kind}.utf8"].write(text.encode())
        return start

    def _write_column(self, name: str, values: np.ndarray) -> None:
        writer = self.writers[f"{name}.npy"] = HashedWriter(self.folder / f"{name}.npy", self.target)
        np.lib.format.write_array(writer, values, allow_pickle=False)


def header_checksum(header: Mapping[str, Any]) -> str:
    """SHA-256 of ``store.json`` but for itself; as that holds the sums of the other files, it covers all."""
    content = {key: value for key, value in header.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def split_column(number: int) -> str:
    """Column of the ``number``-th protocol; its name may hold characters that do not suit a file name."""
    return f"split{number}"


def _number(names: dict[str, int], name: str | None) -> int:
    """Number of a name, given out in order of first appearance; -1 for None."""
    return -1 if name is None else names.setdefault(name, len(names))
