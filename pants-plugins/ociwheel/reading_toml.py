"""The one door for TOML of others: what :mod:`ociwheel.reading` is for JSON."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from ociwheel.reading import (
    LIMITS,
    BadDocumentError,
    DocumentLimits,
    Fail,
    Value,
    bytes_of,
    check_count,
    parsed,
    text_of,
)

# A key, or what looks like one; possessive, so that no line is read twice.
_KEY = r"(?:[A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')"
_DOTTED_KEY = re.compile(rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*+")


def parse_toml(data: bytes | str, limits: DocumentLimits = LIMITS) -> dict[str, Any]:
    """Return the table of a TOML text.

    :raises ValueError: it is none, or more than the limits allow; the message is one short line.
    """
    text = text_of(data, limits)
    check_count(text, limits)
    _check_keys(text, limits)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise BadDocumentError("is nested too deeply") from None
    except tomllib.TOMLDecodeError as e:
        raise BadDocumentError(f"is not TOML: {e}") from None
    except (ValueError, OverflowError):
        # tomllib lets pass what `int` and `datetime` say of a number or a date.
        raise BadDocumentError("is not TOML: it has a number or a date that cannot be read") from None


def _check_keys(text: str, limits: DocumentLimits) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > limits.dots and _longest(line) > limits.dots:
            raise BadDocumentError(f"has a key of more than {limits.dots} parts in line {number}")


def _longest(line: str) -> int:
    """Return the number of dots of the longest key of a line, or of what looks like one."""
    return max((match[0].count(".") for match in _DOTTED_KEY.finditer(line)), default=0)


def from_toml(data: bytes | str, fail: Fail, limits: DocumentLimits = LIMITS) -> Value:
    """Return the table of a TOML text, to be read with paths; what is wrong is an error of ``fail``."""
    return parsed(data, fail, limits, parse_toml)


def read_toml(path: Path, fail: Fail, limits: DocumentLimits = LIMITS) -> Value:
    """Return the table of a TOML file; that it cannot be read is an error of ``fail`` too."""
    try:
        data = bytes_of(path, limits.size)
    except (OSError, ValueError) as e:
        raise fail("", str(e)) from e
    return from_toml(data, fail, limits)
