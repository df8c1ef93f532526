"""Documents that their schemas describe, for tests of both sides: of the backend too, on its Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ociwheel import schemas

_PLAIN = {"integer": 7, "boolean": True}
_SAMPLES = {
    "sha256": "a" * 64,
    "digest": "sha256:" + "b" * 64,
    "platform": "linux/arm/v7",
    "filename": "demo-1.0.tar.gz",
    "minor": "3.11",
    "version": "3.11.2",
    "name": "demo",
}


def examples(kind: str) -> list[dict[str, Any]]:
    """Return a document of each form that a kind has, with every member."""
    schema = schemas.load(kind)
    return [_example(one, kind) for one in schema.get("anyOf", [schema])]


def _example(schema: Mapping[str, Any], file: str) -> Any:
    if "$ref" in schema:
        name, _, inside = schema["$ref"].partition("#/$defs/")
        home = name.partition(".")[0] or file
        return _SAMPLES[inside] if inside in _SAMPLES else _example(schemas.load(home)["$defs"][inside], home)
    if "anyOf" in schema:  # an option beside null
        return _example(next(one for one in schema["anyOf"] if one.get("type") != "null"), file)
    if "const" in schema or "enum" in schema:
        return schema.get("const") or schema["enum"][0]
    kind = str(schema.get("type"))
    return _container(schema, file) if kind in {"object", "array"} else _PLAIN.get(kind, "text")


def _container(schema: Mapping[str, Any], file: str) -> Any:
    if schema["type"] == "array":
        return [_example(schema["items"], file)] * max(1, schema.get("minItems", 1))
    more = schema.get("additionalProperties")
    members = {name: _example(one, file) for name, one in schema.get("properties", {}).items()}
    return {**members, **({"some": _example(more, file)} if isinstance(more, dict) else {})}
