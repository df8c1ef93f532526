"""Every document that the core makes in a test is held to its schema, by the library that knows JSON schema."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
from referencing import Registry, Resource

import ociwheel.documents
from ociwheel import schemas


@cache
def validator(kind: str) -> jsonschema.Draft202012Validator:
    """Return what validates the documents of a kind."""
    common = Resource.from_contents(schemas.load("common"))
    registry = Registry().with_resource("common.json", common)
    return jsonschema.Draft202012Validator(schemas.load(kind), registry=registry)


def faults(value: Any, kind: str) -> list[str]:
    """Return what is wrong with a document."""
    return [f"{error.json_path}: {error.message}" for error in validator(kind).iter_errors(value)]


def _checked(make: Callable[[str, Mapping[str, Any]], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def document(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        made = make(kind, fields)
        # As it is written: what is a tuple here is a list there.
        found = faults(json.loads(ociwheel.documents.canonical(made)), kind)
        assert not found, f"ociwheel.{kind}: {found[:5]}"
        return made

    return document


def install() -> None:
    """Check documents from now on, in every module of the core that makes some."""
    plain = ociwheel.documents.document
    if plain.__name__ == plain.__qualname__:
        checked = _checked(plain)
        ociwheel.documents.document = checked
        for name, module in list(sys.modules.items()):
            if name.startswith("ociwheel.") and getattr(module, "document", None) is plain:
                module.document = checked  # type: ignore[attr-defined]


def spoilt(value: Any) -> Iterator[Any]:
    """Yield documents that differ in one place: a member less, one that is unknown, or of another type."""
    if isinstance(value, dict):
        for name in value:
            yield {key: one for key, one in value.items() if key != name}
            for inner in spoilt(value[name]):
                yield {**value, name: inner}
        yield {**value, "unknown": 1}
    elif isinstance(value, list) and value:
        for inner in spoilt(value[0]):
            yield [inner, *value[1:]]
        yield [*value, *value]
    yield from ([], {}, "", "\n", 1.5, None, True, -1)
