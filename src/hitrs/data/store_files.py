"""The files of a store, wherever it is, and what ``store.json`` says of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from hitrs.data.encoding import FLOAT, bulk_files
from hitrs.data.recording import CATEGORIES
from hitrs.data.remote import RemoteFiles, StoreAddress, address_of
from hitrs.data.shards import FOLDER
from hitrs.data.writer import FORMAT, VERSIONS, category_names, header_checksum
from hitrs.errors import ConfigError, DataError
from hitrs.files import check_ordinary, made_here, read_json, recover_folder, sha256_of
from hitrs.schema import number, section, text, texts, whole

ADVICE = "Import the data again to make a new store."


class StoreFiles(Protocol):
    """Where the files of a store are: in a folder (``LocalFiles``), or elsewhere (``RemoteFiles``)."""

    path: Any
    """The folder or address, which messages name."""
    facts: Mapping[str, Mapping[str, Any]]
    """File -> {"bytes": size, "sha256": checksum}, from ``read_header`` on."""

    def header(self) -> Any:
        """The value of ``store.json``, not checked; DataError, OSError or ValueError."""

    def check(self, hashed: Sequence[str]) -> None:
        """Look for files of the right sizes; those that are ``hashed`` must match their checksums, too."""

    def file(self, name: str) -> Path:
        """A complete file, on this machine."""

    def in_use(self, name: str, size: int) -> None:
        """Told whenever a mapped file is read; DataError where it is no longer so large."""


class LocalFiles:
    """The files of a store in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: Mapping[str, Mapping[str, Any]] = {}

    def header(self) -> Any:
        file = self.path / "store.json"
        recover_folder(self.path)
        if not self.path.exists():
            raise DataError(f"there is no store at {self.path}: the folder does not exist.")
        if not file.is_file():
            kind = made_here(self.path) or (
                "it has no store.json. `hitrs import SRC DST` makes a store from data files"
            )
            raise DataError(f"{self.path} is not a store: {kind}.")
        return read_json(file)

    def check(self, hashed: Sequence[str]) -> None:
        for name, expected in self.facts.items():
            try:
                check_ordinary(self.path / name)
                size = (self.path / name).stat().st_size
            except OSError as error:
                raise DataError(
                    f"the store {self.path} lacks its file {name}: {error.strerror}. {ADVICE}"
                ) from error
            if size != expected["bytes"]:
                raise DataError(
                    f"the store {self.path} is cut short or damaged: {name} has {size} bytes, expected "
                    f"{expected['bytes']}. {ADVICE}"
                )
        for name in hashed:
            if sha256_of(self.path / name) != self.facts[name]["sha256"]:
                raise DataError(
                    f"the store {self.path} is damaged: {name} does not match its checksum. {ADVICE}"
                )

    def file(self, name: str) -> Path:
        return self.path / name

    def in_use(self, name: str, size: int) -> None:
        try:
            now = os.stat(self.path / name).st_size
        except OSError as error:
            raise DataError(f"the store {self.path} has lost its file {name} ({error.strerror}).") from error
        if now < size:
            raise DataError(
                f"the store {self.path} was cut short while it was open: {name} has {now} bytes, "
                f"expected {size}. {ADVICE}"
            )


def files_of(path: str | Path | StoreAddress) -> StoreFiles:
    """The files of a store at a path or an address."""
    address = address_of(path)
    return LocalFiles(Path(path)) if address is None else RemoteFiles(address)


def is_store(path: Path) -> bool:
    """Whether a path is that of a store; an address is, as nothing else is read from elsewhere."""
    return address_of(path) is not None or (path / "store.json").is_file()


def read_header(files: StoreFiles) -> dict[str, Any]:
    """The checked content of a store's ``store.json``; DataError where there is none or it is not usable."""
    path, file = files.path, files.path / "store.json"
    try:
        header = files.header()
    except (OSError, ValueError) as error:
        raise DataError(f"{file} is cut short or damaged: {error}. {ADVICE}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError(f"{path} is not a store: {file.name} is something else.")
    if header.get("version") not in VERSIONS.values():
        known = " and ".join(map(str, VERSIONS.values()))
        raise DataError(
            f"the store {path} has format version {header.get('version')}, this version of hitrs reads "
            f"{known}. {ADVICE}"
        )
    if header.get("sha256") != header_checksum(header):
        raise DataError(f"the store {path} is damaged: {file.name} does not match its checksum. {ADVICE}")
    try:
        _check_header(header)
    except (KeyError, ConfigError) as error:
        raise DataError(f"the store {path} is malformed: {file.name}: {error}. {ADVICE}") from error
    files.facts = header["files"]
    return header


def _check_header(header: Mapping[str, Any]) -> None:
    """Types and bounds of everything, and no file outside of the store; KeyError or ConfigError."""
    dtype = header.get("dtype", FLOAT)
    text(dtype, "dtype")
    if VERSIONS.get(dtype) != header["version"]:
        raise ConfigError(f"positions are stored as '{dtype}', which is not that of the format version")
    if dtype != FLOAT:
        number(header["rounding"], "rounding")
    for key in ("recordings", "joints_total", "joints_seen"):
        whole(header[key], key, most=1 << 62)
    for key in ("classes", "protocols", *(category_names(name) for name in CATEGORIES)):
        if key in header or not key.endswith("_names"):
            texts(header[key], key, most=1 << 32)
    for key in ("layout", "meta", "files"):
        section(header[key], key)
    for name, facts in header["files"].items():
        if not re.fullmatch(r"(shards/\w+/)?\w+\.\w+", name):
            raise ConfigError(f"'{name}' is no file of a store")
        section(facts, name)
        whole(facts["bytes"], name, most=1 << 62)
        text(facts["sha256"], name)
    if not isinstance(header["shards"], list):
        raise ConfigError("shards must be a list")
    for shard in header["shards"]:
        if not isinstance(shard, list) or len(shard) != 2:
            raise ConfigError("a shard must be a name and a number of rows")
        whole(shard[1], "rows of a shard", 1, 1 << 62)
        for file in bulk_files(dtype):
            if f"{FOLDER}/{shard[0]}/{file}" not in header["files"]:
                raise ConfigError(f"shard '{shard[0]}' has no {file}")
