"""Errors a user reads: what is wrong, where, and the next command to type.

Each class has an exit code of its own, so that a caller can tell them apart without reading text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# RFC 3986 3.2.1: userinfo stands between "//" and "@". The user part alone may be a token.
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


def redact(text: str) -> str:
    """Return ``text`` with the credentials of every URL in it replaced by ``****``."""
    return _USERINFO.sub("****@", text)


class OciwheelError(Exception):
    """Base of every error that a step reports.

    :param what: what is wrong, one sentence.
    :param where: the file, entry or target it was found in.
    :param hint: what to do next, with the command where there is one.
    :param details: further lines, printed indented between ``what`` and ``hint``.
    """

    exit_code = 10

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        details: Iterable[str] = (),
    ) -> None:
        self.what = redact(what)
        self.where = redact(where) if where else None
        self.hint = redact(hint) if hint else None
        self.details = tuple(redact(line) for line in details)
        super().__init__(self.render())

    def render(self) -> str:
        """Return the whole message, without a trailing newline."""
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        lines += [f"  {line}" for line in self.details]
        if self.hint:
            lines.append(f"  -> {self.hint}")
        return "\n".join(lines)


class UsageError(OciwheelError):
    """Arguments or a request document that make no sense."""

    exit_code = 11


class LockError(OciwheelError):
    """A lockfile that cannot be read, or lacks something it must have."""

    exit_code = 12


class PlanError(OciwheelError):
    """A requirement that the lock cannot satisfy for the platform."""

    exit_code = 13


class FetchError(OciwheelError):
    """An artifact that no index or mirror gives, or whose hash differs."""

    exit_code = 14


class BuildError(OciwheelError):
    """An sdist that does not build, or builds less than it should."""

    exit_code = 15


class LayerError(OciwheelError):
    """Content that cannot become a layer."""

    exit_code = 16


class BaseError(OciwheelError):
    """A base that cannot be locked, fetched or unpacked."""

    exit_code = 17


class ImageError(OciwheelError):
    """Descriptors that do not make an image or an index."""

    exit_code = 18


class AuditError(OciwheelError):
    """An image in which some ELF file cannot be loaded."""

    exit_code = 19


class ToolError(OciwheelError):
    """A tool of the machine that is missing or failed."""

    exit_code = 20


class ErrorCollector:
    """Gathers errors of one class so that all of them are reported together."""

    def __init__(self) -> None:
        self._errors: list[OciwheelError] = []

    def add(self, error: OciwheelError) -> None:
        """Keep ``error`` for :meth:`raise_if_any`."""
        self._errors.append(error)

    def raise_if_any(self) -> None:
        """Raise the only error, or one of the first one's class that holds all messages."""
        if not self._errors:
            return
        if len(self._errors) == 1:
            raise self._errors[0]
        details = [line for e in self._errors for line in e.render().splitlines()]
        raise type(self._errors[0])(f"{len(self._errors)} problems:", details=details)
