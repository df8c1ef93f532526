"""The documents of steps, as JSON schemas, and the reader that holds a document to its schema.

``<kind>.json`` describes the documents ``ociwheel.<kind>/<version>``; ``common.json`` has what several share.
The reader
knows the part of JSON schema (2020-12) that these files use; no library that knows all is where it runs.
Standard library only, and for Python 3.9 too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ociwheel.reading import Value
from ociwheel.wording import quoted

_TYPES: Mapping[str, type] = {"string": str, "integer": int}
FOLDER = Path(__file__).parent
ANSWERS: Mapping[str, str] = {
    "archive": "archive",
    "audit": "audit",
    "build": "build",
    "build-lock": "build-lock",
    "build-pins": "build-pins",
    "build-requires": "build-requires",
    "build-resolve": "build-resolve",
    "check": "check",
    "debian-lock": "debian-lock",
    "describe": "describe",
    "emulate": "build",
    "fetch": "fetch",
    "fetch-blob": "fetch",
    "fetch-deb": "fetch",
    "fetch-crates": "fetch",
    "fetch-git": "fetch",
    "image": "image",
    "index": "index",
    "inspect-image": "base-image",
    "inspect-sdist": "sdist",
    "lock-entries": "lock-entries",
    "newest-wheel": "newest-wheel",
    "plan": "plan",
    "push": "push",
    "registry-lock": "registry-lock",
    "registry-resolve": "registry-resolve",
    "run": "loaded",
    **dict.fromkeys(("account-layer", "deb-layer", "rootfs-layer"), "layer"),
    **dict.fromkeys(("source-layer", "venv-layer", "wheel-layer"), "layer"),
    **dict.fromkeys(("blob-facts", "build-programs", "container", "gcc", "interpreter"), "tree"),
    **dict.fromkeys(("sysroot", "toolbox", "zig", "zig-libc"), "tree"),
}
"""The kind of document that each step answers with."""


@cache
def load(name: str) -> dict[str, Any]:
    """Return a schema file, without its ending."""
    value = json.loads((FOLDER / f"{name}.json").read_bytes())
    return dict(value)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def check(value: Value, kind: str) -> Value:
    """Return a document that is what the schema of its kind says.

    What is missing, unknown or of another type is an error of the document's, with its place.
    """
    _check(value, load(kind), kind)
    return value


def _check(value: Value, schema: Mapping[str, Any], file: str) -> None:
    if "$ref" in schema:
        name, _, inside = schema["$ref"].partition("#/$defs/")
        home = name.partition(".")[0] or file
        _check(value, load(home)["$defs"][inside], home)
    if "anyOf" in schema:
        _check(value, _chosen(value, schema["anyOf"]), file)
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if allowed is not None and value.raw not in allowed:
        raise value.error(f"expected {' or '.join(map(str, allowed))}, found {quoted(value.raw)}")
    kind = schema.get("type")
    if isinstance(kind, list):
        if isinstance(value.raw, bool) or not isinstance(value.raw, tuple(_TYPES[one] for one in kind)):
            raise value.error(f"expected {' or '.join(kind)}, found {quoted(value.raw)}")
    elif kind is not None and kind != "null":
        _CHECKS[kind](value, schema, file)


def _check_string(value: Value, schema: Mapping[str, Any], _file: str) -> None:
    text = value.text(empty=not schema.get("minLength"))
    if "pattern" in schema and not _pattern(schema["pattern"]).search(text):
        wanted = schema.get("description", f"a text that fits {schema['pattern']}")
        raise value.error(f"expected {wanted}, found {quoted(text)}")


def _check_object(value: Value, schema: Mapping[str, Any], file: str) -> None:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        value.at(name)
    more = schema.get("additionalProperties", True)
    if more is False:
        value.only(*properties)
    for name, member in value.members().items():
        inner = properties.get(name, more)
        if isinstance(inner, dict):
            _check(member, inner, file)


def _check_array(value: Value, schema: Mapping[str, Any], file: str) -> None:
    items = list(value.items())
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(items))
    if not least <= len(items) <= most:
        raise value.error(f"has {len(items)} items; from {least} to {most} make sense")
    for item in items:
        _check(item, schema["items"], file)


def _chosen(value: Value, options: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the option that a value is to be: null's for null, else the one that has most of its members."""
    if value.raw is None and {"type": "null"} in options:
        return {}
    members = set(value.raw) if isinstance(value.raw, dict) else set()
    others = [option for option in options if option.get("type") != "null"]
    return max(others, key=lambda option: len(members & set(option.get("properties", ()))))


_CHECKS: Mapping[str, Callable[[Value, Mapping[str, Any], str], object]] = {
    "array": _check_array,
    "boolean": lambda value, _schema, _file: value.boolean(),
    "integer": lambda value, schema, _file: value.integer(schema.get("minimum", 0)),
    "object": _check_object,
    "string": _check_string,
}
