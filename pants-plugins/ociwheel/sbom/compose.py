"""SBOMs and provenance as files: pure functions without a library, for a build system's own process.

Nothing here, and nothing that it imports, needs a library or a Python after 3.9.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ociwheel import __version__ as VERSION  # noqa: N812 (a constant)
from ociwheel.digest import Digest
from ociwheel.sbom import cyclonedx, spdx
from ociwheel.sbom.inventory import Inventory, inventory
from ociwheel.sbom.provenance import material, provenance, source

__all__ = [
    "VERSION",
    "Draft",
    "Inventory",
    "draft",
    "encode",
    "inventory",
    "material",
    "materials",
    "provenance",
    "source",
]

_FORMATS: Mapping[str, Any] = {
    "spdx": (spdx.spdx, spdx.IDENTITY, spdx.namespace),
    "cyclonedx": (cyclonedx.cyclonedx, cyclonedx.IDENTITY, cyclonedx.serial_number),
}
_STAND_INS = ("digest", "identity")


@dataclass(frozen=True)
class Draft:
    """An SBOM of an image whose digest is not known yet: with hundreds of parts, all of the work.

    :param name: of the image.
    :param content: JSON from which the document's identity follows.
    :param text: the document's own.
    :param digest: what stands for the image's digest in both; it follows from all the rest, so that nothing
        a package says of itself can be taken for it.
    :param identity: what stands for the document's identity in its text.
    """

    kind: str
    name: str
    content: str
    text: str
    digest: str
    identity: str

    def of(self, digest: str) -> bytes:
        """Return the SBOM of the image.

        :param digest: of its manifest, ``sha256:<hex>``.
        """
        own = Digest(digest).hex
        identity = _FORMATS[self.kind][2](self.name, self.content.replace(self.digest, own))
        return self.text.replace(self.digest, own).replace(self.identity, identity).encode()


def draft(found: Inventory, kind: str) -> Draft:
    """Return the SBOM of an image that has another digest each time its own code is edited.

    :param found: its digest does not count.
    :param kind: ``spdx`` (2.3) or ``cyclonedx`` (1.6).
    """
    compose, field, _ = _FORMATS[kind]
    empty = json.dumps(compose(replace(found, digest=Digest.of(b""))))
    digest, identity = (Digest.of(f"{what} of {empty}".encode()) for what in _STAND_INS)
    value = compose(replace(found, digest=digest))
    content = json.dumps(value, sort_keys=True)
    value[field] = identity
    return Draft(kind, found.name, content, encode(value, depth=2).decode(), digest.hex, identity)


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
