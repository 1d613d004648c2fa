"""The page of more recordings than a file can hold, for the browser of this machine alone.

It listens on the loopback address, answers only who knows the token in its address, and only under the names
of this machine: a page from elsewhere that has a name of its own resolved to this machine is refused.
"""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hitrs.errors import HitrsError
from hitrs.viz.show.access import LOOPBACK, Access, hosts, new_token, split_token
from hitrs.viz.show.gallery import Gallery, Query
from hitrs.viz.show.page import served_page

_MOST_ROWS = 200
"""Of one answer."""


class Server:
    """Serves a gallery at ``url`` between ``with`` and the end of the block, while ``run`` runs.

    >>> with Server(gallery) as server:
    ...     print(server.url)
    ...     server.run()  # until it is interrupted

    Args:
        beside: so many recordings stand side by side when the page is opened.
    """

    def __init__(self, gallery: Gallery, beside: int = 1) -> None:
        self._gallery, self._page = gallery, served_page(gallery, beside)
        self._lock = Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._access = Access(new_token(), hosts(LOOPBACK, self._http.server_port))

    @property
    def url(self) -> str:
        """With the token, without which nothing is answered."""
        return f"http://127.0.0.1:{self._http.server_port}/{self._access.token}/"

    def run(self) -> None:
        """Answer until ``stop`` is called in another thread, or an exception comes (KeyboardInterrupt)."""
        self._http.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        """Let ``run`` end."""
        self._http.shutdown()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.server_close()

    def answer(self, host: str | None, target: str) -> tuple[HTTPStatus, str, str]:
        """Status, type and text of the answer to a request.

        Args:
            host: the header of that name.
            target: path and query.
        """
        if not self._access.is_named(host):
            return _refusal(HTTPStatus.FORBIDDEN, "this page is for the browser of the machine it runs on")
        address = urlsplit(target)
        token, what = split_token(address.path)
        if not self._access.has_token(token):
            return _refusal(HTTPStatus.NOT_FOUND, "use the whole address that hitrs show printed")
        asked = {name: values[-1] for name, values in parse_qs(address.query).items()}
        with self._lock:  # models and stores are used by one at a time
            try:
                return self._found(what, asked)
            except ValueError:
                return _refusal(HTTPStatus.BAD_REQUEST, "offset, count and id are whole numbers")
            except IndexError as error:
                return _refusal(HTTPStatus.NOT_FOUND, str(error))
            except HitrsError as error:  # the store was damaged meanwhile, say
                return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    def _found(self, what: str, asked: dict[str, str]) -> tuple[HTTPStatus, str, str]:
        if what == "":
            return HTTPStatus.OK, "text/html", self._page
        if what == "rows":
            texts = {name: asked.get(name, "") for name in ("text", "label", "subject", "answer")}
            offset, count = max(0, int(asked.get("offset", 0))), int(asked.get("count", 50))
            total, rows = self._gallery.find(Query(**texts), offset, min(max(0, count), _MOST_ROWS))
            return _json({"total": total, "rows": rows})
        if what == "drawing":
            return _json(self._gallery.drawing(int(asked.get("id", ""))))
        return _refusal(HTTPStatus.NOT_FOUND, f"there is no {what}")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, server_version, sys_version = "HTTP/1.1", "hitrs", ""
            timeout = 60  # of a connection that says nothing

            def do_GET(self) -> None:
                status, kind, text = server.answer(self.headers.get("Host"), self.path)
                body = text.encode()
                with suppress(ConnectionError):  # the browser does not want it any more
                    self.send_response(status)
                    self.send_header("Content-Type", f"{kind}; charset=utf-8")
                    self.send_header("Content-Length", str(len(body)))
                    self.send_header("Cache-Control", "no-store")
                    self.send_header("Cross-Origin-Resource-Policy", "same-origin")
                    self.send_header("Referrer-Policy", "no-referrer")
                    self.send_header("X-Content-Type-Options", "nosniff")
                    self.send_header("X-Frame-Options", "DENY")
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        return Handler


def _json(values: Any) -> tuple[HTTPStatus, str, str]:
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return HTTPStatus.OK, "application/json", text


def _refusal(status: HTTPStatus, why: str) -> tuple[HTTPStatus, str, str]:
    return status, "application/json", json.dumps({"error": why})
