"""Errors a user reads: what is wrong, where, and what to do about it.

An error is a document (``schemas/error.json``): its kind, what is wrong, where, more lines, and a remedy. Who
runs a step renders the document; run by hand, the step renders it itself. Each kind has an exit code of its
own, so that a caller can tell them apart without reading anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ociwheel.remedies import Remedy, Render
from ociwheel.wording import LONGEST, shown

MOST_LINES = 38
"""Lines of a message before its remedy; what is beyond is counted, not shown."""
MOST_DETAILS = 36
"""Lines of details; what is beyond is counted, not shown."""
ENOUGH = 100
"""Errors after which nobody looks for more."""
MOST_ERRORS = 12
"""Errors that one message gathers."""
_LONGEST_WHAT = 320
_LONGEST_WHERE = 150


class OciwheelError(Exception):
    """Base of every error that a step reports.

    Texts may hold words of others: they are redacted, escaped and cut here, once for all messages.

    :param what: what is wrong, one sentence.
    :param where: the file, entry or target it was found in.
    :param hint: what to do next: a remedy, or a text that needs nobody to render it.
    :param details: further lines, printed indented between ``what`` and the remedy.
    :param errors: the errors that this one gathers.
    """

    exit_code = 10
    kind = "error"

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | Remedy | None = None,
        details: Iterable[str] = (),
        errors: Sequence[OciwheelError] = (),
    ) -> None:
        self.what = shown(what, _LONGEST_WHAT)
        self.where = _place(where) if where else None
        self.remedy = Remedy.text(hint) if isinstance(hint, str) and hint else hint or None
        self.details = _lines(details)
        self.errors = tuple(errors[:MOST_ERRORS])
        super().__init__(self.render())

    @property
    def hint(self) -> str | None:
        """The remedy in words."""
        return self.remedy.render() if self.remedy else None

    def again(self, *, what: str | None = None, where: str | None = None) -> OciwheelError:
        """Return the same error, of the same class, with another sentence or place."""
        return type(self)(
            what or self.what,
            where=where or self.where,
            hint=self.remedy,
            details=self.details,
            errors=self.errors,
        )

    def render(self, say: Render = Remedy.render) -> str:
        """Return the whole message, without a trailing newline.

        :param say: renders its remedies.
        """
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        lines += [f"  {line}" for error in self.errors for line in error.render(say).splitlines()]
        lines += [f"  {line}" for line in self.details]
        if len(lines) > MOST_LINES:
            lines[MOST_LINES:] = [f"  … and {len(lines) - MOST_LINES} more lines"]
        if self.remedy:
            lines.append(f"  -> {say(self.remedy)}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the error as a document without its schema, as ``errors`` of another one hold it."""
        return {
            "kind": self.kind,
            "what": self.what,
            "where": self.where,
            "details": list(self.details),
            "remedy": self.remedy.to_json() if self.remedy else None,
            "errors": [error.to_json() for error in self.errors],
        }


def _place(where: str) -> str:
    """Return a place, its middle left out where it is long: the end says most."""
    text = shown(where, 8 * LONGEST)
    half = _LONGEST_WHERE // 3
    return text if len(text) <= _LONGEST_WHERE else f"{text[:half]}…{text[half - _LONGEST_WHERE + 1 :]}"


def _lines(details: Iterable[str]) -> tuple[str, ...]:
    lines = [line for text in details for line in (text.splitlines() or [""])]
    kept = tuple(shown(line) for line in lines[:MOST_DETAILS])
    return (*kept, f"… and {len(lines) - MOST_DETAILS} more lines") if len(lines) > MOST_DETAILS else kept


class UsageError(OciwheelError):
    """Arguments or a request document that make no sense."""

    exit_code = 11
    kind = "usage"


class LockError(OciwheelError):
    """A lockfile that cannot be read, or lacks something it must have."""

    exit_code = 12
    kind = "lock"


class PlanError(OciwheelError):
    """A requirement that the lock cannot satisfy for the platform."""

    exit_code = 13
    kind = "plan"


class FetchError(OciwheelError):
    """An artifact that no index or mirror gives, or whose hash differs."""

    exit_code = 14
    kind = "fetch"


class BuildError(OciwheelError):
    """An sdist that does not build, or builds less than it should."""

    exit_code = 15
    kind = "build"


class LayerError(OciwheelError):
    """Content that cannot become a layer."""

    exit_code = 16
    kind = "layer"


class BaseError(OciwheelError):
    """A base that cannot be locked, fetched or unpacked."""

    exit_code = 17
    kind = "base"


class ImageError(OciwheelError):
    """Descriptors that do not make an image or an index."""

    exit_code = 18
    kind = "image"


class AuditError(OciwheelError):
    """An image in which some ELF file cannot be loaded."""

    exit_code = 19
    kind = "audit"


class ToolError(OciwheelError):
    """A tool of the machine that is missing or failed."""

    exit_code = 20
    kind = "tool"


class MachineError(OciwheelError):
    """A machine that has not what a step needs: memory, disk space, rights."""

    exit_code = 22
    kind = "machine"


class InternalError(OciwheelError):
    """A fault of this program, which nobody foresaw."""

    exit_code = 23
    kind = "internal"


class ErrorCollector:
    """Gathers errors of one class so that all of them are reported together."""

    def __init__(self) -> None:
        self._errors: list[OciwheelError] = []

    def add(self, error: OciwheelError) -> None:
        """Keep ``error`` for :meth:`raise_if_any`."""
        if not self.full:
            self._errors.append(error)

    @property
    def full(self) -> bool:
        """Whether looking for more is of no use to anybody: a hostile input has as many as it likes."""
        return len(self._errors) >= ENOUGH

    def raise_if_any(self) -> None:
        """Raise the only error, or one of the first one's class that holds all messages."""
        if not self._errors:
            return
        count = len(self._errors)
        if count == 1:
            raise self._errors[0]
        more = count - MOST_ERRORS
        raise type(self._errors[0])(
            f"{'at least ' if self.full else ''}{count} problems:",
            errors=self._errors[:MOST_ERRORS],
            details=[f"… and {more} more"] if more > 0 else (),
        )
