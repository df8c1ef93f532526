"""What is sent to a registry and what it answers: requests, their bodies, answers with their error codes.

Specification: OCI distribution-spec 1.1, "Error Codes"; RFC 7235 for challenges.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from ociwheel.reading import parse_json
from ociwheel.transport.connection import Body, Response
from ociwheel.transport.failure import Failure, StatusFailure, phrase
from ociwheel.wording import cut

MAX_DOCUMENT = 4 << 20
"""Bytes of a document: manifests are at most 4 MiB (distribution-spec, "Pushing Manifests")."""

_MOST_ERRORS = 20
_PARAMETER = re.compile(r'(?<!\w)(\w++)="((?:[^"\\]|\\.)*+)"')


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
    def choose(cls, headers: Message) -> Challenge | None:
        """Return the best of the ``WWW-Authenticate`` headers of an answer: a token before a password."""
        found: dict[str, Challenge] = {}
        for header in headers.get_all("WWW-Authenticate") or ():
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

    @classmethod
    def read(cls, response: Response, method: str) -> Answer:
        """Read an answer to its end.

        :raises Failure: the connection breaks, or it is longer than a document may be.
        """
        # RFC 9110, 9.3.2: a HEAD's Content-Length is that of a body which is not sent.
        with contextlib.closing(response):
            data = response.read(MAX_DOCUMENT, "document") if method != "HEAD" else b""
        return cls(response.status, {n.lower(): v for n, v in response.headers.items()}, data)

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
        words = [cut(f"{e.get('code', '')}: {e.get('message', '')}".strip(": "), 400) for e in self._errors()]
        return phrase(self.status) + (f" ({'; '.join(words)})" if words else "")

    def failure(self, url: str) -> Failure:
        """Return what an answer that is no success means."""
        return StatusFailure(self.status, url, self.text(), self.headers.get("retry-after"))
