"""Telling the formats of lockfiles apart, by content: users name them as they like."""

from __future__ import annotations

import re

from ociwheel.errors import LockError
from ociwheel.lock import pex, pylock, requirements, uv
from ociwheel.lock.declared import declared_python
from ociwheel.lock.entries import RELOCK, Lock
from ociwheel.reading import failing, from_json

_PYLOCK = re.compile(r"""^[ \t]*+lock-version[ \t]*+=""", re.MULTILINE)
# uv's lock: its version comes before its first table.
_UV = re.compile(r"\A(?:[ \t]*+(?:#[^\n]*+)?\n|revision[ \t]*+=[^\n]*+\n)*+version[ \t]*+=")
_HEADER = re.compile(r"\A(?:(?://[^\n]*+|[ \t\r]*+)\n)*+")


def without_header(text: str) -> str:
    """Return a JSON lock without the ``//`` lines of metadata that tools write before it."""
    return _HEADER.sub("", text, count=1)


def python_of(kind: str, data: bytes) -> tuple[tuple[str, ...], ...]:
    """Return the Pythons that a lockfile states, see :func:`declared_python`.

    :param kind: what :func:`parse` says of the same bytes.
    """
    text = data.decode("utf-8-sig")
    return declared_python(kind, text, without_header(text))


def parse(data: bytes, label: str) -> Lock:
    """Return what a lockfile says.

    :param label: the lockfile's name for messages.
    :raises LockError: it is of no known format, or cannot be used.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise LockError("is not UTF-8 text", where=label, hint=RELOCK) from e
    body = without_header(text)
    if body.startswith("{"):
        return pex.parse(from_json(body, failing(LockError, label, RELOCK)), label)
    if _PYLOCK.search(text):
        return Lock("pylock", pylock.parse(text, label))
    if _UV.match(text):
        return uv.parse(text, label)
    return Lock("requirements", requirements.parse(text, label))
