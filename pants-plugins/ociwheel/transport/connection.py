"""One request to one URL: proxies, TLS, the pace of the answer. What it means is for others to say."""

from __future__ import annotations

import contextlib
import http.client
import io
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any

from ociwheel import __version__
from ociwheel.transport.failure import LONGEST_NUMBER, Failure, Kind, failure_of, reason_of
from ociwheel.transport.pool import Pool, Way, proxy_of
from ociwheel.transport.settings import NetworkSettings, host_of
from ociwheel.transport.urls import split_url
from ociwheel.wording import redact

MAX_PAGE = 64 << 20
"""Bytes of an index page: the largest there is has a fifth of that."""
MAX_FILE = 32 << 30
"""Bytes of a file whose size nobody knows."""

_SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)
_OWN_HEADERS = {"User-Agent": f"ociwheel/{__version__}", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Body:
    """What a request sends: bytes, or a file that is read again for each attempt."""

    source: bytes | Path
    size: int

    def open(self) -> IO[bytes]:
        """Return the content from its start."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


class Response:
    """An open answer: its URL, status, headers, and a body whose length is checked."""

    def __init__(self, url: str, raw: Any, done: Callable[[], None] | None = None) -> None:
        self.url = url
        self.status: int = raw.status
        self.headers: Message = raw.headers
        self._raw = raw
        self._done: Callable[[], None] | None = done or raw.close
        self.content_type: str = raw.headers.get("Content-Type", "")
        length = raw.headers.get("Content-Length", "")
        self.length = int(length) if length.isdecimal() and len(length) < LONGEST_NUMBER else None

    def close(self) -> None:
        """Let go of the connection, once."""
        done, self._done = self._done, None
        if done is not None:
            done()

    def chunks(self, size: int = 1 << 18, *, most: int = MAX_FILE) -> Iterator[bytes]:
        """Yield the body.

        :param most: bytes; where the body has more, the chunk that holds the next byte is the last.
        :raises Failure: it is shorter than announced, or slower than the settings allow.
        """
        done = 0
        while True:
            try:
                chunk = self._raw.read(size)
            except (OSError, http.client.HTTPException) as e:
                raise failure_of(self.url, e) from e
            if not chunk:
                break
            done += len(chunk)
            yield chunk
            if done > most:
                return
        if self.length is not None and done != self.length:
            answer = f"the connection ended after {done} of {self.length} bytes"
            raise Failure(Kind.UNREACHABLE, self.url, answer, retry_after=0)

    def read(self, most: int = MAX_PAGE, what: str = "page") -> bytes:
        """Return the whole body, of a page or a document.

        :raises Failure: it has more bytes than ``most``.
        """
        body = b"".join(self.chunks(most=most))
        if len(body) > most:
            raise Failure(Kind.ANSWER, self.url, f"a {what} of more than {most} bytes")
        return body


def tls_context(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return a context that trusts ``ca_bundle``, or without one what the machine trusts."""
    if ca_bundle is not None:
        folder = ca_bundle.is_dir()
        return ssl.create_default_context(
            cafile=None if folder else str(ca_bundle), capath=str(ca_bundle) if folder else None
        )
    context = ssl.create_default_context()
    # A Python that is content, or python.org's on macOS, has no certificates of its own.
    for bundle in _SYSTEM_BUNDLES:
        if not context.get_ca_certs() and bundle.is_file():
            with contextlib.suppress(ssl.SSLError, OSError):
                context.load_verify_locations(cafile=str(bundle))
    return context


class Connections:
    """Sends requests with the settings of this machine, over connections that are kept for the next one.

    :param settings: proxies, certificates, time limits.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._pool = Pool(settings.pace, settings.timeout, self._context)
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._reading = threading.Lock()

    def open(self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None) -> Response:
        """Send one request, without credentials of its own.

        :returns: the answer, whatever its status.
        :raises Failure: there is none.
        """
        if not url.startswith(("http://", "https://")):
            raise Failure(Kind.ANSWER, url, "is no URL of http or https")
        own = dict(_OWN_HEADERS)
        if body or method in ("PUT", "POST"):
            own["Content-Length"] = str(body.size if body else 0)
        if body:
            own["Content-Type"] = "application/octet-stream"
        # A transparent recompression would change the bytes that the hash is of.
        request = (method, url, {**own, **headers}, body)
        try:
            way = Way.to(url, self._settings.proxies, trusted=self._is_trusted(url))
            connection, answer = self._ask(way, *request)
        except (OSError, http.client.HTTPException, ValueError) as e:
            raise self._proxied(url, failure_of(url, e)) from e
        return Response(url, answer, lambda: self._pool.give(way, connection, answer))

    def _ask(
        self, way: Way, method: str, url: str, headers: Mapping[str, str], body: Body | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        while True:
            connection, kept = self._pool.take(way)
            try:
                with body.open() if body else contextlib.nullcontext() as stream:
                    connection.request(method, way.target(url), stream, {**way.headers, **headers})
                return connection, connection.getresponse()
            except BaseException as e:
                connection.close()
                # RFC 9112, 9.3.1: a server may end a connection that is kept at any time, also when a request
                # is under way to it. It then is sent again; what is sent here may be sent twice.
                if not (kept and isinstance(e, ConnectionError)):
                    raise

    def _is_trusted(self, url: str) -> bool:
        host = split_url(url).hostname or ""
        return bool({host, host_of(url)} & self._settings.trusted_hosts)

    def _context(self, way: Way) -> ssl.SSLContext:
        """Return what a way trusts. Reading a machine's certificates costs more than a small download."""
        # Threads that begin together want the same.
        with self._reading:
            if way.trusted not in self._contexts:
                self._contexts[way.trusted] = self._read_context(way)
            return self._contexts[way.trusted]

    def _read_context(self, way: Way) -> ssl.SSLContext:
        try:
            context = tls_context(self._settings.ca_bundle)
        except (OSError, ssl.SSLError) as e:
            answer = f"cannot read the CA bundle {self._settings.ca_bundle}: {reason_of(e)}"
            raise Failure(Kind.TLS, way.url, answer) from e
        if way.trusted:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _proxied(self, url: str, failure: Failure) -> Failure:
        """Return ``failure``, as one of the proxy when it was the proxy that could not be reached."""
        proxy = proxy_of(url, self._settings.proxies)
        if failure.kind is not Kind.UNREACHABLE or not proxy:
            return failure
        answer = f"{failure.answer} (through the proxy {redact(proxy)})"
        return Failure(Kind.PROXY, url, answer, retry_after=failure.retry_after)


def copy_chunks(chunks: Iterator[bytes], sink: IO[bytes], update: Callable[[bytes], None]) -> int:
    """Write ``chunks`` to ``sink``, give each to ``update`` (a hash), return the number of bytes."""
    size = 0
    for chunk in chunks:
        update(chunk)
        sink.write(chunk)
        size += len(chunk)
    return size
