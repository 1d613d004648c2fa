"""A store: recordings of one layout on disk, memory-mapped, without padding, checked when it is opened.

A store is a folder::

    store.json              format version, layout, classes, names, protocols, shards, meta; size and SHA-256
                            of every other file
    COLUMN.npy              one value per recording: first row, frames, persons, label, subject, camera, fps,
                            digest, splits; session where it is known of some recording; scale in stores of
                            int16
    names.*, sources.*, notes.*, segments.*    text and labeled segments with their offsets
    shards/NNNNN/
        positions.f32       coordinates of its recordings one after another, little-endian float32,
                            each (T, P, J, C); or positions.i16, int16 (see ``encoding``)
        valid.bits          one bit per joint, the joints of one body in one frame padded to whole bytes
    raw/                    only in a cleaned store: the store that it was made from

A row is one body in one frame; rows are numbered through all shards. Everything but ``store.json`` is
memory-mapped but for short columns, so that a million recordings need no more memory than the batch in hand.
Stores are read-only. A mapped file that another process cuts short would end this one, so the sizes of a
shard are looked at whenever a recording is read: only what is cut in the moment between that and its use is
not caught. Pickling a store (for a worker process) opens the same files again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.conversion import Conversion
from hitrs.data.encoding import FLOAT, Dtype, bulk_files, check_dtype, decode, stored_type
from hitrs.data.recording import CATEGORIES, Recording, Segment
from hitrs.data.remote import RemoteFiles, RemoteShards, StoreAddress, address_of
from hitrs.data.shards import FOLDER, ShardWriter, remove_indices, shard_name
from hitrs.data.space import Space, measure_space, sample, typical_space
from hitrs.data.store_files import ADVICE, LocalFiles, StoreFiles, files_of, read_header
from hitrs.data.writer import (
    COLUMN_TYPES,
    PARTS,
    TEXTS,
    Protocol,
    category_column,
    category_names,
    finish_store,
    split_column,
)
from hitrs.errors import DataError, did_you_mean
from hitrs.files import atomic_folder, recover_folder
from hitrs.skeleton.layout import Layout, get_layout

BULK_LIMIT = 1 << 30
"""Bulk data larger than this (in bytes) is hashed on request only: hashing takes about a second per GiB."""
SHORT_COLUMN = 1 << 20
"""Columns up to so many bytes are read instead of mapped."""
MAPPED_SHARDS = 16_384
"""So many shards of a folder stay mapped, two files each: Linux lets a process map 65,530 unless set."""
SHARD_RECORDINGS = 1024
"""``write_store`` begins a new shard after so many."""


class Store:
    """Recordings of one layout by index, from disk.

    ``Store.open`` opens a store; ``import_dataset`` and ``write_store`` make one.

    Arrays that a store hands out are read-only views of the files: copy what you want to change.
    """

    def __init__(
        self,
        files: StoreFiles,
        header: dict[str, Any],
        conversion: Conversion | None = None,
        without: tuple[str, ...] = (),
    ) -> None:
        self._files, self._header = files, header
        self.path: Path | StoreAddress = files.path
        """Its folder, or its address on another machine."""
        self.layout = Layout.from_dict(header["layout"], f"{self.path / 'store.json'}: layout")
        self.classes: tuple[str, ...] = tuple(header["classes"])
        self.protocols: tuple[str, ...] = tuple(header["protocols"])
        self.meta: dict[str, Any] = header["meta"]
        self.dtype: Dtype = header.get("dtype", FLOAT)
        """How positions are stored, "float32" or "int16"; they are given as float32."""
        self.rounding: float = header.get("rounding", 0.0)
        """By how much a coordinate may be off because of that, at most; in the unit of the positions."""
        self.joints_total: int = header["joints_total"]
        """Joints of all bodies in all frames."""
        self.joints_seen: int = header["joints_seen"]
        """How many of them are valid."""
        self.fingerprint: str = header["sha256"]
        """SHA-256 that covers the whole content: the version of the data, to be noted beside results."""

        self.frames = self._column("frames")
        """(N,) number of frames."""
        self.persons = self._column("persons")
        """(N,) number of person slots."""
        self.labels = self._column("labels")
        """(N,) index into ``classes``, -1 = not labeled."""
        self.categories = {name: self._category(name, header) for name in CATEGORIES}
        """Category ("subject", "camera", ...) -> its names, and (N,) index into them, -1 = unknown."""
        self.fps = self._column("fps")
        """(N,) frames per second, NaN = unknown."""
        self.digests = self._column("digests")
        """(N,) uint64 hash of shape, positions and validity as they are given: the same where two recordings
        are equal, in stores of either ``dtype``."""
        self._scales = np.ones(len(self.frames), "<f4") if self.dtype == FLOAT else self._column("scales")
        self._rows = self._column("rows")
        self._splits = [self._column(split_column(k)) for k in range(len(self.protocols))]
        self._text = {kind: (self._bytes(f"{kind}.utf8"), self._column(f"{kind}_offsets")) for kind in TEXTS}
        self._segments, self._segment_offsets = self._column("segments"), self._column("segments_offsets")
        self._shards = [name for name, _ in header["shards"]]
        self._shard_ends = np.cumsum([rows for _, rows in header["shards"]])
        self._conversion, self._without = conversion, without
        if without:
            self._leave_out(without)
        self._bulk: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # of the shards that were used

    @staticmethod
    def open(path: str | Path | StoreAddress, verify: bool | None = None) -> Store:
        """Open a store after checking its version, file sizes and checksums.

        Args:
            path: the store's folder, or its address on another machine (see ``remote``).
            verify: whether to hash the bulk data too; by default where it is at most 1 GiB. The index always
                is. At an address shards are, each when it is fetched; to ``verify`` it fetches all.

        Raises:
            DataError: if there is no store at this path, or it is of another version, cut short or damaged.
        """
        files = files_of(path)
        header = read_header(files)
        facts = header["files"]
        bulk = {name for name in facts if name.startswith(f"{FOLDER}/")}
        if verify is None:
            total = sum(facts[name]["bytes"] for name in bulk)
            verify = isinstance(files, LocalFiles) and total <= BULK_LIMIT
        files.check([name for name in facts if verify or name not in bulk])
        store = Store(files, header)
        store._check_columns(header)
        return store

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Recording:
        i = self._checked(index)
        fps, label = self.fps[i], self.labels[i]
        return Recording(
            positions=self.positions(i),
            valid=self.valid(i),
            layout=self.layout,
            name=self.name(i),
            fps=None if np.isnan(fps) else float(fps),
            label=None if label < 0 else self.classes[label],
            segments=self.segments(i),
            source=self._string("sources", i),
            notes=self.notes(i),
            **{
                name: names[codes[i]] if codes[i] >= 0 else None
                for name, (names, codes) in self.categories.items()
            },
        )

    def __iter__(self) -> Iterator[Recording]:
        return (self[i] for i in range(len(self)))

    @property
    def subject_names(self) -> tuple[str, ...]:
        """Texts of the subjects, in order of their first appearance."""
        return self.categories["subject"][0]

    @property
    def subjects(self) -> np.ndarray:
        """(N,) index into ``subject_names``, -1 = unknown."""
        return self.categories["subject"][1]

    @property
    def camera_names(self) -> tuple[str, ...]:
        """Texts of the cameras, in order of their first appearance."""
        return self.categories["camera"][0]

    @property
    def cameras(self) -> np.ndarray:
        """(N,) index into ``camera_names``, -1 = unknown."""
        return self.categories["camera"][1]

    def positions(self, index: int) -> np.ndarray:
        """(T, P, J, C) float32, read-only, in stores of float32 a view; 0 where a joint is not valid."""
        shard, rows = self._span(index)
        stored = self._mapped(shard)[0][rows]
        positions = decode(stored, self._scales[index]).reshape(
            *self._shape(index), self.layout.n_joints, self.layout.dims
        )
        positions.setflags(write=False)
        return positions if self._conversion is None else self._conversion(positions)

    def valid(self, index: int) -> np.ndarray:
        """(T, P, J) bool, True where the joint was seen."""
        shard, rows = self._span(index)
        bits = np.unpackbits(self._mapped(shard)[1][rows], axis=-1, count=self.layout.n_joints)
        return bits.view(bool).reshape(*self._shape(index), self.layout.n_joints)

    def name(self, index: int) -> str:
        return self._string("names", self._checked(index))

    def notes(self, index: int) -> tuple[str, ...]:
        """What the reader or cleaning left out, joined or changed, in sentences."""
        text = self._string("notes", self._checked(index))
        return tuple(text.split("\n")) if text else ()

    @property
    def with_notes(self) -> np.ndarray:
        """Indices of the recordings of which there are notes."""
        return np.flatnonzero(np.diff(self._text["notes"][1]))

    @property
    def raw(self) -> Store | None:
        """The store that a cleaned one was made from, with the values as they were read; otherwise None."""
        raw = self.path / "raw"
        there = "cleaning" in self.meta if isinstance(raw, StoreAddress) else raw.exists()
        return Store.open(raw, verify=False) if there else None

    @cached_property
    def space(self) -> Space:
        """Unit, up axis and size of the bodies, by a sample of the recordings; measured anew where the store
        is of a release that did not write it down.

        Raises:
            DataError: if what is written down makes no sense.
        """
        if "space" in self.meta and self._conversion is None:
            return Space.from_dict(self.meta["space"])
        return typical_space(
            measure_space(self.positions(index), self.valid(index), self.layout)
            for index in sample(len(self))
        )

    @property
    def repairs(self) -> list[str]:
        """What ``hitrs clean`` did to it, in the order of its options: "unit cm", "fps 30.0"."""
        return [
            " ".join([step["operation"], *map(str, step["options"].values())])
            for step in self.meta.get("cleaning", ())
        ]

    def converted(self, conversion: Conversion) -> Store:
        """The same store, whose positions are converted as they are read."""
        return Store(self._files, self._header, conversion, self._without)

    @property
    def shards(self) -> list[int]:
        """Recordings of each shard, in which they lie on disk one after another."""
        return np.diff(np.searchsorted(self._rows, self._shard_ends), prepend=0).tolist()

    def remote_shards(self, indices: np.ndarray) -> RemoteShards | None:
        """Where some recordings lie, if that is another machine; None: here, where any order is as good."""
        files = self._files
        if not isinstance(files, RemoteFiles):
            return None
        names = [self._bulk_names(shard) for shard in range(len(self._shards))]
        return RemoteShards(
            np.searchsorted(self._shard_ends, self._rows[indices], side="right"),
            np.array([sum(files.facts[name]["bytes"] for name in each) for each in names]),
            files.cache.limit,
            lambda shards: files.prefetch([name for shard in shards for name in names[shard]]),
        )

    @property
    def empty_classes(self) -> tuple[str, ...]:
        """Classes that no recording and no segment shows, as where only a part of a data set was imported."""
        shown = {*np.unique(self.labels).tolist(), *np.unique(self._segments[:, 2]).tolist()}
        return tuple(name for number, name in enumerate(self.classes) if number not in shown)

    def without_classes(self, names: Sequence[str]) -> Store:
        """The same store without some classes: their recordings are not labeled, their segments are left out.

        Raises:
            DataError: if it has no class of such a name, or no other one.
        """
        left_out = tuple(dict.fromkeys((*self._without, *names)))
        for name in names:
            if name not in self.classes:
                near = did_you_mean(name, self.classes) or f"; it has {', '.join(self.classes)}"
                raise DataError(f"the store {self.path} has no class '{name}'{near}")
        if len(left_out) == len(self._header["classes"]):
            raise DataError(f"every class of {self.path} is left out; leave one at least")
        return Store(self._files, self._header, self._conversion, left_out)

    def _leave_out(self, names: Sequence[str]) -> None:
        kept = [name not in names for name in self.classes]
        number = np.where([*kept, False], np.cumsum([*kept, False]) - 1, -1)  # the last one is "not labeled"
        self.classes = tuple(name for name, stays in zip(self.classes, kept, strict=True) if stays)
        self.labels = number[self.labels].astype(self.labels.dtype)
        label = number[self._segments[:, 2]]
        counts = np.concatenate([[0], np.cumsum(label >= 0)])
        self._segments = np.column_stack([self._segments[:, :2], label])[label >= 0]
        self._segment_offsets = counts[self._segment_offsets]

    def segments(self, index: int) -> tuple[Segment, ...]:
        """Labeled segments of an untrimmed recording."""
        i = self._checked(index)
        rows = self._segments[self._segment_offsets[i] : self._segment_offsets[i + 1]]
        return tuple(Segment(int(start), int(stop), self.classes[label]) for start, stop, label in rows)

    @property
    def segment_counts(self) -> np.ndarray:
        """(N,) number of labeled segments."""
        return np.diff(self._segment_offsets)

    def split(self, protocol: str, part: str) -> np.ndarray:
        """Indices of the recordings in one part ("train" or "test") of a protocol, ascending.

        Raises:
            DataError: if the store has no such protocol, or the part is neither "train" nor "test".
        """
        if protocol not in self.protocols:
            known = ", ".join(self.protocols) or "none"
            raise DataError(f"the store {self.path} has no protocol '{protocol}'. It has: {known}.")
        if part not in PARTS:
            raise DataError(f"a protocol has the parts {' and '.join(PARTS)}, not '{part}'.")
        return np.flatnonzero(self._splits[self.protocols.index(protocol)] == PARTS.index(part))

    def duplicates(self, protocol: str) -> np.ndarray:
        """Indices of test recordings whose exact content stands in the training part too: the test's leak."""
        test = self.split(protocol, "test")
        return test[np.isin(self.digests[test], self.digests[self.split(protocol, "train")])]

    def __repr__(self) -> str:
        content = f"{len(self)} recordings, layout {self.layout.name}, {len(self.classes)} classes"
        return f"Store({str(self.path)!r}, {content})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (str(self.path.resolve()), self.fingerprint, self._conversion, self._without)

    def _checked(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"recording {index} of a store of {len(self)}")
        return int(index) % len(self)

    def _shape(self, index: int) -> tuple[int, int]:
        return int(self.frames[index]), int(self.persons[index])

    def _span(self, index: int) -> tuple[int, slice]:
        """The shard of a recording, and its rows there."""
        row = int(self._rows[index])
        shard = int(np.searchsorted(self._shard_ends, row, side="right"))
        start = row - (int(self._shard_ends[shard - 1]) if shard else 0)
        frames, persons = self._shape(index)
        return shard, slice(start, start + frames * persons)

    def _bulk_names(self, shard: int) -> list[str]:
        return [f"{FOLDER}/{self._shards[shard]}/{name}" for name in bulk_files(self.dtype)]

    def _mapped(self, shard: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions (R, J, C) and validity bits (R, bytes) of a shard."""
        names, files = self._bulk_names(shard), self._files
        arrays = self._bulk.get(shard)
        if arrays is None:
            joints, dims = self.layout.n_joints, self.layout.dims
            positions, valid = (self._bytes(name, mapped=True) for name in names)
            mapped = list(self._bulk)
            if isinstance(files, RemoteFiles):
                gone = [other for other in mapped if not all(map(files.keeps, self._bulk_names(other)))]
            else:
                gone = mapped[: max(len(mapped) - MAPPED_SHARDS + 1, 0)]
            for other in gone:
                self._bulk.pop(other, None)
            arrays = self._bulk[shard] = (
                positions.view(stored_type(self.dtype)).reshape(-1, joints, dims),
                valid.reshape(-1, (joints + 7) // 8),
            )
        for name, array in zip(names, arrays, strict=True):
            self._files.in_use(name, array.nbytes)
        return arrays

    def _check_columns(self, header: Mapping[str, Any]) -> None:
        """Columns fit each other and the header; checksums only tell that nobody has changed them since."""
        count, rows = len(self), self.frames.astype(np.int64) * self.persons
        joints, dims = self.layout.n_joints, self.layout.dims
        last = np.concatenate([[0], np.cumsum(rows)])
        ends = np.concatenate([[0], self._shard_ends])
        columns = [
            self.frames,
            self.persons,
            self.labels,
            self.fps,
            self.digests,
            self._scales,
            *self._splits,
        ]
        columns += [codes for _, codes in self.categories.values()]
        offsets = [(column, len(text)) for text, column in self._text.values()]
        offsets += [(self._segment_offsets, len(self._segments))]
        start, stop, label = self._segments.reshape(-1, 3).T
        widths = (stored_type(self.dtype).itemsize * joints * dims, (joints + 7) // 8)
        bulk = [
            header["files"][f"{FOLDER}/{name}/{file}"]["bytes"] == size * (above - below)
            for name, below, above in zip(self._shards, ends, ends[1:], strict=False)
            for file, size in zip(bulk_files(self.dtype), widths, strict=True)
        ]
        for fits, what in (
            (count == header["recordings"] and {column.shape for column in columns} == {(count,)}, "lengths"),
            (bool((self.frames > 0).all() and (self.persons > 0).all()), "frames"),
            (
                all(bulk) and rows.max() <= ends[-1] == last[-1] and np.array_equal(self._rows, last[:-1]),
                "rows",
            ),
            (bool(np.isin(ends, last).all()), "shards"),  # no recording lies in two
            (_inside(self.labels, -1, len(self.classes)), "labels"),
            (all(_inside(codes, -1, len(names)) for names, codes in self.categories.values()), "categories"),
            (all(_inside(split, -1, len(PARTS)) for split in self._splits), "splits"),
            (all(_ascending(column, count, end) for column, end in offsets), "offsets"),
            (self.dtype == FLOAT or _powers_of_two(self._scales, 2 * self.rounding), "scales"),
            (
                _inside(label, 0, len(self.classes)) and bool(((start >= 0) & (start < stop)).all()),
                "segments",
            ),
        ):
            if not fits:
                raise DataError(f"the store {self.path} is malformed: its {what} do not fit. {ADVICE}")

    def _string(self, kind: str, index: int) -> str:
        text, offsets = self._text[kind]
        return text[offsets[index] : offsets[index + 1]].tobytes().decode(errors="replace")

    def _category(self, name: str, header: Mapping[str, Any]) -> tuple[tuple[str, ...], np.ndarray]:
        if category_names(name) not in header:
            return (), np.full(len(self.frames), -1, np.int32)
        return tuple(header[category_names(name)]), self._column(category_column(name))

    def _column(self, name: str) -> np.ndarray:
        file = self._files.file(f"{name}.npy")
        try:
            short = file.stat().st_size <= SHORT_COLUMN
            column = np.asarray(np.load(file, mmap_mode=None if short else "r", allow_pickle=False))
        except Exception as error:  # numpy reads the head of a file as an expression
            raise DataError(
                f"the store {self.path} is damaged: cannot read {name}.npy ({error}). {ADVICE}"
            ) from error
        expected = COLUMN_TYPES.get(name, "<i8" if name == "segments" else "i1")
        if column.dtype != expected or column.ndim != (2 if name == "segments" else 1):
            raise DataError(
                f"the store {self.path} is malformed: {name}.npy is no column of {expected}. {ADVICE}"
            )
        column.setflags(write=False)
        return column

    def _bytes(self, name: str, mapped: bool = False) -> np.ndarray:
        file = self._files.file(name)
        size = file.stat().st_size
        if size == 0 or (size <= SHORT_COLUMN and not mapped):  # an empty file cannot be mapped
            return np.fromfile(file, np.uint8)
        return np.asarray(np.memmap(file, np.uint8, mode="r"))


def _inside(values: np.ndarray, least: int, end: int) -> bool:
    return not values.size or bool(values.min() >= least and values.max() < end)


def _powers_of_two(values: np.ndarray, largest: float) -> bool:
    with np.errstate(invalid="ignore"):
        return bool((np.frexp(values)[0] == 0.5).all() and values.max() == largest)


def _ascending(offsets: np.ndarray, count: int, end: int) -> bool:
    """Whether these are ``count`` + 1 places from 0 to ``end``."""
    return len(offsets) == count + 1 and bool(
        offsets[0] == 0 and offsets[-1] == end and (np.diff(offsets) >= 0).all()
    )


def write_store(
    path: str | Path,
    recordings: Iterable[Recording | np.ndarray],
    *,
    layout: Layout | str | Path | None = None,
    classes: Sequence[str] | None = None,
    protocols: Mapping[str, Protocol] = {},
    meta: Mapping[str, Any] = {},
    dtype: Dtype = "float32",
    shards: Sequence[int] = (),
    overwrite: bool = False,
) -> Store:
    """Write recordings to a new store, in their order, and open it.

    Args:
        path: the store's folder; its parents are made where needed.
        recordings: taken one at a time, so that a generator may stream any number of them. Arrays (T, J, C)
            or (T, P, J, C) are taken too, NaN where a joint was not seen; they are named "0", "1", ....
        layout: of all recordings (a layout, its name or file); by default that of the first.
        classes: all class names in their canonical order; every label must be one of them. By default the
            labels that occur, in natural order.
        protocols: name -> function that tells the part of each recording.
        meta: what is known about the data set, as JSON values ("dataset", "source", ...). It is read after
            the last recording, so that a reader may count while it reads.
        dtype: how positions are stored: "float32" as they are; "int16" in half the bytes, rounded (see
            ``encoding``; ``Store.rounding`` tells by how much at most).
        shards: ``Store.shards`` of the store that this shall be a copy of, with the same fingerprint.
        overwrite: replace an existing store. Anything else that exists at ``path`` is never replaced.

    Example:
        >>> walks = [rng.normal(size=(90, 20, 3)) for _ in range(8)]
        >>> store = write_store("walks", walks, layout="kinect20")

    Raises:
        ConfigError: for another ``dtype``.
        DataError: if something exists at ``path``, a recording does not fit (another layout, unknown label,
            repeated name, coordinates too far away for int16), there is no recording at all, or writing
            fails, for example on a full disk. Nothing is left behind then.
    """
    target = Path(path)
    check_dtype(dtype)
    check_destination(target, overwrite)
    if classes is not None and len(set(classes)) != len(classes):
        raise DataError(f"class names must be unique: {', '.join(classes)}.")
    known = None if layout is None else get_layout(layout)
    parts: dict[str, list[str | None]] = {name: [] for name in protocols}
    with atomic_folder(target) as folder:
        names: list[str] = []
        sizes = chain(shards, repeat(SHARD_RECORDINGS))
        remaining = _as_recordings(recordings, known)
        while chunk := list(islice(remaining, 1)):
            names.append(shard_name(len(names)))
            known = known or chunk[0].layout
            with ShardWriter(folder / FOLDER / names[-1], target, known, classes, dtype) as writer:
                for recording in chain(chunk, islice(remaining, next(sizes) - 1)):
                    writer.add(recording)
                    for name, protocol in protocols.items():
                        parts[name].append(protocol(recording))
                writer.close()
        if known is None:
            raise DataError(f"there is no recording to write to {target}.")
        finish_store(
            folder,
            target,
            names,
            layout=known,
            classes=classes,
            split=lambda _: (parts, []),
            meta=meta,
            dtype=dtype,
        )
        remove_indices(folder)
        check_destination(target, overwrite)  # another process may have been faster
    return Store.open(target, verify=False)


def _as_recordings(items: Iterable[Recording | np.ndarray], layout: Layout | None) -> Iterator[Recording]:
    for place, item in enumerate(items):
        yield item if isinstance(item, Recording) else Recording(item, layout=layout, name=str(place))


def check_destination(target: Path, overwrite: bool) -> None:
    """DataError unless ``target`` is free: nothing there, an empty folder, or a store to overwrite."""
    if (address := address_of(target)) is not None:
        raise DataError(
            f"a store is written to a folder of this machine, not to {address}; copy that there when it is "
            "done (`aws s3 cp --recursive`, `gsutil cp -r`)."
        )
    recover_folder(target)
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not (target / "store.json").is_file():
        raise DataError(
            f"{target} exists and is not a store; it will not be replaced. Choose another destination."
        )
    if not overwrite:
        raise DataError(
            f"the store {target} exists already. Choose another destination, or overwrite it (--overwrite)."
        )


def _reopen(
    path: str, fingerprint: str, conversion: Conversion | None, without: tuple[str, ...] = ()
) -> Store:
    """Open a pickled store without hashing it again."""
    files = files_of(path)
    header = read_header(files)
    if header["sha256"] != fingerprint:
        raise DataError(f"the store {path} was replaced by another one while it was in use.")
    return Store(files, header, conversion, without)
