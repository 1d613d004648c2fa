"""From shards to a store: the columns, the text and ``store.json``."""

from __future__ import annotations

import hashlib
import json
import shutil
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from hitrs.data.encoding import FLOAT, PACKED
from hitrs.data.recording import CATEGORIES, Recording, natural_order
from hitrs.data.shards import FOLDER, Facts, Index, read_arrays, read_index
from hitrs.data.space import Space, measure_space, sample, typical_space
from hitrs.errors import DataError
from hitrs.files import HashedWriter
from hitrs.skeleton.layout import Layout

FORMAT = "hitrs-store"
VERSIONS = {FLOAT: 2, PACKED: 3}
"""Format version of a store by how it holds positions: earlier releases read 2 and refuse 3."""
PARTS = ("train", "test")
"""A split column holds an index into this, or -1 for a recording that the protocol leaves out."""

Protocol: TypeAlias = Callable[[Recording], "str | None"]
"""Which part of a protocol a recording belongs to: "train", "test" or None (left out)."""
Splits: TypeAlias = Mapping[str, Sequence["str | None"]]
"""Protocol -> the part of each recording: "train", "test" or None (left out)."""
SplitFunction: TypeAlias = Callable[[Sequence[Facts]], "tuple[Splits, list[str]]"]
"""The protocols of all recordings, and sentences for people about them."""

_ALWAYS = ("subject", "camera")
"""Categories with a column in every store, where earlier versions look for it; others have one where it is
known of some recording."""


def category_column(category: str) -> str:
    """Column of a category: per recording the index into ``category_names``, -1 = unknown."""
    return f"{category}s"


def category_names(category: str) -> str:
    """Key in ``store.json`` of the texts of a category."""
    return f"{category}_names"


COLUMN_TYPES = {
    "rows": "<i8", "frames": "<i4", "persons": "<i4", "labels": "<i4",
    **dict.fromkeys(map(category_column, CATEGORIES), "<i4"), "fps": "<f8", "digests": "<u8", "scales": "<f4",
    "names_offsets": "<i8", "sources_offsets": "<i8", "notes_offsets": "<i8", "segments_offsets": "<i8",
}  # fmt: skip
TEXTS = ("names", "sources", "notes")


def finish_store(
    folder: Path,
    target: Path,
    shards: Sequence[str],
    *,
    layout: Layout,
    classes: Sequence[str] | None,
    split: SplitFunction,
    meta: Mapping[str, Any],
    dtype: str = FLOAT,
) -> None:
    """Write the columns and ``store.json`` of a folder whose shards are complete.

    Args:
        folder: where the files are for now; ``target`` is the place that messages name.
        shards: names of the shards' folders in their order. Those without a recording are removed.
        classes: class names in their canonical order; None = the labels that occur, in natural order.
        meta: JSON values. Added are "space", what the recordings are measured in, "quarantined" and, behind
            its "notes", what the split has to say.
        dtype: how the shards hold positions.

    Raises:
        DataError: if there is no recording at all, two have the same name, or writing fails.
    """
    indices: dict[str, Index] = {}
    for name in shards:
        index = read_index(folder / FOLDER / name)
        if index is None:
            raise DataError(f"shard {name} of {target} is damaged; import again to make it anew.")
        indices[name] = index
    quarantined = [item for index in indices.values() for item in index.quarantined]
    for name in [name for name, index in indices.items() if not index.facts]:
        del indices[name]
        shutil.rmtree(folder / FOLDER / name)
    facts = [each for index in indices.values() for each in index.facts]
    if not facts:
        reason = (
            f" All {len(quarantined)} files were refused; the first: {quarantined[0]['reason']}"
            if quarantined
            else ""
        )
        raise DataError(f"there is no recording to write to {target}.{reason}")
    _check_names(facts)
    if classes is None:
        classes = sorted({label for each in facts for label in _labels(each)}, key=natural_order)
    splits, notes = split(facts)
    _check_splits(facts, splits)
    columns = _Columns(classes)
    for each in facts:
        columns.add(each)
    files = {
        f"{FOLDER}/{name}/{file}": facts_of_file
        for name, index in indices.items()
        for file, facts_of_file in index.files.items()
    }
    files |= columns.write(folder, target, dtype)
    for number, parts in enumerate(splits.values()):
        values = np.array([-1 if part is None else PARTS.index(part) for part in parts], "i1")
        files |= _write_array(folder, target, split_column(number), values)
    notes = [*meta.get("notes", []), *notes]
    added = {key: value for key, value in (("notes", notes), ("quarantined", quarantined)) if value}
    header = {
        "format": FORMAT,
        "version": VERSIONS[dtype],
        **({} if dtype == FLOAT else {"dtype": dtype, "rounding": max(each.scale for each in facts) / 2}),
        "recordings": len(facts),
        "joints_total": columns.row * layout.n_joints,
        "joints_seen": sum(each.seen for each in facts),
        "layout": layout.to_dict(),
        "classes": list(classes),
        **{category_names(name): list(columns.categories[name]) for name in columns.kept},
        "protocols": list(splits),
        "meta": {**meta, "space": _space(folder, indices, layout, dtype).to_dict(), **added},
        "shards": [
            [name, sum(each.frames * each.persons for each in index.facts)] for name, index in indices.items()
        ],
        "files": files,
    }
    text = json.dumps({"sha256": header_checksum(header), **header}, indent=1) + "\n"
    writer = HashedWriter(folder / "store.json", target)
    writer.write(text.encode())
    writer.close()


