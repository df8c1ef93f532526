"""The one door to the network: GET over http(s), with retries, redirects and credentials.

Standard library only, because it fetches the libraries that everything else uses. A request that
fails raises a :class:`Failure`, which says what kind of failure it was; the callers know what it
means for the user.
"""

from __future__ import annotations

import contextlib
import enum
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

from ociwheel import __version__
from ociwheel.notes import note
from ociwheel.transport import pace
from ociwheel.transport.credentials import Credentials, Login, basic, split_userinfo
from ociwheel.transport.pace import TooSlowError
from ociwheel.transport.settings import NetworkSettings, host_of
from ociwheel.transport.urls import join_url, split_url
from ociwheel.wording import quoted, redact, shown

ATTEMPTS = 5
BACKOFF = 0.5
"""Seconds before the second attempt; doubled before each further one."""
RETRY_AFTER_CAP = 30.0
"""Seconds: a server that asks for a longer pause is not obeyed, a build waits for us."""
MAX_REDIRECTS = 10
MAX_PAGE = 64 << 20
"""Bytes of an index page: the largest there is has a fifth of that."""
MAX_FILE = 32 << 30
"""Bytes of a file whose size nobody knows."""

_LONGEST_NUMBER = 18
"""Digits of a number in a header: more is no size, and Python refuses to read thousands."""
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)


class Kind(enum.Enum):
    """What went wrong, as far as the user's next step depends on it."""

    NOT_FOUND = "not found"
    CREDENTIALS = "credentials"
    TLS = "tls"
    PROXY = "proxy"
    UNREACHABLE = "unreachable"
    SERVER = "server"
    ANSWER = "answer"


class Failure(Exception):  # noqa: N818 (one answer of one place; the error the user reads is made of many)
    """A place that was asked and did not give: its URL, the kind, and its answer in words."""

    def __init__(self, kind: Kind, url: str, answer: str, *, retry_after: float | None = None) -> None:
        self.kind = kind
        self.url = shown(split_userinfo(url)[0])
        self.answer = shown(answer)
        self.retry_after = retry_after
        """Seconds to wait before another attempt, or None when another attempt is useless."""
        super().__init__(f"{self.url}: {self.answer}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to us: urllib's own handler may fail at where one leads, with the answer open."""

    def http_error_302(self, *_args: Any, **_kwargs: Any) -> None:
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


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


class Response:
    """An open answer: its final URL, headers, and a body whose length is checked."""

    def __init__(self, url: str, raw: Any) -> None:
        self.url = url
        self._raw = raw
        self.close: Callable[[], None] = raw.close
        self.content_type: str = raw.headers.get("Content-Type", "")
        length = raw.headers.get("Content-Length", "")
        self.length = int(length) if length.isdecimal() and len(length) < _LONGEST_NUMBER else None

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


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        return _reason(inner)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _tls_failure(url: str, error: ssl.SSLError) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(Kind.TLS, url, f"its certificate is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failure(Kind.UNREACHABLE, url, "the TLS connection broke", retry_after=0)
    return Failure(Kind.TLS, url, f"TLS failed: {_reason(error)}")


def _late(url: str, error: Exception) -> Failure:
    if isinstance(error, TooSlowError):
        retry = None if error.endless else 0.0
        return Failure(Kind.UNREACHABLE, url, f"too slow: {error}", retry_after=retry)
    return Failure(Kind.UNREACHABLE, url, "no answer in time", retry_after=0)


def failure_of(url: str, error: Exception) -> Failure:
    """Return what an exception of urllib, ssl or a socket means."""
    inner: Any = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, ssl.SSLError) and "timed out" not in str(inner):
        return _tls_failure(url, inner)
    if isinstance(inner, OSError) and "Tunnel connection failed" in str(inner):
        return Failure(Kind.PROXY, url, f"the proxy refused: {inner}")
    if isinstance(inner, TimeoutError) or "timed out" in str(inner):
        return _late(url, inner)
    if isinstance(inner, socket.gaierror):
        retry = 0.0 if inner.errno == socket.EAI_AGAIN else None
        return Failure(Kind.UNREACHABLE, url, "its host name has no address", retry_after=retry)
    if isinstance(inner, http.client.InvalidURL | ValueError | UnicodeError):
        return Failure(Kind.ANSWER, url, f"is no usable URL: {_reason(inner)}")
    answer = f"the connection failed: {_reason(inner)}"
    return Failure(Kind.UNREACHABLE, url, answer, retry_after=0)


def _retry_after(value: str | None) -> float:
    """Return the pause a server asks for in seconds (RFC 9110 10.2.3: seconds or a date)."""
    if not value:
        return 0.0
    if value.strip().isdecimal():
        return min(float(value.strip()[:_LONGEST_NUMBER]), RETRY_AFTER_CAP)
    try:
        wanted = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(wanted, 0.0), RETRY_AFTER_CAP)


