"""Facts about one version of Pants as a JSON document: names, parameters and fields, one line each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api_check.model import Fact, Parameter, Version, minor_version

SCHEMA = "slim-python-image.pants-api/1"


@dataclass(frozen=True)
class Facts:
    """What one version of Pants has of the names that we use.

    :param version: Pants's own, such as ``2.33.0``.
    :param names: ``None`` for one that is not there. A name that was never asked for is not in it.
    """

    version: str
    names: Mapping[str, Fact | None]

    @property
    def minor(self) -> Version:
        """Major and minor."""
        return minor_version(self.version)


def signature_text(parameters: tuple[Parameter, ...]) -> list[str]:
    """Return parameters as they stand in Python: ``["argv", "*", "description", "level="]``."""
    texts: list[str] = []
    previous = "positional"
    for one in parameters:
        if previous == "positional" and one.kind != "positional" and texts:
            texts.append("/")
        if one.kind == "keyword" and previous not in {"keyword", "*"}:
            texts.append("*")
        stars = one.kind if one.kind in {"*", "**"} else ""
        types = f": {one.type}" if one.type else ""
        texts.append(f"{stars}{one.name}{types}{'' if one.required or stars else '='}")
        previous = one.kind
    return [*texts, "/"] if previous == "positional" and texts else texts


def parsed_signature(texts: list[str]) -> tuple[Parameter, ...]:
    """Return the parameters of `signature_text`."""
    found: list[Parameter] = []
    kind = "both"
    for text in texts:
        if text == "/":
            found = [Parameter(one.name, "positional", one.required, one.type) for one in found]
        elif text == "*":
            kind = "keyword"
        elif text.startswith("*"):
            name = text.lstrip("*")
            stars = text[: -len(name)]
            found.append(Parameter(name, stars, required=False))
            kind = "keyword"
        else:
            name, _, its_type = text.removesuffix("=").partition(": ")
            found.append(Parameter(name, kind, not text.endswith("="), its_type or None))
    return tuple(found)


def _fact_document(fact: Fact | None) -> dict[str, Any] | None:
    if fact is None:
        return None
    document: dict[str, Any] = {"kind": fact.kind}
    if fact.home is not None:
        document["home"] = fact.home
    if fact.parameters is not None:
        document["parameters"] = signature_text(fact.parameters)
    if fact.bases:
        document["bases"] = list(fact.bases)
    return document


def _parsed_fact(document: Mapping[str, Any] | None) -> Fact | None:
    if document is None:
        return None
    parameters = document.get("parameters")
    return Fact(
        document["kind"],
        document.get("home"),
        None if parameters is None else parsed_signature(parameters),
        tuple(document.get("bases", ())),
    )


def written(facts: Facts) -> str:
    """Return the document: sorted, a line for each name, so that a changed name is a changed line."""
    lines = [
        f"  {json.dumps(name)}: {json.dumps(_fact_document(fact), sort_keys=True)}"
        for name, fact in sorted(facts.names.items())
    ]
    return (
        f'{{\n "schema": {json.dumps(SCHEMA)},\n "version": {json.dumps(facts.version)},\n "names": {{\n'
        + ",\n".join(lines)
        + "\n }\n}\n"
    )


def read(path: Path) -> Facts:
    """Return the facts of a document.

    :raises ValueError: it is no such document.
    """
    document = json.loads(path.read_bytes())
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"{path}: is no record of {SCHEMA}")
    return Facts(document["version"], {name: _parsed_fact(one) for name, one in document["names"].items()})
