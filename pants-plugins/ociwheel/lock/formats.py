"""Telling the formats of lockfiles apart, by content: users name them as they like."""

from __future__ import annotations

import re

from ociwheel.errors import LockError
from ociwheel.lock import pex, pylock, requirements
from ociwheel.lock.entries import RELOCK, Entry
from ociwheel.reading import failing, from_json

_PYLOCK = re.compile(r"""^[ \t]*+lock-version[ \t]*+=""", re.MULTILINE)
_HEADER = re.compile(r"\A(?:(?://[^\n]*+|[ \t\r]*+)\n)*+")


def without_header(text: str) -> str:
    """Return a JSON lock without the ``//`` lines of metadata that tools write before it."""
    return _HEADER.sub("", text, count=1)


def parse(data: bytes, label: str) -> tuple[str, tuple[Entry, ...]]:
    """Return the format's name and the entries of a lockfile.

    :param label: the lockfile's name for messages.
    :raises LockError: it is of no known format, or cannot be used.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise LockError("is not UTF-8 text", where=label, hint=RELOCK) from e
    body = without_header(text)
    if body.startswith("{"):
        return "pex", pex.parse(from_json(body, failing(LockError, label, RELOCK)), label)
    if _PYLOCK.search(text):
        return "pylock", pylock.parse(text, label)
    return "requirements", requirements.parse(text, label)
