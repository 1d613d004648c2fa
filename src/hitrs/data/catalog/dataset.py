"""What a data set is to the import: what to read, its classes and protocols; and what people should know."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hitrs.data.encoding import Dtype
from hitrs.data.recording import Recording, natural_order
from hitrs.data.shards import Facts
from hitrs.data.writer import SplitFunction, Splits
from hitrs.errors import DataError
from hitrs.files import sha256_of
from hitrs.skeleton.layout import Layout

__all__ = [
    "Dataset", "Download", "Entry", "Facts", "ImportOptions", "SourceFile", "SplitFunction", "Splits",
    "by_recording", "incomplete", "matching_files", "natural_order", "numbered_files",
]  # fmt: skip


@dataclass(frozen=True)
class ImportOptions:
    """How a folder becomes a store.

    Example:
        >>> options = ImportOptions(layout="kinect20", test_subjects=("anna", "ben"))
        >>> store = import_dataset("recordings", "stores/own", options)
    """

    dataset: str | None = None
    """Name of a data set of the catalog, or "folder" for files of your own; by default found by the files."""
    layout: Layout | str | Path | None = None
    """Joint layout (layout, name or file) of your own files, where they do not say it themselves."""
    format: str | None = None
    """File format of your own files, where it cannot be found by content."""
    columns: str | None = None
    """What the columns of tables without a header are, for example "x,y,z" (see ``formats.number_table``)."""
    pose: str | None = None
    """Name of the pose estimator that looks at videos; by default MediaPipe's (see ``video.estimator``)."""
    to: Layout | str | Path | None = None
    """Layout to which every recording is mapped, so that files of several layouts make one store."""
    test_subjects: Sequence[str] | None = None
    """Subjects of your own files that test; by default about 28% of them."""
    split: str | None = None
    """"random" splits your own files by file instead of by subject."""
    keep_lost: bool = False
    """Leave joints as they are that the tracker had lost but the files hold coordinates for, instead of
    marking them as not seen (see ``cleaning.MaskLost``)."""
    dtype: Dtype = "float32"
    """How positions are stored: "float32", or "int16" in half the bytes, rounded (see ``encoding``)."""
    strict: bool = False
    """Stop at the first file that cannot be read, instead of listing it and going on."""
    max_memory: int | None = None
    """Bytes that a reader may take for one file; by default 4 GiB (see ``formats.memory``)."""
    overwrite: bool = False
    """Replace an existing store."""


@dataclass(frozen=True)
class SourceFile:
    """Something to read, usually one file."""

    path: Path
    read: Callable[[], Iterable[Recording]]
    """May raise HitrsError. To be sent to other processes it must be a ``partial`` of a module's function."""


@dataclass(frozen=True)
class Dataset:
    """A data set that was found in a folder and is ready to be read."""

    name: str
    layout: Layout
    classes: tuple[str, ...] | None
    """Class names in their canonical order; None = the labels that occur, in natural order."""
    sources: Sequence[SourceFile]
    split: SplitFunction
    """Protocols of all recordings that were read, and sentences about them (see ``by_recording``)."""
    meta: dict[str, Any] = field(default_factory=dict)
    """What is known about the data, JSON values."""
    notes: list[str] = field(default_factory=list)
    """Sentences for people about what is unusual in what was found."""


@dataclass(frozen=True)
class Download:
    """A file under an open license with a direct link."""

    url: str
    sha256: str | None
    """None = the owners state none, and the server packs the archive anew."""
    license: str
    content: str | None = None
    """``content_sha256`` of the data files in it; None = not known."""


def content_sha256(dataset: Dataset) -> str:
    """SHA-256 over names and content of the files of a data set, wherever they lie."""
    digest = hashlib.sha256()
    for path in sorted((source.path for source in dataset.sources), key=lambda path: path.name):
        digest.update(f"{sha256_of(path)}  {path.name}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Entry:
    """One data set of the catalog: one module of this package, or of another through "hitrs.datasets"."""

    name: str
    title: str
    about: str
    """What it is: recordings, classes, subjects, cameras, sensor."""
    terms: str
    """Terms of use, or that they are unknown."""
    where: str
    """Where to get it."""
    files: str
    """How to lay the files out, so that ``find`` finds them."""
    protocols: Mapping[str, str]
    """Protocol -> what it is, in one sentence."""
    find: Callable[[Path], Dataset | None]
    """The data set in a folder, or None if this is not it. Must be quick: list, do not read."""
    download: Download | None = None


def odd_even(recording: Facts) -> str:
    """Odd subjects train, even subjects test."""
    return "train" if int(recording.subject or 0) % 2 else "test"


def by_recording(protocols: Mapping[str, Callable[[Facts], str | None]]) -> SplitFunction:
    """``Dataset.split`` of protocols that decide on each recording by itself."""

    def split(facts: Sequence[Facts]) -> tuple[Splits, list[str]]:
        return {name: [part(fact) for fact in facts] for name, part in protocols.items()}, []

    return split


def matching_files(source: Path, below: str, pattern: re.Pattern[str]) -> list[tuple[Path, tuple[int, ...]]]:
    """Files in ``source`` or its subfolder ``below`` whose name matches, sorted, with the numbers in it."""
    for folder in (source, source / below):
        if folder.is_dir():
            candidates = ((file, pattern.fullmatch(file.name)) for file in sorted(folder.iterdir()))
            files = [
                (file, tuple(int(group) for group in match.groups())) for file, match in candidates if match
            ]
            if files:
                return files
    return []


def numbered_files(
    source: Path,
    files: Sequence[tuple[Path, tuple[int, ...]]],
    read: Callable[[Path], Recording],
    classes: Sequence[str],
    title: str,
) -> list[SourceFile]:
    """Recordings whose file names number class (from 1) and subject first; ``files`` of ``matching_files``.

    Reading raises DataError, naming the data set by its ``title``, for a number that no class has.
    """
    return [
        SourceFile(path, partial(_read_numbered, source, path, read, tuple(classes), title, *numbers[:2]))
        for path, numbers in files
    ]


def _read_numbered(
    source: Path,
    path: Path,
    read: Callable[[Path], Recording],
    classes: tuple[str, ...],
    title: str,
    action: int,
    subject: int,
) -> tuple[Recording]:
    if not 1 <= action <= len(classes):
        raise DataError(f"{path}: {title} has no action {action}; its actions are 1 to {len(classes)}.")
    label, relative = classes[action - 1], path.relative_to(source).as_posix()
    return (dataclasses.replace(read(path), label=label, subject=str(subject), source=relative),)


def incomplete(count: int, expected: int) -> list[str]:
    """The note on a copy of a public data set that has not all of its sequences."""
    return [] if count == expected else [f"the whole data set has {expected} sequences, {count} are here"]
