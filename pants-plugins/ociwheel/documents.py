"""The versioned JSON documents that steps answer with.

A document is an object whose ``schema`` is ``ociwheel.<kind>/<version>``. Output is canonical
(sorted keys, no spaces, UTF-8, one final newline), because a document of one step is input, and
so part of the cache key, of the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ociwheel.errors import UsageError

SCHEMA_VERSIONS: Mapping[str, int] = {
    "archive": 1,
    "audit": 1,
    "base": 1,
    "base-image": 1,
    "build": 1,
    "build-lock": 1,
    "debian-lock": 1,
    "describe": 1,
    "fetch": 1,
    "image": 1,
    "index": 1,
    "layer": 1,
    "layer-facts": 1,
    "lock-entries": 1,
    "newest-wheel": 1,
    "plan": 1,
    "registry-lock": 1,
    "registry-resolve": 1,
    "sdist": 1,
    "target": 1,
    "tree": 1,
}


def schema(kind: str) -> str:
    """Return the ``schema`` value of a kind of document."""
    return f"ociwheel.{kind}/{SCHEMA_VERSIONS[kind]}"


def canonical(value: Any) -> bytes:
    """Return ``value`` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return (text + "\n").encode()


def document(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document of ``kind`` with the given fields."""
    return {"schema": schema(kind), **fields}


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    :raises UsageError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as e:
        raise UsageError(f"cannot read it: {e.strerror}", where=str(path)) from e
    except ValueError as e:
        raise UsageError(f"is not JSON: {e}", where=str(path)) from e


def read_document(path: Path, kind: str) -> dict[str, Any]:
    """Return the document in ``path``.

    :raises UsageError: it cannot be read, is no JSON object, or is of another kind or version.
    """
    value = read_json(path)
    found = value.get("schema") if isinstance(value, dict) else None
    if not isinstance(value, dict) or found != schema(kind):
        raise UsageError(f"expected a {schema(kind)} document, found {found!r}", where=str(path))
    return value
