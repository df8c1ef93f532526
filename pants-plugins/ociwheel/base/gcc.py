"""Debian's own gcc for a target, from the packages of the machine that builds; it runs in a build's root."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ociwheel.base.merge import merge
from ociwheel.base.tree import write_tree
from ociwheel.errors import BaseError

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
_DRIVER = re.compile(r"usr/bin/(?:[\w-]+-)?g\+\+-\d+")


def write_gcc(packages: Iterable[Package], output: Path) -> None:
    """Write the compiler below ``output``.

    :raises BaseError: the packages have no g++.
    """
    packages = tuple(packages)
    placed = merge(packages, lambda path: _KEPT.fullmatch(path) is None)
    if not any(_DRIVER.fullmatch(path) for path in placed):
        raise BaseError("the packages have no g++", details=[f"{p.name} {p.version}" for p in packages])
    write_tree({path: item for path, item in placed.items() if item.kind != "dir"}, output)
