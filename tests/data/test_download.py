"""Fetching from a server on this machine that is cut off, fails, and lies."""

from __future__ import annotations

import hashlib
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from hitrs.cli import data as command
from hitrs.cli.main import main
from hitrs.data.catalog.dataset import Download, Entry, content_sha256
from hitrs.data.catalog.registry import all_entries
from hitrs.data.download import fetch, unpack
from hitrs.errors import DataError

CONTENT = np.random.default_rng(0).bytes(200_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``content``; ``plan`` says what happens to the next requests."""

    content = CONTENT
    ranges = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan: list[str] = []
        self.starts: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/file.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        step = self.server.plan.pop(0) if self.server.plan else "all"
        wanted = self.headers.get("Range") if self.server.ranges else None
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.server.starts.append(start)
        if step.isdigit():
            self.send_error(int(step))
            return
        if start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: 50_000 if step == "cut" else None])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(server: Server, path: Path, sha256: str | None = DIGEST) -> list[float]:
    pauses: list[float] = []
    assert fetch(server.url, path, sha256, pause=pauses.append) == hashlib.sha256(server.content).hexdigest()
    assert path.read_bytes() == server.content
    assert not path.with_name(path.name + ".part").exists()
    return pauses


def test_at_once(server: Server, tmp_path: Path) -> None:
    assert get(server, tmp_path / "new" / "a.zip") == []


def test_it_goes_on_where_it_was_cut(server: Server, tmp_path: Path) -> None:
    server.plan = ["cut", "503", "cut"]
    assert get(server, tmp_path / "a.zip") == [1, 2, 4]
    assert server.starts == [0, 50_000, 50_000, 100_000]


def test_it_goes_on_after_a_kill(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:120_000])
    get(server, tmp_path / "a.zip")
    assert server.starts == [120_000]


def test_a_server_that_cannot_go_on(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:120_000])
    get(server, tmp_path / "a.zip")
    (tmp_path / "a.zip.part").write_bytes(CONTENT + b"more")
    server.ranges = True
    get(server, tmp_path / "a.zip")


def test_it_gives_up(server: Server, tmp_path: Path) -> None:
    server.plan = ["cut"] + ["500"] * 9
    with pytest.raises(DataError, match=r"in 5 tries \(500 .* What came so far is kept"):
        fetch(server.url, tmp_path / "a.zip", pause=lambda _: None)
    assert (tmp_path / "a.zip.part").stat().st_size == 50_000
    server.plan = ["404"]
    with pytest.raises(DataError, match="the server answers 404"):
        fetch(server.url, tmp_path / "b.zip", pause=lambda _: None)


def test_another_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"its SHA-256 is {DIGEST}, expected 00"):
        fetch(server.url, tmp_path / "a.zip", "00")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "C:\\evil.txt", "..\\evil"])
def test_members_that_would_lie_elsewhere(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good.txt", "x")
        archive.writestr(name, "x")
    with pytest.raises(DataError, match="outside of it"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    (tmp_path / "a.zip").write_bytes(b"PK damaged")
    with pytest.raises(DataError, match="not a zip archive"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    shown = capsys.readouterr().out
    for entry in all_entries().values():
        assert f"{entry.name}: {entry.title}" in shown
        assert all(f"protocol    {name}:" in shown for name in entry.protocols)
    assert "folder: your own recordings" in shown
    assert main(["data", "list", "folder"]) == 0
    assert "by-subject: the subjects that --test-subjects names test" in capsys.readouterr().out
    assert main(["data", "list", "ntu6"]) == 1
    assert "did you mean 'ntu60'" in capsys.readouterr().err


def test_fetch_command(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = all_entries()["precog"]
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
        archive.writestr("precog_dataset_16-1ff2c9d/Dataset/CSV/Seq1_1.csv", "HipCenter; Spine")
    server.content = (tmp_path / "made.zip").read_bytes()
    here = Download(server.url, None, "MIT")
    monkeypatch.setattr(command, "get_entry", lambda name: type(entry)(**{**vars(entry), "download": here}))
    assert main(["data", "fetch", "precog", str(tmp_path / "got")]) == 0
    shown = capsys.readouterr().out
    assert f"sha256      {hashlib.sha256(server.content).hexdigest()}" in shown
    assert (tmp_path / "got" / "precog_dataset_16-1ff2c9d" / "Dataset" / "CSV" / "Seq1_1.csv").exists()
    assert main(["data", "fetch", "precog", str(tmp_path / "got")]) == 1
    assert "is not empty" in capsys.readouterr().err
    expected = content_sha256(entry.find(tmp_path / "got"))
    for content, code in ((expected, 0), ("0" * 64, 1)):
        here = Download(server.url, None, "MIT", content=content)
        assert main(["data", "fetch", "precog", str(tmp_path / content)]) == code
        said = capsys.readouterr()
        assert ("the files in it are the expected ones" in said.out) == (code == 0)
        assert ("are not those of precog that hitrs knows" in said.err) == (code == 1)
    monkeypatch.undo()
    assert main(["data", "fetch", "nw-ucla", str(tmp_path / "no")]) == 1
    assert "no open direct link" in capsys.readouterr().err
    assert main(["data", "fetch", "precog"]) == 1


@pytest.mark.parametrize("entry", [e for e in all_entries().values() if e.download], ids=lambda e: e.name)
def test_what_is_fetched_cannot_change(entry: Entry) -> None:
    assert entry.download is not None
    assert entry.download.sha256 or entry.download.content
    assert not re.search(r"/(HEAD|main|master)\b", entry.download.url)


def test_the_expected_files_of_precog_are_those_at_hand(hitrs_data: Callable[[str], Path]) -> None:
    folder = hitrs_data("precog2016")
    entry = all_entries()["precog"]
    assert entry.download is not None
    assert content_sha256(entry.find(folder)) == entry.download.content
