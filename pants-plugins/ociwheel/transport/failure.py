"""What goes wrong between this machine and another, as far as the user's next step depends on it."""

from __future__ import annotations

import enum
import http.client
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from ociwheel.transport.pace import TooSlowError
from ociwheel.transport.urls import split_userinfo
from ociwheel.wording import shown

LONGEST_NUMBER = 18
"""Digits of a number in a header: more is no size, and Python refuses to read thousands."""
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""


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


_KINDS = {
    401: Kind.CREDENTIALS,
    403: Kind.CREDENTIALS,
    404: Kind.NOT_FOUND,
    407: Kind.PROXY,
    410: Kind.NOT_FOUND,
}


class StatusFailure(Failure):
    """An answer whose status is no success.

    :param answer: it in words.
    :param asked: its ``Retry-After``.
    """

    def __init__(self, status: int, url: str, answer: str, asked: str | None) -> None:
        self.status = status
        retry = _pause(asked) if status in RETRIED else None
        super().__init__(_KINDS.get(status, Kind.SERVER), url, f"answered {answer}", retry_after=retry)


def phrase(status: int) -> str:
    """Return a status with its name, ``404 Not Found``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _pause(value: str | None) -> float:
    """Return the pause that a server asks for, in seconds (RFC 9110 10.2.3: seconds or a date)."""
    if not value:
        return 0.0
    if value.strip().isdecimal():
        return float(value.strip()[:LONGEST_NUMBER])
    try:
        wanted = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return max(wanted, 0.0)


def reason_of(error: BaseException) -> str:
    """Return an exception in words."""
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        return reason_of(inner)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _tls_failure(url: str, error: ssl.SSLError) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(Kind.TLS, url, f"its certificate is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failure(Kind.UNREACHABLE, url, "the TLS connection broke", retry_after=0)
    return Failure(Kind.TLS, url, f"TLS failed: {reason_of(error)}")


def _late(url: str, error: Exception) -> Failure:
    if isinstance(error, TooSlowError):
        retry = None if error.endless else 0.0
        return Failure(Kind.UNREACHABLE, url, f"too slow: {error}", retry_after=retry)
    return Failure(Kind.UNREACHABLE, url, "no answer in time", retry_after=0)


def failure_of(url: str, error: Exception) -> Failure:
    """Return what an exception of http.client, ssl or a socket means."""
    inner: Any = error
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
        return Failure(Kind.ANSWER, url, f"is no usable URL: {reason_of(inner)}")
    answer = f"the connection failed: {reason_of(inner)}"
    return Failure(Kind.UNREACHABLE, url, answer, retry_after=0)
