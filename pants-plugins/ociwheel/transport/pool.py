"""Connections by where they lead, kept open from one answer to the next request.

Specification: RFC 9112, 9.3 "Persistence". A registry is asked dozens of things, and over TLS each new
connection costs more than the answer.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ociwheel.transport.pace import Pace, response_class
from ociwheel.transport.urls import split_url

if TYPE_CHECKING:
    import ssl

_PORTS = {"http": 80, "https": 443}
# Bytes of an answer that nobody reads, up to which reading it costs less than another connection.
_REST = 1 << 16
# As blobs are read and written.
_BLOCK = 1 << 18


Context = Callable[["Way"], "ssl.SSLContext"]
"""Gives the certificates that a way trusts."""


@dataclass(frozen=True)
class Way:
    """How a server is reached; two requests that have the same may use one connection.

    :param scheme: of the URL, ``http`` or ``https``.
    :param host: the server's.
    :param proxy: the URL of one that stands between.
    :param trusted: its certificate is not checked.
    """

    scheme: str
    host: str
    port: int
    proxy: str | None
    trusted: bool

    @classmethod
    def to(cls, url: str, proxies: Mapping[str, str], *, trusted: bool) -> Way:
        """Return the way to a URL.

        :raises ValueError: it names no host.
        """
        parts = split_url(url)
        if not parts.hostname:
            raise ValueError("it names no host")
        return cls(
            parts.scheme,
            parts.hostname,
            parts.port or _PORTS[parts.scheme],
            proxy_of(url, proxies),
            trusted,
        )

    @property
    def url(self) -> str:
        """The server, for messages."""
        return f"{self.scheme}://{self.host}:{self.port}/"

    @property
    def tunnels(self) -> bool:
        """Whether the proxy is to pass bytes on without knowing what they are."""
        return self.proxy is not None and self.scheme == "https"

    def target(self, url: str) -> str:
        """Return what a request says that it wants (RFC 9112, 3.2): a path, or the whole URL for a proxy."""
        rest = url.partition("://")[2].partition("#")[0]
        netloc = split_url(url).netloc
        path = rest[len(netloc) :]
        path = path if path.startswith("/") else f"/{path}"
        return f"{self.scheme}://{netloc}{path}" if self.proxy and not self.tunnels else path

    @property
    def headers(self) -> dict[str, str]:
        """Headers that a proxy wants of each request."""
        return {} if self.tunnels else self._authorization()

    def connection(
        self,
        answers: type[http.client.HTTPResponse],
        timeout: float,
        context: Callable[[Way], ssl.SSLContext],
    ) -> http.client.HTTPConnection:
        """Return a connection; it is made when it is used.

        :param answers: the class of its answers.
        :param timeout: seconds without a byte.
        :param context: gives the certificates that a way trusts.
        """
        scheme, host, port = self.scheme, self.host, self.port
        if self.proxy:
            parts = split_url(self._proxy_url())
            scheme = scheme if self.tunnels else parts.scheme
            host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)
        made: http.client.HTTPConnection
        if scheme == "https":
            made = http.client.HTTPSConnection(
                host, port, timeout=timeout, context=context(self), blocksize=_BLOCK
            )
        else:
            made = http.client.HTTPConnection(host, port, timeout=timeout, blocksize=_BLOCK)
        if self.tunnels:
            made.set_tunnel(self.host, self.port, self._authorization())
        made.response_class = answers
        return made

    def _proxy_url(self) -> str:
        proxy = self.proxy or ""
        return proxy if "://" in proxy else f"{self.scheme}://{proxy}"

    def _authorization(self) -> dict[str, str]:
        parts = split_url(self._proxy_url()) if self.proxy else None
        if parts is None or not parts.username:
            return {}
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        return {"Proxy-Authorization": f"Basic {base64.b64encode(login.encode()).decode('ascii')}"}


def proxy_of(url: str, proxies: Mapping[str, str]) -> str | None:
    """Return the proxy for a URL, as curl and urllib choose it.

    :param proxies: by scheme; ``no``: names of hosts, and of domains, that go without, or ``*``.
    """
    parts = split_url(url)
    host, without = (parts.hostname or "").lower(), proxies.get("no", "")
    names = {name.strip().lstrip(".").lower() for name in without.split(",")} - {""}
    here = {host, f"{host}:{parts.port}"}
    if without.strip() == "*" or any(
        one in names or one.endswith(f".{name}") for one in here for name in names
    ):
        return None
    return proxies.get(parts.scheme) or None


class Pool:
    """Connections that nobody uses at the moment.

    :param pace: how slow an answer may be.
    :param timeout: seconds without a byte before a connection counts as dead.
    :param context: gives the certificates that a way trusts.
    """

    def __init__(self, pace: Pace, timeout: float, context: Context) -> None:
        self._answers = response_class(pace)
        self._timeout = timeout
        self._context = context
        self._idle: dict[Way, list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()

    def __del__(self) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.close()

    def take(self, way: Way) -> tuple[http.client.HTTPConnection, bool]:
        """Return a connection, and whether it was used before."""
        while True:
            with self._lock:
                idle = self._idle.get(way)
                connection = idle.pop() if idle else None
            if connection is None:
                return way.connection(self._answers, self._timeout, self._context), False
            if _is_quiet(connection):
                return connection, True
            connection.close()

    def give(
        self, way: Way, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse
    ) -> None:
        """Take a connection back whose answer nobody wants more of; it is kept if it can be used again."""
        if not answer.will_close:
            # http.client: `length` is what is left of the body, and None where only its end tells.
            with contextlib.suppress(OSError, http.client.HTTPException):
                if not answer.isclosed() and answer.length is not None and answer.length <= _REST:
                    answer.read()
            if answer.isclosed():
                with self._lock:
                    self._idle.setdefault(way, []).append(connection)
                return
        answer.close()
        connection.close()


def _is_quiet(connection: http.client.HTTPConnection) -> bool:
    """Tell whether nothing came since the last answer: what comes then is the end, or nothing to rely on."""
    if connection.sock is None:
        return False
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)
