"""The versioned JSON documents that steps answer with.

A document is an object whose ``schema`` is ``ociwheel.<kind>/<version>``. Output is canonical
(sorted keys, no spaces, UTF-8, one final newline), because a document of one step is input, and
so part of the cache key, of the next.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ociwheel.errors import OciwheelError, UsageError
from ociwheel.reading import LIMITS, DocumentLimits, Value, bytes_of, failing, from_json
from ociwheel.remedies import WORDS, Remedy, placeholders
from ociwheel.wording import quoted

SCHEMA_VERSIONS: Mapping[str, int] = {
    "archive": 1,
    "audit": 1,
    "base-image": 1,
    "build": 1,
    "build-lock": 1,
    "build-pins": 1,
    "build-requires": 1,
    "build-resolve": 1,
    "check": 1,
    "debian-lock": 1,
    "debian-updates": 1,
    "debs": 1,
    "describe": 2,
    "error": 1,
    "fetch": 1,
    "image": 1,
    "index": 1,
    "layer": 1,
    "layer-facts": 1,
    "layer-names": 1,
    "layer-packages": 1,
    "layers": 1,
    "loaded": 1,
    "lock-entries": 1,
    "newest-wheel": 1,
    "plan": 1,
    "push": 1,
    "registry-lock": 1,
    "registry-resolve": 1,
    "sdist": 1,
    "target": 1,
    "tested": 1,
    "tree": 1,
    "yanked": 1,
}

# Documents of other steps: the files of a large base are a million values.
_OWN = DocumentLimits(size=512 << 20, values=20_000_000)


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


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole or not at all, whenever this process is killed.

    :raises OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_value(
    path: Path,
    error: type[OciwheelError] = UsageError,
    *,
    label: str | None = None,
    hint: str | Remedy | None = None,
    limits: DocumentLimits = LIMITS,
) -> Value:
    """Return what a JSON file holds, to be read with paths.

    :param error: what is raised for a file that cannot be read or used, here and by the value.
    :param label: the file's name in messages.
    """
    fail = failing(error, label or str(path), hint)
    try:
        return from_json(bytes_of(path, limits.size), fail, limits)
    except OSError as e:
        raise fail("", f"cannot read it: {e.strerror}") from e
    except ValueError as e:
        raise fail("", str(e)) from e


def read_json(path: Path) -> Any:
    """Return what a JSON file of another step holds.

    :raises UsageError: it cannot be read, or is no JSON.
    """
    return read_value(path, limits=_OWN).raw


def check_schema(value: Value, kind: str) -> Value:
    """Return ``value`` when it is a document of ``kind``, in the version known here."""
    found = value.raw.get("schema") if isinstance(value.raw, dict) else None
    if found != schema(kind):
        raise value.error(f"expected a {schema(kind)} document, found {quoted(found)}")
    return value


def read_document(path: Path, kind: str) -> dict[str, Any]:
    """Return the document in ``path``.

    :raises UsageError: it cannot be read, is no JSON object, or is of another kind or version.
    """
    members: dict[str, Any] = check_schema(read_value(path, limits=_OWN), kind).raw
    return members


def read_error(value: Value, error: type[OciwheelError]) -> OciwheelError:
    """Return the error that another process of ours wrote with :meth:`OciwheelError.to_json`.

    :param error: its class: what a sandbox says of its own kind does not count.
    """
    remedy = value.maybe("remedy")
    hint: Remedy | None = None
    if remedy:
        code, arguments = remedy.at("code").text(), remedy.at("arguments").text_members()
        if code not in WORDS or placeholders(WORDS[code]) != set(arguments):
            raise remedy.error("is no remedy that is known here")
        hint = Remedy(code, arguments)
    inner = [read_error(item, error) for item in value.at("errors").items()]
    details = value.at("details").texts()
    where = value.optional("where", Value.text)
    return error(value.at("what").text(), where=where, hint=hint, details=details, errors=inner)
