"""The served page: for this machine, with its token, a page of rows at a time."""

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from factories import small_store
from hitrs.viz.show import Gallery, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = small_store(tmp_path_factory.mktemp("server") / "store")
    with Server(Gallery("all", [(store, range(len(store)))])) as running:
        thread = threading.Thread(target=running.run)
        thread.start()
        yield running
        running.stop()
        thread.join()


def get(server: Server, what: str = "", *, token: str | None = None, method: str = "GET", **headers: str):
    """Status, headers and body of an answer."""
    address = urlsplit(server.url)
    assert address.hostname == "127.0.0.1"
    assert address.port is not None
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.request(method, (address.path if token is None else f"/{token}/") + what, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.headers), body


def test_the_page_holds_no_recording_and_asks_for_them(server: Server) -> None:
    status, headers, body = get(server)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Referrer-Policy"] == "no-referrer"  # the token goes nowhere
    assert headers["Cache-Control"] == "no-store"
    assert "connect-src 'self'" in body
    assert "recording-0" not in body


def test_rows_come_by_pages_and_drawings_one_by_one(server: Server) -> None:
    status, _, body = get(server, "rows?" + urlencode({"offset": 10, "count": 50}))
    assert status == 200
    assert json.loads(body)["total"] == 12
    assert [row["name"] for row in json.loads(body)["rows"]] == ["recording-10", "recording-11"]
    found = json.loads(get(server, "rows?" + urlencode({"label": "nod", "text": "-7"}))[2])
    assert [row["id"] for row in found["rows"]] == [7]
    drawing = json.loads(get(server, "drawing?id=7")[2])
    assert (drawing["name"], drawing["id"]) == ("recording-7", 7)


@pytest.mark.parametrize("token", ["", "x", "..", "%2e%2e"])
def test_without_the_token_nothing_is_answered(server: Server, token: str) -> None:
    status, _, body = get(server, "rows", token=token)
    assert status == 404
    assert "recording-" not in body


@pytest.mark.parametrize("host", ["example.org", "example.org:80", "127.0.0.1", "127.0.0.1:1", ""])
def test_another_host_is_refused(server: Server, host: str) -> None:
    status, _, body = get(server, "rows", Host=host)
    assert status == 403
    assert "recording-" not in body


def test_localhost_is_this_machine(server: Server) -> None:
    assert get(server, "rows", Host=f"localhost:{urlsplit(server.url).port}")[0] == 200


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("drawing?id=12", 404),
        ("drawing?id=-1", 404),
        ("drawing?id=x", 400),
        ("drawing", 400),
        ("rows?offset=x", 400),
        ("../store/store.json", 404),
        ("show.js", 404),
    ],
)
def test_what_there_is_not(server: Server, what: str, status: int) -> None:
    answered, _, body = get(server, what)
    assert answered == status
    assert json.loads(body)["error"]


def test_nothing_can_be_written(server: Server) -> None:
    assert get(server, "rows", method="POST")[0] == 501


def test_each_server_has_a_token_of_its_own(server: Server, tmp_path: Path) -> None:
    store = small_store(tmp_path / "store", count=1)
    with Server(Gallery("one", [(store, [0])])) as other:
        mine, its = urlsplit(server.url).path, urlsplit(other.url).path
        assert mine != its
        assert len(mine) > 20
