"""The documents of steps, as JSON schemas, and the reader that holds a document to its schema.

``<kind>.json`` describes the documents ``ociwheel.<kind>/<version>``; ``common.json`` has what several share.
The reader knows the part of JSON schema (2020-12) that these files use; no library that knows all is where it
runs. A schema is made into functions once, because the answers of all steps of all images are held to theirs.
Standard library only, and for Python 3.9 too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from operator import methodcaller
from pathlib import Path
from typing import Any

from ociwheel.reading import Value
from ociwheel.wording import quoted

_Schema = Mapping[str, Any]
_Check = Callable[[Any], None]
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
    "debian-updates": "debian-updates",
    "describe": "describe",
    "emulate": "build",
    "fetch": "fetch",
    "fetch-blob": "fetch",
    "fetch-debs": "fetch",
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
    "test": "tested",
    "yanked": "yanked",
    **dict.fromkeys(("account-layer", "deb-layer", "made-files", "rootfs-layer"), "layer"),
    **dict.fromkeys(("source-layer", "venv-layer", "wheel-layer"), "layer"),
    **dict.fromkeys(("deb-layers", "source-layers", "wheel-layers"), "layers"),
    **dict.fromkeys(
        ("blob-facts", "build-code", "build-programs", "container", "gcc", "interpreter"), "tree"
    ),
    **dict.fromkeys(("sysroot", "toolbox", "zig", "zig-libc"), "tree"),
}
"""The kind of document that each step answers with."""


@cache
def load(name: str) -> dict[str, Any]:
    """Return a schema file, without its ending."""
    value = json.loads((FOLDER / f"{name}.json").read_bytes())
    return dict(value)


class _MisfitError(Exception):
    """A value that is not what its schema says.

    :param tell: raises the error of the value that is asked as a document's.
    """

    def __init__(self, tell: Callable[[Value], object]) -> None:
        self.tell = tell
        self.path: list[str | int] = []
        """Where it is in the document, innermost first."""


def check(value: Value, kind: str) -> Value:
    """Return a document that is what the schema of its kind says.

    What is missing, unknown or of another type is an error of the document's, with its place.
    """
    try:
        _document(kind)(value.raw)
    except _MisfitError as e:
        misfit = e
    else:
        return value
    for part in reversed(misfit.path):
        value = value.at(part) if isinstance(part, str) else list(value.items())[part]
    misfit.tell(value)
    raise AssertionError(f"{value.path} of {kind} was refused without a reason")


@cache
def _document(kind: str) -> _Check:
    return _made(load(kind), kind)


@cache
def _definition(file: str, name: str) -> _Check:
    return _made(load(file)["$defs"][name], file)


def _made(schema: _Schema, file: str) -> _Check:
    """Return the function that refuses what a schema does not allow."""
    checks = [make(schema, file) for keyword, make in _KEYWORDS.items() if keyword in schema]
    if len(checks) == 1:
        return checks[0]

    def check_all(raw: Any) -> None:
        for one in checks:
            one(raw)

    return check_all


def _reference(schema: _Schema, file: str) -> _Check:
    name, _, inside = schema["$ref"].partition("#/$defs/")
    home = name.partition(".")[0] or file
    return _definition(home, inside)


def _any_of(schema: _Schema, file: str) -> _Check:
    """Return the check of null, or of the form that has most of a value's members."""
    forms = [
        (frozenset(one.get("properties", ())), _made(one, file))
        for one in schema["anyOf"]
        if one.get("type") != "null"
    ]
    optional = len(forms) < len(schema["anyOf"])

    def check_form(raw: Any) -> None:
        if raw is None and optional:
            return
        members = raw.keys() if isinstance(raw, dict) else ()
        max(forms, key=lambda form: len(form[0].intersection(members)))[1](raw)

    return check_form


