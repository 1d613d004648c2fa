"""Stores on "another machine" for tests: a file system of fsspec in memory that counts, fails and lies."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

from factories import CLASSES, LAYOUT, small_store
from hitrs.data.store import Store, write_store


class CountingFileSystem(MemoryFileSystem):
    """Memory, at ``counted://``; ``read`` says what was read how often, ``disturb`` is called before."""

    protocol = "counted"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    read: ClassVar[Counter[str]] = Counter()
    bytes_read: ClassVar[int] = 0
    disturb: ClassVar[Callable[[str], None] | None] = None

    def cat_file(self, path, start=None, end=None, **kwargs):
        name = path.split("/", 2)[-1]
        cls = CountingFileSystem
        if cls.disturb is not None:
            cls.disturb(name)
        content = super().cat_file(path, start, end, **kwargs)
        cls.read[name] += 1
        cls.bytes_read += len(content)
        return content

    @classmethod
    def _strip_protocol(cls, path):
        return MemoryFileSystem._strip_protocol(path.replace("counted://", "memory://"))

    @classmethod
    def reset(cls) -> None:
        cls.store.clear()
        cls.read.clear()
        cls.bytes_read, cls.disturb = 0, None

    @classmethod
    def upload(cls, folder: Path, name: str = "store") -> str:
        """Its address."""
        system = cls()
        for file in folder.rglob("*"):
            if file.is_file():
                system.pipe_file(f"/{name}/{file.relative_to(folder).as_posix()}", file.read_bytes())
        return f"counted://{name}"


fsspec.register_implementation("counted", CountingFileSystem, clobber=True)


def sharded_store(path: Path, count: int = 24, size: int = 2, seed: int = 0) -> Store:
    """``small_store`` in shards of ``size`` recordings."""
    whole = small_store(path.parent / f"{path.name}-whole", count, seed=seed)
    return write_store(
        path,
        whole,
        layout=LAYOUT,
        classes=CLASSES,
        protocols={"subjects": lambda r: "test" if r.subject == "person-3" else "train"},
        shards=[size] * (count // size),
    )


def bulk_bytes(store: Store) -> int:
    """Bytes of its shards."""
    return sum(file.stat().st_size for file in (Path(store.path) / "shards").rglob("*.*"))
