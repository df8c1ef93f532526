"""The sysroot: what a cross compiler needs of the target's packages, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ociwheel.base.merge import merge
from ociwheel.base.tree import write_tree
from ociwheel.debian.policy import SYSROOT_KEPT

if TYPE_CHECKING:
    from collections.abc import Iterable
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
    write_tree({path: item for path, item in placed.items() if item.kind != "dir"}, output)
