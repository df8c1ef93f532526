"""Which Python a lockfile says that it was made for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from ociwheel.reading import BadDocumentError, fault_of, parse_json
from ociwheel.reading_toml import parse_toml

# What a tool writes before a lock, each line a comment of the lock's own format.
_BEGIN = re.compile(r"--- BEGIN \w++ LOCKFILE METADATA")
_END = re.compile(r"--- END \w++ LOCKFILE METADATA")
_MARK = re.compile(r"^[ \t]*+(?://|#)")


def _header(text: str) -> Any:
    lines = itertools.dropwhile(lambda line: not _BEGIN.search(line), text.splitlines())
    next(lines, None)
    inside = itertools.takewhile(lambda line: not _END.search(line), lines)
    return parse_json("\n".join(_MARK.sub("", line, count=1) for line in inside))


def _stated(kind: str, text: str, body: str) -> Iterator[Any]:
    if _BEGIN.search(text):
        try:
            header = _header(text)
            yield header.get("valid_for_interpreter_constraints") if isinstance(header, dict) else None
        except BadDocumentError:
            pass  # whoever wrote it judges its own header
    if kind == "pex":
        yield parse_json(body).get("requires_python")
    elif kind != "requirements":
        yield [parse_toml(text).get("requires-python")]


def declared_python(kind: str, text: str, body: str) -> tuple[tuple[str, ...], ...]:
    """Return the Pythons that a lock states, each as alternatives of which one must hold.

    A Pex lock has `requires_python`, pylock.toml and uv.lock `requires-python`, and what a tool
    may write before any lock `valid_for_interpreter_constraints`. A statement that is none says nothing.

    :param kind: of the lock, which was read before.
    :param body: its text without what precedes JSON.
    """
    found = []
    for value in _stated(kind, text, body):
        alternatives = value if isinstance(value, list) else []
        if alternatives and all(isinstance(one, str) and not fault_of(one) for one in alternatives):
            found.append(tuple(alternatives))
    return tuple(dict.fromkeys(found))
