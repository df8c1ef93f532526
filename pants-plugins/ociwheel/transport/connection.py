"""One request to one URL: proxies, TLS, the pace of the answer. What it means is for others to say."""

from __future__ import annotations

import contextlib
import http.client
import io
import ssl
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any

from ociwheel import __version__
from ociwheel.transport import pace
from ociwheel.transport.failure import LONGEST_NUMBER, Failure, Kind, failure_of, reason_of
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

    def __init__(self, url: str, raw: Any) -> None:
        self.url = url
        self.status: int = raw.status
        self.headers: Message = raw.headers
        self._raw = raw
        self.close: Callable[[], None] = raw.close
        self.content_type: str = raw.headers.get("Content-Type", "")
        length = raw.headers.get("Content-Length", "")
        self.length = int(length) if length.isdecimal() and len(length) < LONGEST_NUMBER else None

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


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Leaves every answer to us, redirects too: urllib's own handlers may fail with the answer open."""

    def http_response(self, request: Any, response: Any) -> Any:  # noqa: ARG002 (urllib's own signature)
        return response

    def https_response(self, request: Any, response: Any) -> Any:  # noqa: ARG002 (likewise)
        return response


class _Proxies(urllib.request.ProxyHandler):
    """Uses the settings' ``no`` list; urllib's own handler only looks at the environment."""

    def __init__(self, proxies: Mapping[str, str]) -> None:
        super().__init__({k: v for k, v in proxies.items() if k in ("http", "https")})
        self._all = dict(proxies)

    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> Any:  # noqa: A002
        host = req.host or ""
        if urllib.request.proxy_bypass_environment(host, self._all):  # type: ignore[attr-defined]
            return None
        return super().proxy_open(req, proxy, type)


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


def _trust_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Connections:
    """Sends requests with the settings of this machine.

    :param settings: proxies, certificates, time limits.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._openers: dict[tuple[bool, bool], urllib.request.OpenerDirector] = {}

    def open(self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None) -> Response:
        """Send one request, without credentials of its own.

        :returns: the answer, whatever its status.
        :raises Failure: there is none.
        """
        if not url.startswith(("http://", "https://")):
            raise Failure(Kind.ANSWER, url, "is no URL of http or https")
        with body.open() if body else contextlib.nullcontext() as stream:
            try:
                request = urllib.request.Request(url, data=stream, method=method)  # noqa: S310 (checked above)
                if body or method in ("PUT", "POST"):
                    request.add_header("Content-Length", str(body.size if body else 0))
                    request.add_header("Content-Type", "application/octet-stream")
                # A transparent recompression would change the bytes that the hash is of.
                for name, value in {**_OWN_HEADERS, **headers}.items():
                    request.add_header(name, value)
                return Response(url, self._opener(url).open(request, timeout=self._settings.timeout))
            except (OSError, http.client.HTTPException, ValueError) as e:
                raise self._proxied(url, failure_of(url, e)) from e

    def _opener(self, url: str) -> urllib.request.OpenerDirector:
        host = split_url(url).hostname or ""
        trusted = bool({host, host_of(url)} & self._settings.trusted_hosts)
        # Reading a machine's certificates costs more than a small download, so it is done for TLS alone.
        secure = any(each.startswith("https:") for each in (url, *self._settings.proxies.values()))
        if (trusted, secure) not in self._openers:
            try:
                context = tls_context(self._settings.ca_bundle) if secure else _trust_nobody()
            except (OSError, ssl.SSLError) as e:
                answer = f"cannot read the CA bundle {self._settings.ca_bundle}: {reason_of(e)}"
                raise Failure(Kind.TLS, url, answer) from e
            if trusted:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._openers[trusted, secure] = urllib.request.build_opener(
                _Proxies(self._settings.proxies),
                *pace.handlers(context, self._settings.pace),
                _AnyStatus(),
            )
        return self._openers[trusted, secure]

    def _proxied(self, url: str, failure: Failure) -> Failure:
        """Return ``failure``, as one of the proxy when it was the proxy that could not be reached."""
        proxy = self._settings.proxies.get(split_url(url).scheme)
        bypass = urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined]
            host_of(url), dict(self._settings.proxies)
        )
        if failure.kind is not Kind.UNREACHABLE or not proxy or bypass:
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
