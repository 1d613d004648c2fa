"""Who gets to the addresses: the right name, the own page or a program, and the token where it is needed."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from hitrs.viz.show.access import Access, split_token

_HEADERS = {
    "Cache-Control": "no-store",
    "Connection": "close",  # so that the time limit of a request's head holds for each
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Stands before an application; what gets through has ``scope["state"]["trusted"]``: with the token.

    Args:
        private: nothing is answered without the token; otherwise programs of this machine may compute.
    """

    def __init__(self, app: ASGIApp, access: Access, *, private: bool) -> None:
        self._app, self._access, self._private = app, access, private

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "http":
            send = _with_headers(send)
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).send_denial_response(refusal)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        names, origins = headers.getlist("host"), headers.getlist("origin")
        if len(names) != 1 or not self._access.is_named(names[0]):
            return refused(403, "this server is asked under another name than its own; --name adds one")
        if len(origins) > 1 or not self._access.is_own_origin(origins[0] if origins else None):
            return refused(403, "this server answers its own page and programs, no other site")
        first, rest = split_token(scope["path"])
        trusted = self._access.has_token(first)
        if trusted and scope["path"] == f"/{first}":  # what the page asks for would lack the token
            return refused(404, "the address of the page ends in /")
        if trusted:
            scope["path"] = f"/{rest}"
        elif given := headers.get("authorization"):
            kind, _, token = given.partition(" ")
            trusted = kind.lower() == "bearer" and self._access.has_token(token.strip())
            if not trusted:
                return refused(401, "this is not the token of this server")
        if self._private and not trusted:
            return refused(
                401,
                "the token is missing: use the address that hitrs serve printed, or `Authorization: Bearer`",
            )
        scope.setdefault("state", {})["trusted"] = trusted
        return None


def refused(status: int, why: str) -> JSONResponse:
    """An answer that says why there is none."""
    headers = (
        {"WWW-Authenticate": "Bearer"} if status == 401 else {"Retry-After": "5"} if status == 503 else {}
    )
    return JSONResponse({"error": why}, status, headers)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return sending
