"""Stores on another machine, at any address that fsspec knows: ``s3://``, ``gs://``, ``https://``.

The files of a store (see ``store``) are fetched whole, one by one, when they are first needed:
``store.json``, columns and text when it is opened, a shard when one of its recordings is read. Each is
compared with the SHA-256 that ``store.json`` holds and kept in a cache of bounded size (``cache``).

Who may read, from where and how is a matter of fsspec and the libraries below it, and set as they say it
(``AWS_PROFILE``, ``AWS_ENDPOINT_URL``, ``FSSPEC_S3_KEY``, ``~/.config/fsspec``).
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from hitrs.data.cache import Cache
from hitrs.errors import ConfigError, DataError, HitrsError
from hitrs.files import parse_json

PATIENCE = 300.0
"""Seconds for which an object is asked for again and again while it cannot be had."""
PATIENCE_AT_FIRST = 20.0
"""The same for ``store.json``: an address with a mistake in it should not take minutes to tell."""
_LONGEST_PAUSE = 15.0
_PIECE = 1 << 24
"""Larger objects are asked for in pieces of so many bytes: what is lost where a connection breaks."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/+", re.IGNORECASE)  # of one letter is a drive of Windows
_PASSING = {408, 425, 429}
"""Codes of HTTP of the four hundreds that are no refusal."""
_SHA256 = re.compile("[0-9a-f]{64}")
_Answer = TypeVar("_Answer")


class StoreAddress(PurePosixPath):
    """``s3://bucket/store`` as a path: ``/`` leads to what is in it.

    A path keeps one slash of the two behind the scheme, so that one which was made of an address (of an
    option of the command line, say) is still known; written out there are two.
    """

    def __str__(self) -> str:
        return super().__str__().replace(":/", "://", 1)

    def resolve(self) -> StoreAddress:
        """Itself: an address does not depend on the working folder."""
        return self


def address_of(path: str | PurePath) -> StoreAddress | None:
    """The address that a path is, or None for a path on this machine.

    Example:
        >>> address_of("s3://bucket/nw_ucla"), address_of("stores/nw_ucla")
        (StoreAddress('s3://bucket/nw_ucla'), None)
    """
    text = path.as_posix() if isinstance(path, PurePath) else str(path)
    return StoreAddress(text) if _ADDRESS.match(text) else None


