"""SBOMs and provenance as files: pure functions without a library, for a build system's own process.

Nothing here, and nothing that it imports, needs a library or a Python after 3.9.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ociwheel import __version__ as VERSION  # noqa: N812 (a constant)
from ociwheel.sbom.cyclonedx import cyclonedx
from ociwheel.sbom.inventory import Inventory, inventory
from ociwheel.sbom.provenance import material, provenance, source
from ociwheel.sbom.spdx import spdx

__all__ = [
    "FORMATS",
    "VERSION",
    "Inventory",
    "encode",
    "inventory",
    "material",
    "materials",
    "provenance",
    "sbom",
    "source",
]

FORMATS: Mapping[str, Any] = {"spdx": spdx, "cyclonedx": cyclonedx}


def sbom(found: Inventory, kind: str) -> bytes:
    """Return the SBOM of an image.

    :param kind: ``spdx`` (2.3) or ``cyclonedx`` (1.6).
    """
    return encode(FORMATS[kind](found), depth=2)


def encode(value: Mapping[str, Any], depth: int = 4) -> bytes:
    """Return a document's bytes, the same for the same document, and readable: a line for each component.

    :param depth: how many levels are written over several lines; an item below them has one line. Python
        writes such an item in C, and would write a document of more lines five times as slowly.
    """
    return "".join(_lines(value, depth, "")).encode() + b"\n"


_LINE = json.JSONEncoder(sort_keys=True, ensure_ascii=False)


def _lines(value: object, depth: int, indent: str) -> Iterator[str]:
    if depth == 0 or not value or not isinstance(value, (dict, list)):
        yield _LINE.encode(value)
        return
    keyed = isinstance(value, dict)
    items = sorted(value.items()) if isinstance(value, dict) else [("", one) for one in value]
    for number, (key, one) in enumerate(items):
        yield f"{',' if number else '{' if keyed else '['}\n{indent} "
        yield f"{_LINE.encode(key)}: " if keyed else ""
        yield from _lines(one, depth - 1, f"{indent} ")
    yield f"\n{indent}{'}' if keyed else ']'}"


def materials(found: Inventory) -> list[dict[str, Any]]:
    """Return the locked inputs of one platform: of what is in it, and of what built that."""
    commits = [source(one.download) for one in found.parts if one.download.startswith("git+")]
    return commits + [
        material(one.purl, one.sha256, one.filename) for one in (*found.parts, *found.tools) if one.sha256
    ]
