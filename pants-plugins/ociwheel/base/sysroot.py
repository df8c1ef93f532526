"""The sysroot: what a cross compiler needs of the target's packages, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ociwheel.base.merge import MERGED_FOLDERS, merge
from ociwheel.base.tree import write_tree
from ociwheel.debian.policy import SYSROOT_KEPT
from ociwheel.formats.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ociwheel.debian.deb import Package

_KEPT = re.compile("|".join(SYSROOT_KEPT))


def is_kept(path: str) -> bool:
    """Whether compiling can need a path of a package."""
    return _KEPT.fullmatch(path) is not None


def write_sysroot(packages: Iterable[Package], output: Path) -> None:
    """Write the sysroot below ``output``; folders exist only where they hold something.

    :raises BaseError: two packages ship the same path, or one is hostile.
    """
    placed = merge(packages, lambda path: not is_kept(path))
    files = {path: item for path, item in placed.items() if item.kind != "dir"}
    write_tree({**one_case(files), **merged_links(files)}, output)


def merged_links(placed: Iterable[str]) -> dict[str, Entry]:
    """Return the links of merged ``/usr``: ``libc.so``, a text for linkers, names libc below ``/lib``."""
    folders = {path.split("/")[1] for path in placed if path.startswith("usr/lib")}
    return {
        name: Entry(name, "symlink", 0o777, target=f"usr/{name}")
        for name in MERGED_FOLDERS
        if name in folders
    }


def one_case(placed: Mapping[str, Entry]) -> dict[str, Entry]:
    """Leave out headers of Linux whose names differ from another's in case alone: a Mac's folder holds one.

    They are netfilter's old targets, ``xt_MARK.h`` beside ``xt_mark.h``.
    """
    lower = {path for path in placed if path == path.lower()}
    return {
        path: item
        for path, item in placed.items()
        if not (path.startswith("usr/include/linux/") and path not in lower and path.lower() in lower)
    }
