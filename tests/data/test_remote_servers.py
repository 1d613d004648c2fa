"""Stores behind real servers on this machine: plain HTTP, and S3 as moto speaks it."""

import functools
import gc
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from hitrs.data import remote
from hitrs.data.store import Store
from hitrs.errors import DataError
from remote_stores import sharded_store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
"""Of the servers and of the libraries below fsspec, which are others'."""


@pytest.fixture(autouse=True)
def small_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITRS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "PATIENCE", 0.5)
    monkeypatch.setattr(remote, "PATIENCE_AT_FIRST", 0.5)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return sharded_store(tmp_path / "web" / "store")


class Handler(SimpleHTTPRequestHandler):
    """Gives files, knows no ranges, and keeps one folder to itself."""

    def do_GET(self) -> None:
        if self.path.startswith("/private"):
            self.send_error(403)
        else:
            super().do_GET()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("aiohttp", reason='aiohttp is not installed: `pip install "hitrs[remote]"`')
    (tmp_path / "web").mkdir()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path / "web"))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_web_server_will_do(web: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Store.open(f"{web}/store")
    monkeypatch.setattr(remote, "_PIECE", 1000)  # more than one piece of a server that gives all at once
    assert all(np.array_equal(there.positions(i), store.positions(i)) for i in range(len(store)))
    with pytest.raises(DataError, match=f"there is no store at {web}/other: it has no store.json"):
        Store.open(f"{web}/other")
    with pytest.raises(DataError, match=f"{web}/private/store.json may not be read with these credentials"):
        Store.open(f"{web}/private")


def test_nobody_listens() -> None:
    pytest.importorskip("aiohttp", reason='aiohttp is not installed: `pip install "hitrs[remote]"`')
    with pytest.raises(DataError, match=r"http://127.0.0.1:9/store/store.json could not be had for 0 s"):
        Store.open("http://127.0.0.1:9/store")


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A file system of a server that has a bucket."""
    system = pytest.importorskip("s3fs", reason='s3fs is not installed: `pip install "hitrs[remote]"`')
    server_module = pytest.importorskip(
        "moto.server", reason="there is no S3 server: `pip install 'moto[server]'`"
    )
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    system.S3FileSystem.clear_instance_cache()
    made = fsspec.filesystem("s3")
    if not made.exists("bucket"):  # the servers of one process share what they hold
        made.mkdir("bucket")
    yield made
    system.S3FileSystem.clear_instance_cache()
    server.stop()
    del made
    gc.collect()  # what is closed late warns here, not in another test


def test_s3_will_do(s3: Any, store: Store, tmp_path: Path) -> None:
    s3.put(f"{tmp_path / 'web' / 'store'}/", "bucket/store/", recursive=True)
    there = Store.open("s3://bucket/store")
    assert all(np.array_equal(there.positions(i), store.positions(i)) for i in range(10))
    s3.pipe_file("bucket/store/shards/00006/positions.f32", b"changed")
    with pytest.raises(
        DataError, match=r"s3://bucket/store/shards/00006/positions.f32 does not match its check"
    ):
        there.positions(12)
    s3.rm_file("bucket/store/shards/00007/positions.f32")
    with pytest.raises(DataError, match=r"s3://bucket/store lacks its file shards/00007/positions.f32"):
        there.positions(14)
    with pytest.raises(DataError, match=r"there is no store at s3://bucket/other: it has no store.json"):
        Store.open("s3://bucket/other")
    with pytest.raises(
        DataError, match="there is no store at s3://nobucket/other: its bucket does not exist"
    ):
        Store.open("s3://nobucket/other")


def test_s3_asks_who_it_is(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto import settings

    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    with pytest.raises(
        DataError, match=r"s3://bucket/store/store.json may not be read with these credentials"
    ):
        Store.open("s3://bucket/store")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    type(s3).clear_instance_cache()
    with pytest.raises(DataError, match=r"s3://bucket/store/store.json .*credentials"):
        Store.open("s3://bucket/store")
