"""A server in a thread of its own, and its clients."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from websockets.sync.client import connect

from hitrs.serve import Address, Listener, Service


class Served:
    """A server that runs."""

    def __init__(self, listener: Listener) -> None:
        address = urlsplit(listener.url)
        self.listener, self.url, self.port = listener, listener.url, listener.port
        self.token = address.path.strip("/")

    def ask(
        self,
        what: str,
        body: bytes | None = None,
        method: str = "",
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> tuple[int, Any]:
        """Status and JSON (or text) of an answer; a body makes it a POST."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        target = f"/{what}" + (f"?{urlencode(query)}" if query else "")
        connection.request(method or ("GET" if body is None else "POST"), target, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        self.headers = dict(answer.headers)
        return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text

    def raw(self) -> socket.socket:
        """A connection that has said nothing yet."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        made.settimeout(60)
        return made

    def live(self, trusted: bool = False, **options: Any):
        """A websocket."""
        place = f"{self.token}/live" if trusted else "live"
        return connect(f"ws://127.0.0.1:{self.port}/{place}", compression=None, **options)


@contextmanager
def serving(service: Service, address: Address | None = None) -> Iterator[Served]:
    with Listener(service, address or Address(port=0)) as listener:
        thread = threading.Thread(target=listener.run)
        thread.start()
        try:
            yield Served(listener)
        finally:
            listener.stop()
            thread.join(60)
            assert not thread.is_alive()


def heard(live: Any) -> dict[str, Any]:
    """The next message."""
    return json.loads(live.recv(timeout=60))


def say(live: Any, kind: str, **values: Any) -> None:
    live.send(json.dumps({"type": kind, **values}))


def begin(live: Any, **values: Any) -> dict[str, Any]:
    """Say hello, and what is answered."""
    say(live, "start", **values)
    return heard(live)
