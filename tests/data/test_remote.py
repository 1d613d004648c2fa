"""Stores at an address: the same recordings, a bounded cache, and sentences for what goes wrong."""

import errno
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hitrs.cli.main import main
from hitrs.data import remote
from hitrs.data.cache import Cache
from hitrs.data.cleaning.apply import clean_store
from hitrs.data.remote import RemoteFiles, StoreAddress, address_of
from hitrs.data.store import Store, write_store
from hitrs.data.writer import header_checksum
from hitrs.errors import ConfigError, DataError, WriteError
from remote_stores import CountingFileSystem, bulk_bytes, sharded_store

POSITIONS = "shards/00003/positions.f32"


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[CountingFileSystem]]:
    monkeypatch.setenv("HITRS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "PATIENCE", 0.3)
    monkeypatch.setattr(remote, "PATIENCE_AT_FIRST", 0.3)
    CountingFileSystem.reset()
    yield CountingFileSystem
    CountingFileSystem.reset()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return sharded_store(tmp_path / "store")


def cached(tmp_path: Path) -> list[Path]:
    return [file for file in (tmp_path / "cache" / "stores").iterdir() if len(file.name) == 64]


def cached_bytes(tmp_path: Path) -> int:
    return sum(file.stat().st_size for file in cached(tmp_path))


def test_an_address_survives_a_path() -> None:
    for text in ("s3://bucket/nw_ucla", "https://host:81/a/b", "memory://store", "gs://b"):
        assert str(address_of(text)) == str(address_of(Path(text))) == text
    assert str(StoreAddress("s3://b/x") / "store.json") == "s3://b/x/store.json"
    assert str(address_of(Path("s3://b/stores") / "cmu")) == "s3://b/stores/cmu"
    for text in ("stores/nw_ucla", "C:/stores", "C:\\stores", "/a:/b", "odd:name"):
        assert address_of(text) is None


def test_it_is_the_same_store(tmp_path: Path, store: Store, system: type[CountingFileSystem]) -> None:
    there = Store.open(system.upload(tmp_path / "store"))
    assert len(there) == len(store) == 24
    assert there.fingerprint == store.fingerprint
    assert repr(there).startswith("Store('counted://store', 24 recordings")
    for mine, other in zip(store, there, strict=True):
        assert mine.name == other.name
        assert np.array_equal(mine.positions, other.positions)
        assert np.array_equal(mine.valid, other.valid)
    again = pickle.loads(pickle.dumps(there))
    assert np.array_equal(again.positions(5), store.positions(5))


def test_only_what_is_read_is_fetched_and_once(
    tmp_path: Path, store: Store, system: type[CountingFileSystem]
) -> None:
    there = Store.open(system.upload(tmp_path / "store"))
    assert not [name for name in system.read if name.startswith("shards/")]
    there.positions(6), there.valid(7), there.positions(7)
    assert {name: n for name, n in system.read.items() if name.startswith("shards/")} == {
        POSITIONS: 1,
        "shards/00003/valid.bits": 1,
    }
    system.read.clear()
    Store.open("counted://store").positions(6)  # as another process would
    assert dict(system.read) == {"store.json": 1}


def test_verifying_fetches_all(tmp_path: Path, store: Store, system: type[CountingFileSystem]) -> None:
    Store.open(system.upload(tmp_path / "store"), verify=True)
    assert sum(name.startswith("shards/") for name in system.read) == 24


def test_the_cache_stays_below_its_bound(
    tmp_path: Path, store: Store, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = bulk_bytes(store) // 4
    monkeypatch.setenv("HITRS_CACHE_SIZE", str(limit))
    there = Store.open(system.upload(tmp_path / "store"))
    for index in range(len(store)):
        assert np.array_equal(there.positions(index), store.positions(index))
        assert cached_bytes(tmp_path) <= limit
        open_files = len(there._bulk)
        assert open_files <= len(cached(tmp_path))  # what was evicted is not held open: it would take room
    assert max(n for name, n in system.read.items() if name.startswith("shards/")) == 1


def test_what_was_used_last_stays(tmp_path: Path) -> None:
    cache, names = Cache(tmp_path / "cache", 25), [digit * 64 for digit in "abcd"]
    for name in names[:2]:
        cache.add(name, 10, lambda part: part.write_bytes(bytes(10)) and None)
    os.utime(cache.path(names[0]), (1, 1))
    os.utime(cache.path(names[1]), (2, 2))
    assert cache.use(names[0])
    cache.add(names[2], 10, lambda part: part.write_bytes(bytes(10)) and None)
    assert [cache.use(name) for name in names] == [True, False, True, False]


def test_what_is_on_its_way_takes_room(tmp_path: Path) -> None:
    cache, names = Cache(tmp_path / "cache", 25), ["a" * 64, "f" * 64, "c" * 64]  # under different locks

    def during(part: Path) -> None:
        assert part.stat().st_size == 10
        cache.add(names[1], 10, lambda part: part.write_bytes(bytes(10)) and None)
        cache.add(names[2], 10, lambda part: part.write_bytes(bytes(10)) and None)
        part.write_bytes(bytes(10))

    cache.add(names[0], 10, during)
    assert [cache.use(name) for name in names] == [True, False, True]


def test_a_shard_larger_than_the_cache_is_told(
    tmp_path: Path, store: Store, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HITRS_CACHE_SIZE", "2 KB")
    there = Store.open(system.upload(tmp_path / "store"))
    with pytest.raises(DataError, match=r"does not fit the cache .*cache.*2,000.*HITRS_CACHE_SIZE"):
        there.positions(0)
    monkeypatch.setenv("HITRS_CACHE_SIZE", "much")
    with pytest.raises(ConfigError, match="HITRS_CACHE_SIZE must be a size such as '20 GB'"):
        Store.open("counted://store")


@pytest.mark.parametrize(("size", "bytes_of"), [("20 GB", 20 * 10**9), ("1.5MiB", 3 << 19), ("77", 77)])
def test_sizes_of_the_cache(size: str, bytes_of: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITRS_CACHE_SIZE", size)
    assert Cache.of_environment().limit == bytes_of


def test_a_short_outage_is_waited_for(
    tmp_path: Path, store: Store, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PATIENCE", 60.0)
    there = Store.open(system.upload(tmp_path / "store"))
    failures = iter([ConnectionResetError("gone"), TimeoutError(), OSError(errno.EIO, "unwell")])

    def disturb(name: str) -> None:
        if name.endswith(".f32") and (failure := next(failures, None)) is not None:
            raise failure

    system.disturb = disturb
    assert np.array_equal(there.positions(0), store.positions(0))
    assert next(failures, None) is None


def test_a_long_outage_is_told_and_nothing_is_lost(
    tmp_path: Path, store: Store, system: type[CountingFileSystem]
) -> None:
    there = Store.open(system.upload(tmp_path / "store"))

    def away(name: str) -> None:
        raise ConnectionRefusedError("nobody listens")

    system.disturb = away
    with pytest.raises(
        DataError,
        match=r"counted://store/shards/00000/positions.f32 could not be had for 0 s: "
        r"ConnectionRefusedError: nobody listens.*--resume",
    ):
        there.positions(0)
    with pytest.raises(DataError, match=r"counted://store/store.json could not be had"):
        Store.open("counted://store")
    assert not list((tmp_path / "cache" / "stores").glob("*.part"))
    system.disturb = None
    assert np.array_equal(there.positions(0), store.positions(0))


def test_a_wait_is_told(
    tmp_path: Path, store: Store, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PATIENCE", 600.0)
    now = iter(range(0, 10**6, 5))
    monkeypatch.setattr(remote.time, "monotonic", lambda: float(next(now)))
    monkeypatch.setattr(remote.time, "sleep", lambda seconds: None)
    there = Store.open(system.upload(tmp_path / "store"))
    failures = iter([ConnectionResetError("gone")] * 4)

    def disturb(name: str) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure

    system.disturb = disturb
    with pytest.warns(
        UserWarning, match=r"positions.f32 cannot be had \(ConnectionResetError: gone\); trying"
    ):
        there.positions(0)


class NoCredentialsError(Exception):
    """As botocore calls it."""


class Answered(Exception):
    """With the code of an answer, as aiohttp has it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class ClientError(Exception):
    """As botocore has it."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError("Forbidden"), "may not be read with these credentials .PermissionError: Forbidden"),
        (Answered(403), "may not be read with these credentials"),
        (ClientError("SignatureDoesNotMatch", 403), "may not be read with these credentials"),
        (NoCredentialsError("Unable to locate credentials"), "cannot be read without credentials"),
        (FileNotFoundError("x"), "there is no store at counted://store: it has no store.json"),
        (Answered(404), "there is no store at counted://store: it has no store.json"),
        (ClientError("NoSuchBucket", 404), "there is no store at counted://store: its bucket does not exist"),
        (Answered(400), "counted://store/store.json cannot be read: Answered: status 400"),
        (ValueError("bad name"), "counted://store/store.json cannot be read: ValueError: bad name"),
    ],
)
def test_refusals_are_told_at_once(
    error: Exception, sentence: str, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def disturb(name: str) -> None:
        asked.append(name)
        raise error

    system.disturb = disturb
    with pytest.raises(DataError, match=sentence):
        Store.open("counted://store")
    assert asked == ["store.json"]


def test_an_error_below_another_one_is_seen(system: type[CountingFileSystem]) -> None:
    def disturb(name: str) -> None:
        try:
            raise ClientError("NoSuchBucket", 404)
        except ClientError as error:
            raise FileNotFoundError("The specified bucket does not exist") from error

    system.disturb = disturb
    with pytest.raises(DataError, match="its bucket does not exist"):
        Store.open("counted://store")


def test_addresses_of_nothing_known() -> None:
    with pytest.raises(ConfigError, match="nowhere://x/y is no address of a store"):
        Store.open("nowhere://x/y")


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ConfigError, match=r's3://b/x needs a library .*pip install "hitrs\[remote\]"'):
        Store.open("s3://b/x")


def test_a_missing_object_is_named(tmp_path: Path, store: Store, system: type[CountingFileSystem]) -> None:
    there = Store.open(system.upload(tmp_path / "store"))
    system().rm_file("/store/" + POSITIONS)
    with pytest.raises(
        DataError, match=f"the store counted://store lacks its file {POSITIONS}; copy it there"
    ):
        there.positions(6)
    there.positions(5)


@pytest.mark.parametrize("content", [b"other bytes", b"", b"x" * 100_000])
def test_a_changed_object_is_told(
    content: bytes, tmp_path: Path, store: Store, system: type[CountingFileSystem]
) -> None:
    there = Store.open(system.upload(tmp_path / "store"))
    system().pipe_file("/store/" + POSITIONS, content)
    with pytest.raises(
        DataError, match=f"counted://store/{POSITIONS} does not match its checksum: it was changed"
    ):
        there.positions(6)
    assert not there._files.keeps(POSITIONS)


def test_what_is_damaged_on_the_way_comes_again(
    tmp_path: Path, store: Store, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Store.open(system.upload(tmp_path / "store"))
    whole, cut = CountingFileSystem.cat_file, iter([True])

    def cat_file(self: CountingFileSystem, path: str, *args: object, **kwargs: object) -> bytes:
        content = whole(self, path, *args, **kwargs)
        return content[:-7] if path.endswith(".f32") and next(cut, False) else content

    monkeypatch.setattr(CountingFileSystem, "cat_file", cat_file)
    assert np.array_equal(there.positions(6), store.positions(6))
    assert next(cut, None) is None


def test_large_objects_come_in_pieces(
    tmp_path: Path, store: Store, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_PIECE", 1000)
    there = Store.open(system.upload(tmp_path / "store"))
    assert np.array_equal(there.positions(6), store.positions(6))
    assert system.read[POSITIONS] == -(-(tmp_path / "store" / POSITIONS).stat().st_size // 1000) > 1


def test_a_server_that_knows_no_ranges_gives_all_at_once(
    tmp_path: Path, store: Store, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_PIECE", 1000)
    monkeypatch.setattr(
        CountingFileSystem,
        "cat_file",
        lambda self, path, start=None, end=None: bytes(self.store[path].getbuffer()),
    )
    there = Store.open(system.upload(tmp_path / "store"))
    assert np.array_equal(there.positions(6), store.positions(6))


def test_a_damaged_cache_is_repaired(tmp_path: Path, store: Store, system: type[CountingFileSystem]) -> None:
    there = Store.open(system.upload(tmp_path / "store"))
    there.positions(6)
    for file in cached(tmp_path):  # as after a loss of power, or a careless hand
        file.write_bytes(bytes(file.stat().st_size))
    again = Store.open("counted://store")
    assert np.array_equal(again.positions(6), store.positions(6))
    assert [again.name(i) for i in range(24)] == [store.name(i) for i in range(24)]


def test_a_full_disk_is_told(
    tmp_path: Path, store: Store, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Store.open(system.upload(tmp_path / "store"))

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(WriteError, match=r"the disk is full.*HITRS_CACHE names another folder"):
            there.positions(0)
    assert not list((tmp_path / "cache" / "stores").glob("*.part"))
    assert np.array_equal(there.positions(0), store.positions(0))


def test_a_store_that_is_replaced_while_it_is_used(
    tmp_path: Path, store: Store, system: type[CountingFileSystem]
) -> None:
    there = Store.open(system.upload(tmp_path / "store"))
    sharded_store(tmp_path / "newer", seed=1)
    system.upload(tmp_path / "newer")
    with pytest.raises(DataError, match="checksum"):
        there.positions(0)
    with pytest.raises(DataError, match="counted://store was replaced by another one"):
        pickle.loads(pickle.dumps(there))


def test_a_header_that_lists_too_little(
    tmp_path: Path, store: Store, system: type[CountingFileSystem]
) -> None:
    system.upload(tmp_path / "store")
    header = json.loads((tmp_path / "store" / "store.json").read_text())
    del header["files"]["fps.npy"], header["sha256"]
    system().pipe_file(
        "/store/store.json", json.dumps({"sha256": header_checksum(header), **header}).encode()
    )
    with pytest.raises(DataError, match=r"malformed: its store.json does not list fps.npy"):
        Store.open("counted://store")
    system().pipe_file("/store/store.json", b"{")
    with pytest.raises(DataError, match=r"counted://store/store.json is cut short or damaged"):
        Store.open("counted://store")


def test_a_checksum_leads_nowhere_else(
    tmp_path: Path, store: Store, system: type[CountingFileSystem]
) -> None:
    system.upload(tmp_path / "store")
    (tmp_path / "precious").write_text("of somebody else")
    header = json.loads((tmp_path / "store" / "store.json").read_text())
    header["files"]["fps.npy"]["sha256"] = "../precious"
    del header["sha256"]
    content = json.dumps({"sha256": header_checksum(header), **header})
    system().pipe_file("/store/store.json", content.encode())
    with pytest.raises(DataError, match=r"malformed: the checksum of fps.npy is none"):
        Store.open("counted://store")
    assert (tmp_path / "precious").read_text() == "of somebody else"


def test_several_threads_share_a_cache_and_fetch_once(
    tmp_path: Path, store: Store, system: type[CountingFileSystem]
) -> None:
    address = system.upload(tmp_path / "store")
    stores = [Store.open(address) for _ in range(4)]
    system.read.clear()
    wrong: list[int] = []

    def read(there: Store) -> None:
        wrong.extend(i for i in range(24) if not np.array_equal(there.positions(i), store.positions(i)))

    threads = [threading.Thread(target=read, args=(there,)) for there in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert set(system.read.values()) == {1}


def test_what_is_prefetched_is_there(tmp_path: Path, store: Store, system: type[CountingFileSystem]) -> None:
    files = Store.open(system.upload(tmp_path / "store"))._files
    assert isinstance(files, RemoteFiles)
    system().rm_file("/store/shards/00000/positions.f32")  # what cannot be had does not end it
    files.prefetch(["shards/00000/positions.f32", "shards/00001/positions.f32", POSITIONS])
    while files._runs:
        threading.Event().wait(0.001)
    assert files.keeps(POSITIONS)
    assert files.keeps("shards/00001/positions.f32")
    assert not files.keeps("shards/00000/positions.f32")


def test_what_a_killed_process_left_is_removed(
    tmp_path: Path, store: Store, system: type[CountingFileSystem]
) -> None:
    """A process that is killed in the middle of an object, and the next one."""
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from hitrs.data.cache import Cache
        def fetch(part):
            part.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        Cache(Path(sys.argv[1]), 10**6).add("0" * 64, 8, fetch)
    """
    folder = tmp_path / "cache" / "stores"
    assert subprocess.run([sys.executable, "-c", code, folder], check=False).returncode < 0
    assert list(folder.glob("*.part"))
    there = Store.open(system.upload(tmp_path / "store"))
    assert np.array_equal(there.positions(0), store.positions(0))
    assert not list(folder.glob("*.part"))


def test_nothing_is_written_to_an_address(tmp_path: Path, store: Store) -> None:
    with pytest.raises(DataError, match="not to s3://b/x; copy that there when it is done"):
        write_store("s3://b/x", store)
    with pytest.raises(DataError, match="copy the store s3://b/x to a folder of this machine first"):
        clean_store("s3://b/x", tmp_path / "clean", [])


def test_commands_take_an_address(
    tmp_path: Path, store: Store, system: type[CountingFileSystem], capsys: pytest.CaptureFixture[str]
) -> None:
    address = system.upload(tmp_path / "store")
    assert main(["inspect", address]) == 0
    assert "recordings    24 with" in capsys.readouterr().out
    assert main(["inspect", "counted://nothing"]) == 1
    assert "error: there is no store at counted://nothing: it has no store.json" in capsys.readouterr().err
