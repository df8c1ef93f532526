"""What is sent to a registry and what it answers: requests, their bodies, answers with their error codes.

Specification: OCI distribution-spec 1.1, "Error Codes"; RFC 7235 for challenges.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

from ociwheel.reading import parse_json
from ociwheel.transport.network import Failure, Kind, Response
from ociwheel.wording import cut

MAX_DOCUMENT = 4 << 20
"""Bytes of a document: manifests are at most 4 MiB (distribution-spec, "Pushing Manifests")."""

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""
_MOST_ERRORS = 20
_PARAMETER = re.compile(r'(?<!\w)(\w++)="((?:[^"\\]|\\.)*+)"')


@dataclass(frozen=True)
class Body:
    """What a request sends: bytes, or a file that is read again for each attempt."""

    source: bytes | Path
    size: int

    def open(self) -> IO[bytes]:
        """Return the content from its start."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


@dataclass(frozen=True)
class Request:
    """A request to the registry's API.

    :param repository: the repository whose login is used.
    :param scopes: what a token must allow, ``repository:NAME:pull,push``.
    """

    method: str
    url: str
    repository: str
    scopes: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None


@dataclass(frozen=True)
class Challenge:
    """How a registry wants its clients to say who they are."""

    scheme: str
    """``bearer`` or ``basic``, lower case."""
    parameters: Mapping[str, str]

    @classmethod
    def choose(cls, headers: Iterable[str]) -> Challenge | None:
        """Return the best of the ``WWW-Authenticate`` headers of an answer: a token before a password."""
        found: dict[str, Challenge] = {}
        for header in headers:
            scheme, _, rest = header.strip().partition(" ")
            found.setdefault(scheme.lower(), cls(scheme.lower(), dict(_PARAMETER.findall(rest))))
        return found.get("bearer") or found.get("basic")


@dataclass(frozen=True)
class Answer:
    """A registry's answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    challenge: Challenge | None = None

    @property
    def codes(self) -> frozenset[str]:
        """The error codes of the distribution specification that the answer names."""
        return frozenset(str(error.get("code")) for error in self._errors())

    def _errors(self) -> list[dict[str, Any]]:
        try:
            errors = parse_json(self.body)["errors"]
            return [error for error in errors[:_MOST_ERRORS] if isinstance(error, dict)]
        except (ValueError, KeyError, TypeError):
            return []

    def text(self) -> str:
        """Return the answer in words."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = ""
        words = [cut(f"{e.get('code', '')}: {e.get('message', '')}".strip(": "), 400) for e in self._errors()]
        return f"{self.status} {phrase}".strip() + (f" ({'; '.join(words)})" if words else "")

    def failure(self, url: str) -> Failure:
        """Return what an answer that is no success means."""
        asked = self.headers.get("retry-after", "")
        seconds = float(asked) if re.fullmatch(r"[0-9]{1,9}", asked) else 0.0
        retry = seconds if self.status in RETRIED else None
        return StatusFailure(self.status, url, f"answered {self.text()}", retry_after=retry)


_KINDS = {404: Kind.NOT_FOUND, 410: Kind.NOT_FOUND, 401: Kind.CREDENTIALS, 403: Kind.CREDENTIALS}


class StatusFailure(Failure):
    """An answer whose status is no success."""

    def __init__(self, status: int, url: str, answer: str, *, retry_after: float | None = None) -> None:
        self.status = status
        super().__init__(_KINDS.get(status, Kind.SERVER), url, answer, retry_after=retry_after)


class Opened:
    """An answer whose body has not been read.

    :param foreign: it is another host's, to which the registry led.
    """

    def __init__(self, method: str, url: str, raw: Any, *, foreign: bool) -> None:
        self._method = method
        self.url = url
        self.status: int = raw.status
        self.foreign = foreign
        self.location: str | None = raw.headers.get("Location")
        self._raw = raw
        self._answer: Answer | None = None

    def answer(self) -> Answer:
        """Return it, read to its end, once.

        :raises Failure: the connection breaks, or it is longer than a document may be.
        """
        if self._answer is None:
            # RFC 9110, 9.3.2: a HEAD's Content-Length is that of a body which is not sent.
            with contextlib.closing(self.response()) as response:
                data = response.read(MAX_DOCUMENT, "document") if self._method != "HEAD" else b""
            headers = {name.lower(): value for name, value in self._raw.headers.items()}
            challenge = Challenge.choose(self._raw.headers.get_all("WWW-Authenticate") or ())
            self._answer = Answer(self.status, headers, data, challenge)
        return self._answer

    def response(self) -> Response:
        """Return it as a stream."""
        return Response(self.url, self._raw)
