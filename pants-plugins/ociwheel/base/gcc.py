"""Debian's own gcc for a target, from the packages of the machine that builds; it runs in a build's root."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ociwheel.base.merge import merge
from ociwheel.base.tree import write_tree
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ociwheel.debian.deb import Package

_SANITIZERS = r"lib(?:asan|hwasan|itm|lsan|tsan|ubsan)[._]"
_KEPT = re.compile(
    "|".join(
        [
            # A program for another machine has its triplet before its name, one for this machine may have.
            r"usr/bin/(?:[\w-]+-)?(?:gcc|g\+\+)-\d+",
            r"usr/bin/(?:[\w-]+-)?(?:as|ld|ld\.bfd)",
            rf"usr/lib/gcc(?:-cross)?/[^/]+/[^/]+/(?!lto1$|lto-dump|plugin/|{_SANITIZERS}).+",
            r"usr/[\w-]+-linux-gnu\w*/(?:include|lib|bin)/.+",
            r"usr/include/(?:[^/]+/)?c\+\+/.+",
            r"usr/lib/[^/]+/lib[^/]+\.so\.[\d.]+|usr/lib/[^/]+/lib(?:bfd|ctf|opcodes)[^/]*\.so",
            r"usr/lib(?:64)?/ld-[^/]+|usr/lib/[^/]+/ld-[^/]+",
        ]
    )
)
_TOOL = re.compile(r"usr/bin/(?P<triplet>[\w-]+-linux-gnu\w*)-(?P<name>as|ld)")
_DRIVER = re.compile(r"usr/bin/(?:[\w-]+-)?g\+\+-\d+")


def write_gcc(packages: Iterable[Package], output: Path) -> None:
    """Write the compiler below ``output``.

    :raises BaseError: the packages have no g++.
    """
    packages = tuple(packages)
    placed = merge(packages, lambda path: _KEPT.fullmatch(path) is None)
    if not any(_DRIVER.fullmatch(path) for path in placed):
        raise BaseError("the packages have no g++", details=[f"{p.name} {p.version}" for p in packages])
    files = {path: item for path, item in placed.items() if item.kind != "dir"}
    write_tree({**_tools(files), **files}, output)


def _tools(placed: Iterable[str]) -> dict[str, Entry]:
    """Return links to assembler and linker in the folder where a compiler for another machine has them."""
    found = (match for path in placed if (match := _TOOL.fullmatch(path)))
    return {
        path: Entry(path, "symlink", 0o777, target=f"/{match[0]}")
        for match in found
        for path in (f"usr/{match['triplet']}/bin/{match['name']}",)
    }
