"""The listening side: an address, uvicorn with its limits, and an end that is clean."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from hitrs.errors import ConfigError
from hitrs.serve.app import make_app
from hitrs.serve.service import Service
from hitrs.viz.show.access import LOOPBACK, Access, hosts, new_token

TOKEN = "HITRS_TOKEN"
"""Environment variable that holds the token, where it is to be the same at each start."""
_SHORTEST_TOKEN = 16
_HEAD = 10.0
"""Seconds until the head of a request is there."""
_LARGEST_MESSAGE = 1 << 20
_ALIVE = 20.0
"""Seconds between two pings of a websocket, and until one is answered."""
_CONNECTIONS = 256
"""At once, of which each live client is one."""
_BACKLOG = 256
_GOODBYE = 3
"""Seconds that requests have to end in."""


@dataclass(frozen=True)
class Address:
    """Where to listen, and under which names.

    Raises:
        ConfigError: for a certificate without its key, or the other way round.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    """0: one that is free."""
    names: tuple[str, ...] = ()
    """Further names under which this machine is reached."""
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("--certificate and --key belong together")
        if not 0 <= self.port < 65536:
            raise ConfigError(f"--port must be from 0 to 65535, got {self.port}")
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise ConfigError(f"there is no file {path}")

    @property
    def private(self) -> bool:
        """Whether other machines reach it."""
        return self.host not in ("127.0.0.1", "localhost", "::1")


class Listener:
    """A service at an address.

    >>> with Listener(service, Address()) as listener:
    ...     print(listener.url)
    ...     listener.run()  # until SIGINT, SIGTERM, or ``stop`` in another thread

    Raises:
        ConfigError: if the address cannot be listened at, or the token of the environment is too short.
    """

    def __init__(self, service: Service, address: Address) -> None:
        self._address = address
        token = os.environ.get(TOKEN) or new_token()
        if (
            len(token) < _SHORTEST_TOKEN
            or not token.isascii()
            or not token.replace("-", "").replace("_", "").isalnum()
        ):
            raise ConfigError(f"{TOKEN} must be at least {_SHORTEST_TOKEN} letters, digits, - and _")
        self._socket = _bound(address.host, address.port)
        self.port: int = self._socket.getsockname()[1]
        secure = address.certificate is not None
        names = hosts(_names(address), self.port, 443 if secure else 80)
        # a proxy that forwards a name serves it at a port of its own
        self._access = Access(token, [*names, *address.names])
        for name in ("uvicorn", "uvicorn.error", "websockets"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what strangers send is no news
        config = uvicorn.Config(
            make_app(service, self._access, private=address.private),
            http=_Protocol,
            ws=_WebSocket,
            ws_max_size=_LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            ws_ping_interval=_ALIVE,
            ws_ping_timeout=_ALIVE,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_GOODBYE,
            ssl_certfile=address.certificate,
            ssl_keyfile=None if address.key is None else str(address.key),
        )
        try:
            config.load()
        except OSError as error:  # what is no certificate, or not that of the key
            self._socket.close()
            raise ConfigError(f"cannot use {address.certificate} with {address.key}: {error}") from error
        self._server = uvicorn.Server(config)

    @property
    def url(self) -> str:
        """Of the page, with the token."""
        address = self._address
        scheme = "http" if address.certificate is None else "https"
        host = address.names[0] if address.names else address.host
        if host in ("0.0.0.0", "::"):
            host = next(
                (name for name in _names(address) if name not in LOOPBACK and "." in name), "127.0.0.1"
            )
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}:{self.port}/{self._access.token}/"

    def run(self) -> None:
        """Answer until a signal comes, or ``stop`` is called."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let ``run`` end."""
        self._server.should_exit = True

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *error: Any) -> None:
        self._socket.close()


class _Protocol(H11Protocol):
    """HTTP whose requests must begin in time; each answer closes its connection (``guard``)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.call_later(_HEAD, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._deadline.cancel()
        super().handle_websocket_upgrade(event)

    def _give_up(self) -> None:
        if self.cycle is None:
            self.transport.abort()


class _WebSocket(WebSocketsSansIOProtocol):
    """A websocket that ends also where the other side takes nothing: a close waits for what is to be sent."""

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self.loop.call_later(_GOODBYE, self.transport.abort)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere it would let two programs share the port
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(_BACKLOG)  # who comes before the event loop runs waits for it
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} is in use; name another one, or --port 0 for any") from error
        raise ConfigError(f"cannot listen at {host}:{port}: {error.strerror or error}") from error
    return made


def _names(address: Address) -> Sequence[str]:
    """Names of this machine: for itself; and for others its addresses, its own name, and what is given."""
    names = [*LOOPBACK, *address.names]
    if address.private:
        found = [each.address for nets in psutil.net_if_addrs().values() for each in nets]
        own = socket.gethostname().lower()
        names += [address.host, own, f"{own}.local", socket.getfqdn().lower()]
        names += [each for each in found if each.count(".") == 3]
        names += [f"[{each.partition('%')[0]}]" for each in found if ":" in each and "." not in each]
    return list(dict.fromkeys(names))
