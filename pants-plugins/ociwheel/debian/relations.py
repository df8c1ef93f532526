"""Relation fields of Debian packages: ``Depends``, ``Provides``, ``Conflicts``, ``Breaks``.

Debian Policy 7.1 defines the syntax; the values here are parsed once and compared many times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from debian.debian_support import Version

from ociwheel.errors import BaseError
from ociwheel.reading import fault_of
from ociwheel.wording import quoted

# Policy 5.6.1: names are lower case letters, digits, "+", "-" and ".", two characters at least;
# upper case occurs in third-party archives and is accepted as dpkg does.
_NAME = r"[A-Za-z0-9][A-Za-z0-9+.-]+"
_RELATION = re.compile(
    rf"(?P<name>{_NAME})"
    r"(?::(?P<qualifier>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<operator><<|<=|>=|>>|=|<|>)\s*(?P<version>[^\s()]+)\s*\))?"
    r"(?:\s*\[(?P<architectures>[^\]]*)\])?"
    r"(?P<profiles>(?:\s*<[^>]*>)*)"
)
# Policy 5.6.12, with the epoch as dpkg checks it.
_LONGEST_VERSION = 255
_VERSION = re.compile(r"(?:[0-9]+:)?[0-9A-Za-z.+:~-]+")


def parse_version(text: str) -> Version:
    """Return ``text`` as a version that compares as Debian Policy 5.6.12 says.

    :raises BaseError: it is no version.
    """
    if len(text) > _LONGEST_VERSION or not text.isascii() or not _VERSION.fullmatch(text) or fault_of(text):
        raise BaseError(f"{quoted(text)} is no Debian version")
    try:
        return Version(text)
    except ValueError as e:
        raise BaseError(f"{quoted(text)} is no Debian version") from e


@dataclass(frozen=True)
class Relation:
    """One package of a relation field, such as ``libc6 (>= 2.34)``."""

    name: str
    operator: str = ""
    version: str = ""
    qualifier: str = ""
    architectures: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the relation as a control file writes it."""
        name = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        return f"{name} ({self.operator} {self.version})" if self.operator else name

    def accepts(self, version: str) -> bool:
        """Whether a package of this name with ``version`` satisfies the relation."""
        if not self.operator:
            return True
        found, wanted = parse_version(version), parse_version(self.version)
        match self.operator:
            case "<<":
                return bool(found < wanted)
            # Policy 7.1: "<" and ">" are obsolete spellings of "<=" and ">=".
            case "<=" | "<":
                return bool(found <= wanted)
            case "=":
                return bool(found == wanted)
            case ">=" | ">":
                return bool(found >= wanted)
            case _:
                return bool(found > wanted)

    def holds_on(self, architecture: str) -> bool:
        """Whether the relation counts on a Debian architecture, by its ``[...]`` and ``:...``."""
        if self.architectures:
            negative = self.architectures[0].startswith("!")
            listed = any(_matches(a.lstrip("!"), architecture) for a in self.architectures)
            return listed != negative
        return True


def _matches(wildcard: str, architecture: str) -> bool:
    """Whether an architecture wildcard (Policy 11.1) covers a Linux architecture."""
    return wildcard in {architecture, "any", "linux-any", f"any-{architecture}", f"linux-{architecture}"}


Alternatives = tuple[Relation, ...]


def parse_relations(field: str, where: str) -> tuple[Alternatives, ...]:
    """Parse a relation field: groups joined by ``,`` of alternatives joined by ``|``.

    :raises BaseError: the text is no relation field.
    """
    parts = (part for part in field.split(",") if part.strip())
    return tuple(tuple(_parse_one(item.strip(), where) for item in part.split("|")) for part in parts)


def _parse_one(text: str, where: str) -> Relation:
    match = _RELATION.fullmatch(text)
    if not match:
        raise BaseError(f"{quoted(text)} is no package relation", where=where)
    if match["version"]:
        parse_version(match["version"])
    return Relation(
        match["name"],
        match["operator"] or "",
        match["version"] or "",
        match["qualifier"] or "",
        tuple((match["architectures"] or "").split()),
    )