def _space(folder: Path, indices: Mapping[str, Index], layout: Layout, dtype: str) -> Space:
    """What the recordings are measured in, by a sample of them."""
    places = []  # shard, first row, recording
    for name, index in indices.items():
        row = 0
        for each in index.facts:
            places.append((name, row, each))
            row += each.frames * each.persons
    measured = []
    for number in sample(len(places)):
        name, row, each = places[number]
        measured.append(measure_space(*read_arrays(folder / FOLDER / name, layout, dtype, row, each), layout))
    return typical_space(measured)


class _Columns:
    """Values of all recordings, gathered in memory: some hundred bytes each."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = {name: number for number, name in enumerate(classes)}
        self.categories: dict[str, dict[str, int]] = {name: {} for name in CATEGORIES}
        kinds = {"f": "d", "u": "Q", "i": "q"}
        self.values: dict[str, array[Any]] = {
            name: array(kinds[dtype[1]]) for name, dtype in COLUMN_TYPES.items()
        }
        self.segments = array("q")
        self.text = {kind: bytearray() for kind in TEXTS}
        self.row = 0

    @property
    def kept(self) -> list[str]:
        """The categories that get a column."""
        return [name for name, known in self.categories.items() if known or name in _ALWAYS]

    def add(self, facts: Facts) -> None:
        values = {
            "rows": self.row,
            "frames": facts.frames,
            "persons": facts.persons,
            "labels": -1 if facts.label is None else self.classes[facts.label],
            **{
                category_column(name): _number(known, getattr(facts, name))
                for name, known in self.categories.items()
            },
            "fps": float("nan") if facts.fps is None else facts.fps,
            "digests": facts.digest,
            "scales": facts.scale,
            **{f"{kind}_offsets": len(self.text[kind]) for kind in TEXTS},
            "segments_offsets": len(self.segments) // 3,
        }
        for name, value in values.items():
            self.values[name].append(value)
        for start, stop, label in facts.segments:
            self.segments.extend((start, stop, self.classes[label]))
        for kind, text in (
            ("names", facts.name),
            ("sources", facts.source),
            ("notes", "\n".join(facts.notes)),
        ):
            self.text[kind] += text.encode(errors="backslashreplace")  # notes may quote half a character
        self.row += facts.frames * facts.persons

    def write(self, folder: Path, target: Path, dtype: str) -> dict[str, dict[str, Any]]:
        """Write all files; their sizes and checksums by name."""
        files = {}
        for kind, text in self.text.items():
            self.values[f"{kind}_offsets"].append(len(text))
            writer = HashedWriter(folder / f"{kind}.utf8", target)
            writer.write(bytes(text))
            files[f"{kind}.utf8"] = writer.close()
        self.values["segments_offsets"].append(len(self.segments) // 3)
        left_out = {category_column(name) for name in CATEGORIES if name not in self.kept}
        left_out |= {"scales"} if dtype == FLOAT else set()
        for name, column in self.values.items():
            if name in left_out:
                continue
            files |= _write_array(folder, target, name, np.array(column, COLUMN_TYPES[name]))
        segments = np.array(self.segments, "<i8").reshape(-1, 3)
        return files | _write_array(folder, target, "segments", segments)


def header_checksum(header: Mapping[str, Any]) -> str:
    """SHA-256 of ``store.json`` but for itself; as that holds the sums of the other files, it covers all."""
    content = {key: value for key, value in header.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def split_column(number: int) -> str:
    """Column of the ``number``-th protocol; its name may hold characters that do not suit a file name."""
    return f"split{number}"


def _labels(facts: Facts) -> Iterable[str]:
    if facts.label is not None:
        yield facts.label
    yield from (label for _, _, label in facts.segments)


def _check_names(facts: Sequence[Facts]) -> None:
    seen: dict[str, str] = {}
    for each in facts:
        if each.name in seen:
            raise DataError(
                f"two recordings are named '{each.name}' (from {seen[each.name] or 'memory'} and "
                f"{each.source or 'memory'}); names must be unique in a store."
            )
        seen[each.name] = each.source


def _check_splits(facts: Sequence[Facts], splits: Splits) -> None:
    for protocol, parts in splits.items():
        if len(parts) != len(facts):
            raise DataError(f"protocol '{protocol}' has {len(parts)} parts for {len(facts)} recordings.")
        for each, part in zip(facts, parts, strict=True):
            if part is not None and part not in PARTS:
                raise DataError(f"protocol '{protocol}' puts '{each.name}' into '{part}', not train or test.")


def _write_array(folder: Path, target: Path, name: str, values: np.ndarray) -> dict[str, dict[str, Any]]:
    writer = HashedWriter(folder / f"{name}.npy", target)
    np.lib.format.write_array(writer, values, allow_pickle=False)
    return {f"{name}.npy": writer.close()}


def _number(names: dict[str, int], name: str | None) -> int:
    """Number of a name, given out in order of first appearance; -1 for None."""
    return -1 if name is None else names.setdefault(name, len(names))
