"""Telling the formats of lockfiles apart, by content: Pants lets users name them as they like."""

from __future__ import annotations

import json
import re

from ociwheel.errors import LockError
from ociwheel.lock import pex, pylock, requirements
from ociwheel.lock.entries import RELOCK, Entry

_PYLOCK = re.compile(r"""^\s*lock-version\s*=""", re.MULTILINE)


def without_pants_header(text: str) -> str:
    """Return a JSON lock without the ``//`` lines of metadata that Pants writes before it."""
    lines = text.splitlines(keepends=True)
    body = 0
    while body < len(lines) and (lines[body].startswith("//") or not lines[body].strip()):
        body += 1
    return "".join(lines[body:])


def parse(data: bytes, label: str) -> tuple[str, tuple[Entry, ...]]:
    """Return the format's name and the entries of a lockfile.

    :param label: the lockfile's name for messages.
    :raises LockError: it is of no known format, or cannot be used.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise LockError("is not UTF-8 text", where=label, hint=f"lock again with `{RELOCK}`") from e
    body = without_pants_header(text)
    if body.startswith("{"):
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as e:
            raise LockError(f"is not JSON: {e}", where=label, hint=f"lock again with `{RELOCK}`") from e
        return "pex", pex.parse(document, label)
    if _PYLOCK.search(text):
        return "pylock", pylock.parse(text, label)
    return "requirements", requirements.parse(text, label)
