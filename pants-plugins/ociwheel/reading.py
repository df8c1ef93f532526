"""The one door for JSON of others: guarded parsing; and typed reading with paths, of TOML too.

What comes out of :func:`from_json` is a :class:`Value`, which knows where in which document it stands. Asked
for a text, a number or a list, it gives that or raises the error of the caller's choice, with a place such as
``packages[3].hash``.

Standard library only, because steps read documents before they have any other library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ociwheel.digest import FORM, Digest, is_sha256
from ociwheel.errors import OciwheelError
from ociwheel.remedies import Remedy
from ociwheel.wording import cut, quoted

Fail = Callable[[str, str], Exception]
"""Returns the error for a place and what is wrong there."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class DocumentLimits:
    """What a document of others may have."""

    size: int = 64 << 20
    """Bytes."""
    values: int = 1_000_000
    """Values and containers, as counted by what separates and opens them: each takes memory of its own."""
    digits: int = 60
    """Of a number: none that means anything here has more."""
    dots: int = 32
    """Of a key of TOML: reading it takes time by the square of them."""


LIMITS = DocumentLimits()
_INTEGER_MOST = (1 << 63) - 1
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


class BadDocumentError(ValueError):
    """A document that a guard refuses."""


def place_of(label: str, path: str) -> str:
    """Return the place of a value in a document, for messages."""
    return f"{label}: {path}" if path else label


def failing(error: type[OciwheelError], label: str, hint: str | Remedy | None = None) -> Fail:
    """Return what makes an error of ours for a place in the document ``label``."""
    return lambda path, what: error(what, where=place_of(label, path), hint=hint)


@dataclass(frozen=True)
class Value:
    """A value of a document, and where it stands."""

    raw: Any
    path: str
    """``packages[3].hash``; empty for the whole document."""
    _fail: Fail

    def error(self, what: str) -> Exception:
        """Return the error that something is wrong here."""
        return self._fail(self.path, what)

    def _expected(self, wanted: str) -> NoReturn:
        raise self.error(f"expected {wanted}, found {quoted(self.raw)}")

    def _member(self, key: str) -> str:
        if not _PLAIN_KEY.fullmatch(key):
            return f"{self.path}[{cut(key, 60)!r}]"
        return f"{self.path}.{cut(key, 60)}" if self.path else cut(key, 60)

    # --- containers -------------------------------------------------------------------------------------

    def members(self) -> dict[str, Value]:
        """Return the members of an object by name."""
        if not isinstance(self.raw, dict):
            self._expected("an object")
        return {key: Value(value, self._member(key), self._fail) for key, value in self.raw.items()}

    def items(self) -> Iterator[Value]:
        """Yield the items of a list."""
        if not isinstance(self.raw, list):
            self._expected("a list")
        return (Value(item, f"{self.path}[{n}]", self._fail) for n, item in enumerate(self.raw))

    def maybe(self, key: str) -> Value | None:
        """Return a member of an object; None where it is absent or null."""
        if not isinstance(self.raw, dict):
            self._expected("an object")
        value = self.raw.get(key)
        return None if value is None else Value(value, self._member(key), self._fail)

    def at(self, key: str) -> Value:
        """Return a member that must be there."""
        if not isinstance(self.raw, dict):
            self._expected("an object")
        if key not in self.raw:
            raise self._fail(self._member(key), "is missing")
        return Value(self.raw[key], self._member(key), self._fail)

    def only(self, *known: str) -> None:
        """Check that an object has no members but those that are known."""
        unknown = sorted(set(self.members()) - set(known))
        if unknown:
            names = ", ".join(cut(name, 40) for name in unknown[:5])
            raise self.error(f"unknown keys: {names}{', …' if len(unknown) > 5 else ''}")

    # --- values -----------------------------------------------------------------------------------------

    def text(self, *, most: int = 100_000, empty: bool = True) -> str:
        """Return a text.

        :param most: characters that it may have.
        """
        if not isinstance(self.raw, str):
            self._expected("a text")
        if len(self.raw) > most:
            raise self.error(f"is a text of {len(self.raw)} characters; at most {most} make sense")
        if not (self.raw or empty):
            raise self.error("is empty")
        return self.raw

    def matching(self, pattern: re.Pattern[str], wanted: str) -> str:
        """Return a text that matches ``pattern`` as a whole; ``wanted`` says what that is."""
        if not isinstance(self.raw, str) or len(self.raw) > 4096 or not pattern.fullmatch(self.raw):
            self._expected(wanted)
        return self.raw

    def sha256(self) -> str:
        """Return a SHA-256 in lower case."""
        if not isinstance(self.raw, str) or not is_sha256(self.raw.lower()):
            self._expected("a SHA-256 (64 hexadecimal digits)")
        return self.raw.lower()

    def digest(self) -> Digest:
        """Return a digest as registries write it."""
        if not Digest.fits(self.raw):
            self._expected(f"a digest {FORM}")
        return Digest(self.raw)

    def integer(self, least: int = 0, most: int = _INTEGER_MOST) -> int:
        """Return a whole number in a range."""
        if not isinstance(self.raw, int) or isinstance(self.raw, bool) or not least <= self.raw <= most:
            above = f" of at most {most}" if most != _INTEGER_MOST else ""
            self._expected(f"a whole number from {least} on{above}")
        return self.raw

    def boolean(self) -> bool:
        """Return true or false."""
        if not isinstance(self.raw, bool):
            self._expected("true or false")
        return self.raw

    def texts(self, *, empty: bool = True) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(item.text(empty=empty) for item in self.items())

    def text_members(self) -> dict[str, str]:
        """Return an object of texts."""
        return {key: value.text() for key, value in self.members().items()}

    # --- optional members -------------------------------------------------------------------------------

    def optional(self, key: str, read: Callable[[Value], _T]) -> _T | None:
        """Return what ``read`` makes of a member; None where it is absent or null."""
        value = self.maybe(key)
        return None if value is None else read(value)


