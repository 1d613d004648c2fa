"""Who may ask a server of this machine: under its own names, and with the token that stands in the address.

Any web site that somebody visits can send requests to a port of the own machine, and have a name of its own
resolved to it; its browser tells the name (``Host``) and the site (``Origin``), which are compared here.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine for itself."""


def new_token() -> str:
    """A token that nobody guesses, as part of an address."""
    return secrets.token_urlsafe(16)


class Access:
    """The names and the token of a server.

    >>> access = Access(new_token(), hosts(LOOPBACK, 8000))
    >>> access.is_named("127.0.0.1:8000"), access.is_named("example.org")
    (True, False)

    Args:
        hosts: names with their port, as a browser's header ``Host`` has them.
    """

    def __init__(self, token: str, hosts: Iterable[str]) -> None:
        self.token, self._hosts = token, frozenset(hosts)

    def is_named(self, host: str | None) -> bool:
        """Whether it is asked under one of its names."""
        return host is not None and host.lower() in self._hosts

    def is_own_origin(self, origin: str | None) -> bool:
        """Whether a request comes from its own page, or from no page at all (a program)."""
        if origin is None:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and self.is_named(parts.netloc)

    def has_token(self, token: str) -> bool:
        """Whether this is the token; how long that takes tells nothing of it."""
        return hmac.compare_digest(token.encode(errors="replace"), self.token.encode())


def split_token(path: str) -> tuple[str, str]:
    """(first part, the rest) of the path of an address: the token stands first."""
    first, _, rest = path.removeprefix("/").partition("/")
    return first, rest


def hosts(names: Iterable[str], port: int, usual: int = 80) -> list[str]:
    """Names as the header ``Host`` has them, which leaves out the usual port of its scheme."""
    return [host for name in names for host in ([f"{name}:{port}"] + [name] * (port == usual))]
