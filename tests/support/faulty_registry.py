"""A proxy before a registry that does what networks and registries do on a bad day."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True)
class Asked:
    """A request that came to the proxy: the how manyth of all, and of its method and path."""

    number: int
    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_upload(self) -> bool:
        """Whether it sends a blob."""
        return self.method == "PUT" and "/blobs/uploads/" in self.path


@dataclass(frozen=True)
class Instead:
    """What the proxy does instead of passing a request on."""

    status: int | None = None
    """Answer that; ``None`` breaks the connection."""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Fault = Callable[[Asked], "Instead | bytes | None"]
"""Decides on a request: ``None`` passes it on, bytes pass it on with that body."""


def every_third(asked: Asked) -> Instead | None:
    """Answer 500 to one of each three requests.

    Not always to the last of them: an attempt at a blob is three requests, and would never be lucky.
    """
    return Instead(500) if asked.number % 3 == asked.number // 3 % 3 else None


@dataclass
class FirstUploads:
    """Damages the first ``count`` uploads, in the way that ``damage`` says."""

    damage: Callable[[Asked], Instead | bytes]
    count: int = 2
    _done: int = 0

    def __call__(self, asked: Asked) -> Instead | bytes | None:
        """Decide."""
        if asked.is_upload and self._done < self.count:
            self._done += 1
            return self.damage(asked)
        return None


def truncated(asked: Asked) -> bytes:
    """Let only the first half of the body through."""
    return asked.body[: len(asked.body) // 2]


def denied(asked: Asked) -> Instead | None:
    """Refuse to write, as a registry does that knows the user but not their right."""
    if asked.method in ("POST", "PUT", "PATCH"):
        body = b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}'
        return Instead(403, body)
    return None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        decision = self.server.decide(self.command, self.path, body, dict(self.headers))
        if isinstance(decision, Instead):
            self._answer_instead(decision)
        else:
            self._pass_on(body if decision is None else decision)

    def _answer_instead(self, instead: Instead) -> None:
        self.close_connection = True
        if instead.status is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._answer(instead.status, instead.headers, instead.body)

    def _pass_on(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.registry, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        with contextlib.closing(upstream):
            # The registry builds its upload URLs from the Host that the client named: the proxy.
            upstream.request(self.command, self.path, body=body or None, headers=headers)
            answer = upstream.getresponse()
            found = answer.read()
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP}
        if self.command == "HEAD" and (length := answer.getheader("Content-Length")):
            kept["Content-Length"] = length
        self._answer(answer.status, kept, found)

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = _handle  # noqa: N815 (names of http.server)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, registry: int, fault: Fault) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.registry = registry
        self._fault = fault
        self._lock = threading.Lock()
        self._count = 0

    def decide(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Instead | bytes | None:
        with self._lock:
            self._count += 1
            asked = Asked(self._count, method, path, body, headers)
        return self._fault(asked)

    def handle_error(self, *_args: object) -> None:
        """Say nothing: clients that are killed break their connections."""


@contextlib.contextmanager
def faulty(port: int, fault: Fault) -> Iterator[str]:
    """Give the address of a proxy before the registry on a port of the loopback interface."""
    server = _Server(port, fault)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def retry_later(times: int, seconds: str = "0") -> Fault:
    """Answer 429 with ``Retry-After`` to the first requests."""

    def fault(asked: Asked) -> Instead | None:
        return Instead(429, headers={"Retry-After": seconds}) if asked.number <= times else None

    return fault


def break_tag(asked: Asked) -> Instead | None:
    """Break the connection when a tag would move."""
    moves = asked.method == "PUT" and re.search(r"/manifests/(?!sha256:)", asked.path)
    return Instead() if moves else None