# --- what can be compared -----------------------------------------------------------------------------------

LONGEST_REQUIREMENT = 10_000
"""Characters of a requirement; the longest that projects publish have some hundred."""
_MOST_DIGITS = 50
_DIGITS = re.compile(rf"[0-9]{{{_MOST_DIGITS}}}")


def fault_of(text: str) -> str | None:
    """Return why a requirement, marker, version or specifier is beyond what is compared, or None."""
    if len(text) > LONGEST_REQUIREMENT:
        return f"it has {len(text)} characters"
    return f"it has a number of {_MOST_DIGITS} digits or more" if _DIGITS.search(text) else None


# --- parsing ------------------------------------------------------------------------------------------------


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise BadDocumentError(f"has the key {quoted(key)} twice")
            seen.add(key)
    return found


def _constant(text: str) -> NoReturn:
    raise BadDocumentError(f"has {text}, which is no number of JSON")


def _integer(most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if len(text) > most:
            raise BadDocumentError(f"has a number of {len(text)} digits; at most {most} make sense")
        return int(text)

    return parse


def _float(text: str) -> float:
    if len(text) > 400:
        raise BadDocumentError(f"has a number of {len(text)} digits; at most 400 make sense")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise BadDocumentError("has a number that is too large")
    return value


def text_of(data: bytes | str, limits: DocumentLimits) -> str:
    """Return a document's text.

    :raises BadDocumentError: it has too many bytes, or is not UTF-8.
    """
    if len(data) > limits.size:
        raise BadDocumentError(f"has {len(data)} bytes; at most {limits.size} are read")
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise BadDocumentError(f"is not UTF-8 text: byte {e.start}") from e


def check_count(text: str, limits: DocumentLimits) -> None:
    """Check how many values a text may hold.

    :raises BadDocumentError: too many.
    """
    if len(text) > limits.values and sum(map(text.count, ",[{=")) > limits.values:
        raise BadDocumentError(f"has more than {limits.values} values")


def parse_json(data: bytes | str, limits: DocumentLimits = LIMITS) -> Any:
    """Return the value of a JSON text.

    :raises ValueError: it is none, or more than the limits allow; the message is one short line.
    """
    text = text_of(data, limits)
    check_count(text, limits)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_pairs,
            parse_constant=_constant,
            parse_int=_integer(limits.digits),
            parse_float=_float,
        )
        if _HALF_CHARACTER.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except BadDocumentError:
        raise
    except UnicodeEncodeError:
        raise BadDocumentError("has half of a character (a lone surrogate)") from None
    except RecursionError:
        raise BadDocumentError("is nested too deeply") from None
    except json.JSONDecodeError as e:
        raise BadDocumentError(f"is not JSON: {e}") from None
    return value


def parsed(
    data: bytes | str, fail: Fail, limits: DocumentLimits, parse: Callable[[bytes | str, DocumentLimits], Any]
) -> Value:
    """Return what ``parse`` makes of a text; what it refuses is an error of ``fail``."""
    try:
        return Value(parse(data, limits), "", fail)
    except ValueError as e:
        raise fail("", str(e)) from None


def from_json(data: bytes | str, fail: Fail, limits: DocumentLimits = LIMITS) -> Value:
    """Return the value of a JSON text, to be read with paths; what is wrong is an error of ``fail``."""
    return parsed(data, fail, limits, parse_json)


_PIECE = 1 << 20


def bytes_of(path: Path, most: int) -> bytes:
    """Return what a file holds.

    :param most: bytes that it may have.
    :raises OSError: it cannot be read.
    :raises ValueError: it is larger; the message is one short line.
    """
    parts, left = [], most + 1
    with path.open("rb") as file:
        # In pieces: who asks for all that may be there is given the memory for it at once.
        while left and (part := file.read(min(left, _PIECE))):
            parts.append(part)
            left -= len(part)
    if not left:
        raise ValueError(f"is larger than {most} bytes")
    return b"".join(parts)
