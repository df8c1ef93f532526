"""Libraries that Python code opens by name: whether an image has them, and which Debian package does."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from ociwheel.elf.debian_libraries import LibraryTable
from ociwheel.elf.tree import ImageTree


class Libraries:
    """The libraries of an image."""

    def __init__(self, tree: ImageTree) -> None:
        """Take the names of an image's files."""
        self._names = {posixpath.basename(path) for path in tree.elf}
        self._names |= {facts.soname for facts in tree.elf.values() if facts.soname}
        self._stems = {name.partition(".so")[0] for name in self._names}
        self._of: dict[str, set[str]] = {}
        for path, facts in tree.elf.items():
            self._of.setdefault(facts.origin, set()).add(posixpath.basename(path))

    def has_one(self, names: Iterable[str]) -> bool:
        """Tell whether one of several names to try is there."""
        return any(name in self._names or _stem(name) in self._stems for name in names)

    def may_be_own(self, origin: str, names: Iterable[str]) -> bool:
        """Tell whether a distribution brings one of several: auditwheel puts a hash into names."""
        return any(own.startswith(_stem(name)) for name in names for own in self._of.get(origin, ()))


def known(names: Iterable[str], libraries: LibraryTable) -> tuple[str, str] | None:
    """Return the first of several names that a Debian package is known for, and the package."""
    return next(((name, package) for name in names if (package := _package(name, libraries))), None)


def _stem(name: str) -> str:
    """Return ``libmagic`` of ``magic``, as ``find_library`` takes it, and of ``libmagic.so.1``."""
    stem = name.partition(".so")[0]
    return stem if stem.startswith("lib") else f"lib{stem}"


def _package(name: str, libraries: LibraryTable) -> str | None:
    if ".so." in name:
        return libraries.package(name)
    if "." in name.removesuffix(".so").removesuffix(".0"):  # .dll and .dylib
        return None
    wanted = re.compile(rf"{re.escape(_stem(name).lower())}-?\d[\d.]*(?:t64)?")
    return min((package for package in libraries.packages if wanted.fullmatch(package)), default=None)