class RemoteFiles:
    """The files of a store at an address; each is on this machine when it has been asked for."""

    def __init__(self, path: StoreAddress) -> None:
        self.path, self.cache = path, Cache.of_environment()
        self.facts: Mapping[str, Mapping[str, Any]] = {}
        self._sound: set[str] = set()  # files of the cache that were compared with their checksum
        self._wanted: list[str] = []
        self._runs = False
        self._fetching = threading.Lock()

    def header(self) -> Any:
        """The value of ``store.json``, not checked.

        Raises:
            DataError: if it cannot be had.
            ValueError: if it is not JSON.
        """
        return parse_json(
            self._asked(lambda: self._system.cat_file(self._key("store.json")), "store.json", True)
        )

    def check(self, hashed: Sequence[str]) -> None:
        """Fetch those that are to be ``hashed``; what is not is looked for when it is needed.

        Raises:
            DataError: if one cannot be had, or is another one.
        """
        for name in hashed:
            self.file(name)

    def file(self, name: str) -> Path:
        """A file of the store, complete and compared with its checksum, on this machine.

        Raises:
            DataError: if it cannot be had, is another one, or does not fit the cache.
        """
        if name not in self.facts:
            raise DataError(f"the store {self.path} is malformed: its store.json does not list {name}")
        sha256, size = self.facts[name]["sha256"], self.facts[name]["bytes"]
        if not _SHA256.fullmatch(sha256):  # it becomes the name of a file, and comes from elsewhere
            raise DataError(f"the store {self.path} is malformed: the checksum of {name} is none")
        if sha256 not in self._sound:
            self.cache.drop_damaged(sha256, size)
        if not self.cache.use(sha256):
            self.cache.add(sha256, size, lambda part: self._fetch(name, part))
        self._sound.add(sha256)
        return self.cache.path(sha256)

    def in_use(self, name: str, size: int) -> None:
        """Told whenever a mapped file is read: what is read often stays in the cache."""
        self.cache.use(self.facts[name]["sha256"])

    def keeps(self, name: str) -> bool:
        """Whether a file is still in the cache; mapped, it would take room there that nobody sees."""
        return self.cache.path(self.facts[name]["sha256"]).exists()

    def prefetch(self, names: Sequence[str]) -> None:
        """Fetch files in a thread, in this order, in place of those that it was still to fetch.

        What cannot be had is told when it is read.
        """
        with self._fetching:
            self._wanted = list(names)
            if not self._runs:
                self._runs = True
                # a daemon: the process ends although the other machine does not answer
                threading.Thread(target=self._work, name="prefetch", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._fetching:
                if not self._wanted:
                    self._runs = False
                    return
                name = self._wanted.pop(0)
            with suppress(HitrsError, Warning):
                self.file(name)

    def _fetch(self, name: str, part: Path) -> None:
        expected = self.facts[name]
        for _ in range(2):  # what came damaged over the wire comes whole the next time
            digest = hashlib.sha256()
            with part.open("r+b") as file:
                for piece in self._pieces(name, expected["bytes"]):
                    file.write(piece)
                    digest.update(piece)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())  # its name is that of its content, also after a loss of power
            if digest.hexdigest() == expected["sha256"]:
                return
        raise DataError(
            f"{self.path / name} does not match its checksum: it was changed or damaged since the store was "
            f"written. Copy the store {self.path} there again, as a whole"
        )

    def _pieces(self, name: str, size: int) -> Iterator[bytes]:
        key, done = self._key(name), 0
        if size <= _PIECE:
            yield self._asked(lambda: self._system.cat_file(key), name)
            return
        while done < size:
            start, end = done, min(done + _PIECE, size)
            piece = self._asked(partial(self._system.cat_file, key, start, end), name)
            yield piece
            done += len(piece)  # all at once from a server that knows no ranges
            if len(piece) < end - start:
                return

    def _asked(self, ask: Callable[[], _Answer], name: str, first: bool = False) -> _Answer:
        """The answer, asked for again with growing pauses until ``PATIENCE`` is over."""
        began, pause, told = time.monotonic(), 0.25, False
        patience = PATIENCE_AT_FIRST if first else PATIENCE
        while True:
            try:
                return ask()
            except HitrsError:
                raise
            except Exception as error:  # every library below fsspec has errors of its own
                refusal = self._refusal(error, name)
                if refusal:
                    raise DataError(refusal) from error
                if time.monotonic() - began + pause > patience:
                    raise DataError(
                        f"{self.path / name} could not be had for {patience:.0f} s: {_reason(error)}. "
                        "Run the command again when it answers; training goes on with --resume"
                    ) from error
                if not told and time.monotonic() - began > 2:
                    told = True
                    warnings.warn(
                        f"{self.path / name} cannot be had ({_reason(error)}); trying on for up to "
                        f"{patience:.0f} s",
                        stacklevel=2,
                    )
            time.sleep(pause * random.uniform(0.5, 1))  # not all processes at the same moment
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _refusal(self, error: Exception, name: str) -> str:
        """Why asking again would not help, in a sentence; empty where it might."""
        where, reason = self.path / name, _reason(error)
        status, code = _answered(error)
        if code == "NoSuchBucket":
            return f"there is no store at {self.path}: its bucket does not exist ({reason})"
        if isinstance(error, FileNotFoundError) or status in (404, 410):
            if name == "store.json":
                return f"there is no store at {self.path}: it has no store.json ({reason})"
            return f"the store {self.path} lacks its file {name}; copy it there again, as a whole"
        if isinstance(error, PermissionError) or status in (401, 403):
            return (
                f"{where} may not be read with these credentials ({reason}); look at who may read it, and at "
                "what the environment says (for S3 AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY)"
            )
        if re.search("Credential|Token|Profile|Auth", type(error).__name__):
            return (
                f"{where} cannot be read without credentials ({reason}); set them as its library says (for "
                "S3 AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
            )
        if (status and 300 <= status < 500 and status not in _PASSING) or isinstance(
            error, ValueError | TypeError | LookupError | AttributeError
        ):
            return f"{where} cannot be read: {reason}"
        return ""

    def _key(self, name: str) -> str:
        return f"{self._opened[1].rstrip('/')}/{name}"

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        scheme = str(self.path).partition(":")[0]
        try:
            from fsspec.core import url_to_fs

            return url_to_fs(str(self.path))
        except ImportError as error:
            raise ConfigError(
                f"{self.path} needs a library that is not installed: {error}. For s3:// and https:// "
                '`pip install "hitrs[remote]"`, for gs:// `pip install gcsfs`'
            ) from error
        except ValueError as error:
            raise ConfigError(
                f"{self.path} is no address of a store, '{scheme}' is unknown: {error}"
            ) from error

    @property
    def _system(self) -> Any:
        return self._opened[0]


class RemoteShards:
    """In which shard of a store on another machine each of some recordings lies.

    Args:
        of: (N,) number of the shard of each.
        sizes: (S,) bytes of every shard of the store.
        limit: bytes that the cache may hold.
        fetch: has shards fetched in a thread.
    """

    def __init__(
        self, of: np.ndarray, sizes: np.ndarray, limit: int, fetch: Callable[[Sequence[int]], None]
    ) -> None:
        self.of, self.sizes, self.limit = of, sizes, limit
        self._fetch = fetch
        self._told: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.of)

    def prefetch(self, shards: tuple[int, ...]) -> None:
        """Have shards fetched beside what is computed, in this order, those that are here kept."""
        if shards != self._told:
            self._told = shards
            self._fetch(shards)

    def few(self, most: int) -> np.ndarray:
        """Numbers of the recordings that lie in ``most`` of the shards, evenly spread."""
        present = np.unique(self.of)
        chosen = present[np.linspace(0, len(present) - 1, min(len(present), most)).astype(int)]
        return np.flatnonzero(np.isin(self.of, chosen))


def _answered(error: BaseException) -> tuple[int, str]:
    """Code of HTTP and word of the answer that an error, or the one that it was made of, is about."""
    status, code = getattr(error, "status", 0), ""
    response = getattr(error, "response", None)  # of botocore
    if isinstance(response, Mapping):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = str(response.get("Error", {}).get("Code", ""))
    if not status and error.__cause__ is not None:
        return _answered(error.__cause__)
    return (status if isinstance(status, int) else 0), code


def _reason(error: Exception) -> str:
    kind, text = type(error).__name__, " ".join(str(error).split())
    return f"{kind}: {text}" if text else kind