def _one_of(allowed: list[Any]) -> _Check:
    def tell(value: Value) -> None:
        raise value.error(f"expected {' or '.join(map(str, allowed))}, found {quoted(value.raw)}")

    def check_one(raw: Any) -> None:
        if raw not in allowed:
            raise _MisfitError(tell)

    return check_one


def _typed(schema: _Schema, file: str) -> _Check:
    kind = schema["type"]
    return _plain(kind) if isinstance(kind, list) else _TYPED[kind](schema, file)


def _plain(kinds: list[str]) -> _Check:
    types = tuple(_TYPES[kind] for kind in kinds)

    def tell(value: Value) -> None:
        raise value.error(f"expected {' or '.join(kinds)}, found {quoted(value.raw)}")

    def check_plain(raw: Any) -> None:
        if isinstance(raw, bool) or not isinstance(raw, types):
            raise _MisfitError(tell)

    return check_plain


def _object(schema: _Schema, file: str) -> _Check:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    required = frozenset(schema.get("required", ()))
    known = frozenset(properties) if more is False else None
    members = {name: _made(one, file) for name, one in properties.items()}
    others = _made(more, file) if isinstance(more, dict) else None

    def check_object(raw: Any) -> None:
        if not isinstance(raw, dict):
            raise _MisfitError(Value.members)
        if not required <= raw.keys():
            raise _MisfitError(methodcaller("at", next(n for n in schema["required"] if n not in raw)))
        if known is not None and not known >= raw.keys():
            raise _MisfitError(methodcaller("only", *properties))
        name = ""
        try:
            for name, member in raw.items():
                one = members.get(name, others)
                if one is not None:
                    one(member)
        except _MisfitError as e:
            e.path.append(name)
            raise

    return check_object


def _array(schema: _Schema, file: str) -> _Check:
    one, least, most = _made(schema["items"], file), schema.get("minItems", 0), schema.get("maxItems")

    def tell(value: Value) -> None:
        raise value.error(f"has {len(value.raw)} items; from {least} to {most} make sense")

    def check_array(raw: Any) -> None:
        if not isinstance(raw, list):
            raise _MisfitError(Value.items)
        if len(raw) < least or (most is not None and len(raw) > most):
            raise _MisfitError(tell)
        number = 0
        try:
            for item in raw:
                one(item)
                number += 1
        except _MisfitError as e:
            e.path.append(number)
            raise

    return check_array


def _string(schema: _Schema, _file: str) -> _Check:
    empty, pattern = not schema.get("minLength"), schema.get("pattern")
    fits = re.compile(pattern).search if pattern else None

    def tell(value: Value) -> None:
        text = value.text(most=len(value.raw), empty=empty) if isinstance(value.raw, str) else value.text()
        wanted = schema.get("description", f"a text that fits {pattern}")
        raise value.error(f"expected {wanted}, found {quoted(text)}")

    def check_string(raw: Any) -> None:
        if not isinstance(raw, str) or not (raw or empty) or (fits and not fits(raw)):
            raise _MisfitError(tell)

    return check_string


def _integer(schema: _Schema, _file: str) -> _Check:
    least = schema.get("minimum", 0)

    def check_integer(raw: Any) -> None:
        if not isinstance(raw, int) or isinstance(raw, bool) or raw < least:
            raise _MisfitError(methodcaller("integer", least))

    return check_integer


def _boolean(_schema: _Schema, _file: str) -> _Check:
    def check_boolean(raw: Any) -> None:
        if not isinstance(raw, bool):
            raise _MisfitError(Value.boolean)

    return check_boolean


_KEYWORDS: Mapping[str, Callable[[_Schema, str], _Check]] = {
    "$ref": _reference,
    "anyOf": _any_of,
    "const": lambda schema, _file: _one_of([schema["const"]]),
    "enum": lambda schema, _file: _one_of(schema["enum"]),
    "type": _typed,
}
_TYPED: Mapping[str, Callable[[_Schema, str], _Check]] = {
    "array": _array,
    "boolean": _boolean,
    "integer": _integer,
    "object": _object,
    "string": _string,
}
