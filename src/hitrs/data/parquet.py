"""A store as one Parquet file, which pandas, Polars, DuckDB and Hugging Face datasets read, and back.

A row is a recording:

=====================  ==================================================================================
``name``               text, unique
``positions``          list of float32, 0 where not seen: (frames, persons, joints, coordinates), flat
``valid``              list of bool, True where a joint was seen: (frames, persons, joints), flat
``frames``, ``persons``, ``joints``, ``coordinates``    the shape
``fps``                float64
``label``, ``subject``, ``camera``, ``session``, ``source``    text
``segments``           list of {start, stop, label}
``notes``              list of text
``split_PROTOCOL``     "train", "test" or null; one column for each protocol
=====================  ==================================================================================

null means unknown. Layout, classes, how positions are stored and what is known about the data are JSON under
the key ``hitrs`` of the file's metadata. Other programs' files need ``name`` and ``positions`` alone.

Needs pyarrow, which ``pip install "hitrs[parquet]"`` brings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.encoding import FLOAT, check_dtype
from hitrs.data.formats.memory import room_for_joints
from hitrs.data.recording import CATEGORIES, Recording, Segment
from hitrs.data.store import Store, check_destination, write_store
from hitrs.data.writer import PARTS, header_checksum
from hitrs.errors import ConfigError, DataError, LayoutError, located
from hitrs.files import atomic_file, check_ordinary, explained_writes
from hitrs.schema import section, texts, whole
from hitrs.skeleton.layout import Layout, get_layout

SUFFIX = ".parquet"
KEY = b"hitrs"
FORMAT, VERSION = "hitrs-parquet", 1
SPLIT = "split_"
GROUP_VALUES, GROUP_RECORDINGS = 1 << 23, 1 << 16
"""A row group is complete with so many coordinates (32 MiB) or recordings: what is in memory when it is
written."""
BATCH_VALUES = 1 << 20
"""So many coordinates are read at a time, or a recording."""
MOST_TEXT = 1 << 28
"""Bytes of the texts in what is read at a time: a file holds each different text once, and may repeat a long
one without end."""
_SHAPE = ("frames", "persons", "joints", "coordinates")
_TEXTS = ("label", *CATEGORIES, "source")
_EXPECTED = {
    **dict.fromkeys(("name", *_TEXTS), "text"),
    **dict.fromkeys(_SHAPE, "whole numbers"),
    "positions": "a flat list of numbers in each row",
    "valid": "a flat list of bool in each row",
    "fps": "numbers",
    "segments": "a list of {start, stop, label} in each row",
    "notes": "a list of texts in each row",
}


def write_parquet(
    store: Store, path: str | Path, progress: Callable[[int, int], None] = lambda done, of: None
) -> None:
    """Write a store to a Parquet file, which replaces an older one when it is complete.

    ``read_parquet`` makes the same store of it: every bit of the positions and, but for stores of earlier
    releases and the raw values of a cleaned one, which stay behind, the same fingerprint.

    Args:
        progress: is called with the recordings done, and their number.

    Raises:
        DataError: if pyarrow is missing, or the file cannot be written; nothing is left behind then.

    Example:
        >>> write_parquet(Store.open("stores/mine"), "mine.parquet")
    """
    pa, pq = load_pyarrow()
    target = Path(path)
    splits = {SPLIT + protocol: _parts(store, protocol) for protocol in store.protocols}
    about = {
        "format": FORMAT,
        "version": VERSION,
        "dtype": store.dtype,
        "layout": store.layout.to_dict(),
        "classes": list(store.classes),
        "shards": store.shards,
        "meta": store.meta,
    }
    schema = _schema(pa, splits).with_metadata({KEY: json.dumps({"sha256": header_checksum(about), **about})})
    bulk = ("positions.list.element", "valid.list.element")
    with (
        atomic_file(target) as part,
        explained_writes(target),
        pq.ParquetWriter(
            part,
            schema,
            compression="zstd",
            use_dictionary=[name for name in schema.names if schema.field(name).type == pa.string()],
            use_byte_stream_split=list(bulk[:1]),
            write_page_checksum=True,
        ) as writer,
    ):
        for start, stop in _groups(store):
            recordings = [store[index] for index in range(start, stop)]
            columns = _columns(pa, schema, recordings)
            columns |= {each: pa.array(parts[start:stop], pa.string()) for each, parts in splits.items()}
            writer.write_table(pa.table(columns, schema=schema))
            progress(stop, len(store))


def _parts(store: Store, protocol: str) -> list[str | None]:
    parts: list[str | None] = [None] * len(store)
    for part in PARTS:
        for index in store.split(protocol, part).tolist():
            parts[index] = part
    return parts


def _schema(pa: Any, splits: Mapping[str, Any]) -> Any:
    def listed(kind: Any) -> Any:
        return pa.list_(pa.field("element", kind, nullable=False))

    segment = pa.struct([("start", pa.int32()), ("stop", pa.int32()), ("label", pa.string())])
    kinds = {
        "name": pa.string(),
        **dict.fromkeys(_TEXTS, pa.string()),
        "fps": pa.float64(),
        **dict.fromkeys(_SHAPE, pa.int32()),
        "segments": listed(segment),
        "notes": listed(pa.string()),
        **dict.fromkeys(splits, pa.string()),
        "positions": listed(pa.float32()),
        "valid": listed(pa.bool_()),
    }
    return pa.schema(kinds.items())


def _groups(store: Store) -> Iterator[tuple[int, int]]:
    """Recordings [start, stop) of each row group."""
    sizes = store.frames.astype(np.int64) * store.persons * store.layout.n_joints * store.layout.dims
    start = values = 0
    for index, size in enumerate(sizes.tolist()):
        values += size
        if values >= GROUP_VALUES or index + 1 - start == GROUP_RECORDINGS or index + 1 == len(sizes):
            yield start, index + 1
            start, values = index + 1, 0


def _columns(pa: Any, schema: Any, recordings: list[Recording]) -> dict[str, Any]:
    columns = {
        name: pa.array([getattr(each, name) for each in recordings], pa.string())
        for name in ("name", *_TEXTS)
    }
    columns["fps"] = pa.array([each.fps for each in recordings], pa.float64())
    columns["notes"] = pa.array([each.notes for each in recordings], schema.field("notes").type)
    segments = [[vars(segment) for segment in each.segments] for each in recordings]
    columns["segments"] = pa.array(segments, schema.field("segments").type)
    for axis, name in enumerate(_SHAPE):
        columns[name] = pa.array([each.positions.shape[axis] for each in recordings], pa.int32())
    for name in ("positions", "valid"):
        arrays = [getattr(each, name).ravel() for each in recordings]
        offsets = np.cumsum([0, *(len(array) for array in arrays)]).astype(np.int32)
        columns[name] = pa.ListArray.from_arrays(offsets, np.concatenate(arrays), schema.field(name).type)
    return columns


@dataclass(frozen=True)
class _About:
    """What a file says of the whole store."""

    layout: Layout
    classes: tuple[str, ...] | None = None
    dtype: str = FLOAT
    shards: tuple[int, ...] = ()
    meta: Mapping[str, Any] | None = None


def read_parquet(
    path: str | Path,
    dst: str | Path,
    *,
    layout: Layout | str | Path | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Store:
    """Make a store of a Parquet file and open it.

    Args:
        path: a file of ``write_parquet``; or another one with the columns that the module names, of which
            ``name`` and ``positions`` are needed: there NaN or null means not seen, one person is shown
            unless ``persons`` says otherwise, and classes are the labels that occur.
        layout: the joints (a layout, its name or file), where the file does not say them.
        progress: is called with the recordings done, and their number.

    Raises:
        DataError: if pyarrow is missing, the file is damaged or not what is expected (naming column and
            recording), the destination is not free, or writing fails. Nothing is left behind then.
        LayoutError: if there is no such layout.

    Example:
        >>> store = read_parquet("mine.parquet", "stores/mine")
        >>> own = read_parquet("from_pandas.parquet", "stores/own", layout="kinect20")
    """
    _, pq = load_pyarrow()
    path, target = Path(path), Path(dst)
    check_destination(target, overwrite)
    with _explained(path):
        file, schema = _open(pq, path)
    with file:
        about = _about(path, file.metadata.metadata or {}, None if layout is None else get_layout(layout))
        kinds = _kinds(path, schema)
        current: dict[str, str | None] = {}  # the parts of the recording in hand

        def recordings() -> Iterator[Recording]:
            for number, row in enumerate(_rows(path, file, list(kinds), about.layout)):
                recording = _recording(path, number, row, about.layout)
                current.update({name: row[name] for name in kinds if name.startswith(SPLIT)})
                yield recording
                progress(number + 1, file.metadata.num_rows)

        def part(column: str) -> Callable[[Recording], str | None]:
            return lambda _: current[column]

        left_out = [name for name in schema.names if name not in kinds]
        notes = [f"column '{name}' of {path.name} was left out" for name in left_out]
        meta: dict[str, Any] = {"dataset": path.stem} if about.meta is None else dict(about.meta)
        if notes:
            meta["notes"] = [*meta.get("notes", ()), *notes]
        return write_store(
            target,
            recordings(),
            layout=about.layout,
            classes=about.classes,
            protocols={name[len(SPLIT) :]: part(name) for name in kinds if name.startswith(SPLIT)},
            meta=meta,
            dtype=about.dtype,  # type: ignore[arg-type]
            shards=about.shards,
            overwrite=overwrite,
        )


def _about(path: Path, metadata: Mapping[bytes, bytes], given: Layout | None) -> _About:
    if KEY not in metadata:
        if given is None:
            raise DataError(f"{path} does not say which joints it has; name the layout (--layout).")
        return _About(given)
    try:
        values = json.loads(metadata[KEY])
        section(values, "hitrs")
        if (values.get("format"), values.get("version")) != (FORMAT, VERSION):
            raise ConfigError(
                f"it is {values.get('format')} of version {values.get('version')}, this release reads "
                f"{FORMAT} of version {VERSION}"
            )
        if values.get("sha256") != header_checksum(values):
            raise ConfigError("it does not match its checksum")
        for key in ("layout", "meta"):
            section(values[key], key)
        texts(values["classes"], "classes", most=1 << 32)
        check_dtype(values["dtype"])
        for size in values["shards"]:
            whole(size, "recordings of a shard", 1, 1 << 62)
        layout = Layout.from_dict(values["layout"], f"{path}: layout")
        if not isinstance(values["meta"].get("notes", []), list):
            raise ConfigError("notes must be a list")
    except (LayoutError, ConfigError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: what it says under the key 'hitrs' is of no use: {error}.") from error
    if given is not None and given != layout:
        raise DataError(f"{path} has layout '{layout.name}', but '{given.name}' was asked for.")
    return _About(layout, tuple(values["classes"]), values["dtype"], tuple(values["shards"]), values["meta"])


def _kinds(path: Path, schema: Any) -> dict[str, str]:
    """The columns that are read -> what is expected in them; DataError for one that holds something else."""
    for name in ("name", "positions"):
        if name not in schema.names:
            raise DataError(
                f"{path} has no column '{name}'; a row is a recording with a name and its positions "
                f"(docs/data.md). It has: {', '.join(schema.names[:20]) or 'none'}."
            )
    if len(set(schema.names)) < len(schema.names):
        raise DataError(f"{path} has several columns of one name.")
    kinds = {name: "text" if name.startswith(SPLIT) else _EXPECTED.get(name) for name in schema.names}
    known = {name: kind for name, kind in kinds.items() if kind is not None}
    for column, kind in known.items():
        found = schema.field(column).type
        if not _fits(kind, found):
            raise DataError(f"{path}: column '{column}' holds {found}, expected {kind}.")
    return known


def _fits(kind: str, found: Any) -> bool:
    from pyarrow import types

    def is_text(kind: Any) -> bool:
        if types.is_dictionary(kind):
            kind = kind.value_type
        return types.is_string(kind) or types.is_large_string(kind)

    def is_number(kind: Any) -> bool:
        return types.is_floating(kind) or types.is_integer(kind)

    if types.is_null(found):  # a column of pandas in which nothing stands
        return not kind.startswith("a flat list")
    if kind == "text":
        return is_text(found)
    if kind == "whole numbers":
        return types.is_integer(found)
    if kind == "numbers":
        return is_number(found)
    if not (types.is_list(found) or types.is_large_list(found) or types.is_fixed_size_list(found)):
        return False
    value = found.value_type
    if kind == _EXPECTED["positions"]:
        return is_number(value)
    if kind == _EXPECTED["valid"]:
        return types.is_boolean(value)
    if kind == _EXPECTED["notes"]:
        return is_text(value) or types.is_null(value)
    if types.is_null(value):
        return True
    fields = {field.name: field.type for field in value} if types.is_struct(value) else {}
    return (
        fields.keys() == {"start", "stop", "label"}
        and types.is_integer(fields["start"])
        and types.is_integer(fields["stop"])
        and is_text(fields["label"])
    )


def _open(pq: Any, path: Path) -> tuple[Any, Any]:
    """The file and its schema; each different text is in memory once, however often rows repeat it."""
    check_ordinary(path)
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        leaves = [file.schema.column(number) for number in range(len(file.schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    return pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=texts), schema


def _rows(path: Path, file: Any, columns: list[str], layout: Layout) -> Iterator[dict[str, Any]]:
    """Row after row: column -> value, arrays of ``positions`` and ``valid``."""
    for number in range(file.metadata.num_row_groups):
        with _explained(path):
            size = _check_group(path, number, file.metadata.row_group(number), layout)
            batches = file.iter_batches(size, [number], columns)
        while True:
            with _explained(path):
                batch = next(batches, None)
                if batch is None:
                    break
                lists = {name: batch.column(name) for name in ("positions", "valid") if name in columns}
                rest = batch.drop_columns(list(lists))
                if sum(map(_text_bytes, rest.columns)) > MOST_TEXT:
                    raise DataError(
                        f"{path}: texts of its row group {number} are too long; it may be damaged."
                    )
                rows = rest.to_pylist()
            for index, row in enumerate(rows):
                with _explained(path):
                    row.update({name: _array(column[index]) for name, column in lists.items()})
                yield row


def _check_group(path: Path, number: int, group: Any, layout: Layout) -> int:
    """How many rows of a row group are read at a time; DataError where it holds too much."""
    coordinates = 1
    for index in range(group.num_columns):
        chunk = group.column(index)
        positions = chunk.path_in_schema.startswith("positions.")
        most = room_for_joints() * (layout.dims if positions else 1)
        if chunk.num_values > most:
            what = "coordinates" if positions else f"values of {chunk.path_in_schema.partition('.')[0]}"
            raise DataError(
                f"{path}: its row group {number} holds {chunk.num_values:,} {what}, more than are read at "
                "once; write it in smaller row groups (row_group_size= in pandas and pyarrow)."
            )
        if positions:
            coordinates = max(chunk.num_values, 1)
    return min(max(1, BATCH_VALUES * group.num_rows // coordinates), GROUP_RECORDINGS)


def _text_bytes(column: Any) -> int:
    """Bytes of all texts of a column, each as often as it occurs."""
    from pyarrow import compute, types

    if types.is_dictionary(column.type) and not types.is_null(column.type.value_type):
        lengths = compute.binary_length(column.dictionary)
        return compute.sum(compute.take(lengths, column.indices)).as_py() or 0
    if types.is_struct(column.type):
        return sum(map(_text_bytes, column.flatten()))
    return _text_bytes(column.flatten()) if types.is_nested(column.type) else 0


def _array(scalar: Any) -> np.ndarray | None:
    """The values of a list; None for null."""
    return scalar.values.to_numpy(zero_copy_only=False) if scalar.is_valid else None


def _recording(path: Path, number: int, row: Mapping[str, Any], layout: Layout) -> Recording:
    """The recording of a row."""
    name = row["name"]
    if not name:
        raise DataError(f"{path}: row {number} has no name.")
    where = f"{path}: recording '{name}'"
    for column in row:
        if column.startswith(SPLIT) and row[column] not in (*PARTS, None):
            raise DataError(
                f"{where} has '{row[column]}' in column '{column}', expected train, test or null."
            )
    positions, valid = row["positions"], row.get("valid")
    if positions is None:
        raise DataError(f"{where} has no positions.")
    body = layout.n_joints * layout.dims
    persons = 1 if row.get("persons") is None else row["persons"]
    frames = row.get("frames")
    if frames is None and persons > 0:
        frames = len(positions) // (persons * body)
    stated = (row.get("joints"), row.get("coordinates"))
    if any(
        have not in (None, want) for have, want in zip(stated, (layout.n_joints, layout.dims), strict=True)
    ):
        raise DataError(
            f"{where} has {stated[0]} joints x {stated[1]}, but layout '{layout.name}' has {layout.n_joints} "
            f"x {layout.dims}."
        )
    shape = (frames, persons, layout.n_joints, layout.dims)
    if not frames or frames < 0 or persons < 1 or frames * persons * body != len(positions):
        raise DataError(
            f"{where} has {len(positions):,} coordinates, which are not {frames} frames of {persons} persons "
            f"of {layout.n_joints} joints x {layout.dims} (the array (frames, persons, joints, coordinates), "
            "flat: `array.ravel()`)."
        )
    positions = positions.reshape(shape)
    if valid is not None:
        if len(valid) * layout.dims != positions.size or valid.dtype != bool:
            raise DataError(
                f"{where}: valid has {len(valid):,} values, expected {positions.size // layout.dims:,}."
            )
        valid = valid.reshape(shape[:-1])
    fps = row.get("fps")
    with located(path):
        return Recording(
            positions,
            valid,
            layout,
            name=name,
            fps=None if fps is None or np.isnan(fps) else float(fps),
            segments=_segments(where, row.get("segments") or ()),
            notes=tuple(note for note in row.get("notes") or () if note),
            source=row.get("source") or "",
            **{key: row.get(key) for key in ("label", *CATEGORIES)},
        )


def _segments(where: str, given: Any) -> tuple[Segment, ...]:
    segments = []
    for each in given:
        if each is None or None in each.values():
            raise DataError(f"{where} has a segment without start, stop or label.")
        segments.append(Segment(each["start"], each["stop"], each["label"]))
    return tuple(segments)


def load_pyarrow() -> tuple[Any, Any]:
    """pyarrow and pyarrow.parquet; DataError where they are missing."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError("Parquet files need pyarrow: pip install 'hitrs[parquet]'.") from error
    return pyarrow, pyarrow.parquet


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises over a file into a DataError: it may be anything, as the file may be."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}.") from error
    except MemoryError as error:
        raise DataError(f"{path} needs more memory than there is; it may be damaged.") from error
    except (OSError, ValueError, TypeError, KeyError, IndexError, NotImplementedError, RuntimeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")  # what follows is for programmers
        raise DataError(
            f"{path} is no Parquet file that can be read ({reason}); it may be damaged."
        ) from error
