"""Which Debian package has a shared library.

There is a table per release, found by the image's glibc: names change between releases (`libssl3` of
bookworm is `libssl3t64` of trixie). It knows the names of the release's library packages, and sonames
whose package is not named after them; the rest follows Debian Policy 8.1: "the shared library package's
name is the soname in lower case, with ``.so.`` removed, and a hyphen where the name ends in a digit".
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

_VERSIONED = re.compile(r"(?P<name>.+?)\.so(?:\.(?P<version>[\w.]+))?")
# Suffixes of packages that were renamed for an ABI change, newest first.
_TRANSITIONS = ("", "t64", "v5", "c2a", "c2", "g")


@dataclass(frozen=True)
class LibraryTable:
    """Names of library packages of one Debian release."""

    packages: frozenset[str]
    sonames: Mapping[str, str]
    of_image: bool = True
    """Whether the image may be of that release; one of musl is not, and its packages have other names."""

    def said(self, package: str) -> str:
        """Return who has a library, for people."""
        return f"Debian's {package} has it" if self.of_image else f"{package} in Debian"

    def package(self, soname: str) -> str | None:
        """Return the package that ships a library, ``None`` when the table does not know."""
        known = self.sonames.get(soname)
        if known:
            return known
        return next((name for name in candidates(soname) if name in self.packages), None)


def candidates(soname: str) -> Iterator[str]:
    """Return the names that a package of this library may have, likeliest first."""
    match = _VERSIONED.fullmatch(soname.lower())
    if match is None:
        return
    name, version = match["name"].replace("_", "-"), match["version"] or ""
    bases = dict.fromkeys((name, re.sub(r"-(?=\d)", "", name)))
    for base in bases:
        for joined in _join(base, version):
            for suffix in _TRANSITIONS:
                yield joined + suffix


def _join(base: str, version: str) -> Iterator[str]:
    if not version:
        yield base
        return
    glue = ("-", "") if base[-1].isdigit() else ("", "-")
    for text in dict.fromkeys((version, version.removesuffix(".0"))):
        for between in glue:
            yield f"{base}{between}{text}"
    if base[-1].isdigit():
        yield base


@dataclass(frozen=True)
class Release:
    """A Debian release that bases are made from."""

    suite: str
    glibc: tuple[int, int]


RELEASES = (Release("bookworm", (2, 36)), Release("trixie", (2, 41)))
"""Oldest first."""


def release_of(glibc: tuple[int, int] | None) -> Release:
    """Return the first release whose glibc is as new as an image's, or the newest there is.

    :param glibc: ``None``: not known, or another libc.
    """
    if glibc is None:
        return RELEASES[0]
    return next((release for release in RELEASES if glibc <= release.glibc), RELEASES[-1])


@cache
def table(suite: str) -> LibraryTable:
    """Return the table of a release that comes with this package."""
    raw = resources.files("ociwheel.elf").joinpath("data/debian_libraries.json.gz").read_bytes()
    value = json.loads(gzip.decompress(raw))[suite]
    return LibraryTable(frozenset(value["packages"]), value["sonames"])