def status_failure(url: str, error: urllib.error.HTTPError) -> Failure:
    """Return what a status that is no success means."""
    code = error.code
    phrase = HTTPStatus(code).phrase if code in HTTPStatus.__members__.values() else ""
    answer = f"answered {code} {phrase}".rstrip()
    if code in (404, 410):
        return Failure(Kind.NOT_FOUND, url, answer)
    if code in (401, 403):
        return Failure(Kind.CREDENTIALS, url, answer)
    if code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return Failure(Kind.PROXY, url, answer)
    retry = _retry_after(error.headers.get("Retry-After")) if code in _RETRIED else None
    return Failure(Kind.SERVER, url, answer, retry_after=retry)


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


class Network:
    """Opens URLs with the settings of this machine.

    :param settings: proxies, certificates, credentials, time limits.
    :param sleep: how to wait between attempts, seconds.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        credentials: Credentials | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._credentials = credentials or Credentials.of(settings)
        self._sleep = sleep
        self._openers: dict[tuple[bool, bool], urllib.request.OpenerDirector] = {}

    def _opener(self, url: str) -> urllib.request.OpenerDirector:
        host = split_url(url).hostname or ""
        trusted = bool({host, host_of(url)} & self._settings.trusted_hosts)
        # Reading a machine's certificates costs more than a small download, so it is done for TLS alone.
        secure = any(each.startswith("https:") for each in (url, *self._settings.proxies.values()))
        if (trusted, secure) not in self._openers:
            try:
                context = tls_context(self._settings.ca_bundle) if secure else _trust_nobody()
            except (OSError, ssl.SSLError) as e:
                answer = f"cannot read the CA bundle {self._settings.ca_bundle}: {_reason(e)}"
                raise Failure(Kind.TLS, url, answer) from e
            if trusted:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._openers[trusted, secure] = urllib.request.build_opener(
                _Proxies(self._settings.proxies),
                *pace.handlers(context, self._settings.pace),
                _NoRedirect(),
            )
        return self._openers[trusted, secure]

    def _request(self, url: str, headers: Mapping[str, str], login: Login | None) -> Any:
        clean = split_userinfo(url)[0]
        if not clean.startswith(("http://", "https://")):
            raise Failure(Kind.ANSWER, url, "is no URL of http or https")
        request = urllib.request.Request(clean, headers=dict(headers))  # noqa: S310 (checked above)
        request.add_header("User-Agent", f"ociwheel/{__version__}")
        # A transparent recompression would change the bytes that the hash is of.
        request.add_header("Accept-Encoding", "identity")
        if login:
            request.add_unredirected_header("Authorization", basic(login))
        return self._opener(url).open(request, timeout=self._settings.timeout)

    def _follow(self, url: str, headers: Mapping[str, str]) -> Response:
        """Open ``url``. At each hop only the credentials of that hop's own origin are sent."""
        asked_keyring = False
        login = self._credentials.login(url)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                raw = self._request(url, headers, login)
                return Response(url, raw)
            except urllib.error.HTTPError as e:
                with e:
                    if e.code == HTTPStatus.UNAUTHORIZED and not asked_keyring:
                        asked_keyring = True
                        login = self._credentials.after_refusal(url)
                        if login:
                            continue
                    location = e.headers.get("Location") if e.code in _REDIRECTS else None
                    if location is None:
                        raise status_failure(url, e) from e
                url = redirected(url, location)
                login = self._credentials.login(url)
            except (OSError, http.client.HTTPException, ValueError) as e:
                raise self._proxied(url, failure_of(url, e)) from e
        raise Failure(Kind.ANSWER, url, f"redirects more than {MAX_REDIRECTS} times")

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

    def get(self, url: str, use: Callable[[Response], Any], *, accept: str = "*/*") -> Any:
        """GET ``url`` and return what ``use`` makes of the answer.

        ``use`` runs again from the start when the connection breaks while it reads.

        :raises Failure: after :data:`ATTEMPTS` attempts, or at once when more would be useless.
        """
        for attempt in range(ATTEMPTS):
            try:
                response = self._follow(url, {"Accept": accept})
                with contextlib.closing(response):
                    return use(response)
            except Failure as e:
                if e.retry_after is None or attempt == ATTEMPTS - 1:
                    raise
                pause = max(e.retry_after, BACKOFF * 2**attempt)
                note(f"{e}; trying again in {pause:.1f} s")
                self._sleep(pause)
        raise AssertionError("unreachable")


def redirected(url: str, location: str) -> str:
    """Return where a redirect leads, which is never from https to http."""
    target = join_url(split_userinfo(url)[0], location)
    if target is None or not split_url(target).geturl():
        raise Failure(Kind.ANSWER, url, f"redirects to {quoted(location)}, which is no URL")
    before, after = split_url(url).scheme, split_url(target).scheme
    if after not in ("http", "https"):
        raise Failure(Kind.ANSWER, url, f"redirects to a URL of scheme {quoted(after)}")
    if before == "https" and after == "http":
        raise Failure(Kind.ANSWER, url, "redirects from https to http")
    return target


def copy_chunks(chunks: Iterator[bytes], sink: IO[bytes], update: Callable[[bytes], None]) -> int:
    """Write ``chunks`` to ``sink``, give each to ``update`` (a hash), return the number of bytes."""
    size = 0
    for chunk in chunks:
        update(chunk)
        sink.write(chunk)
        size += len(chunk)
    return size
