"""Which Debian packages are fetched together: docs/decisions/031.

A chunk is the same in every request of a base that asks for it, and a package that changes, comes or goes
changes its own chunk alone.
"""

from __future__ import annotations

import hashlib
from typing import Collection, Iterable

from slim_python_image.bases import DebPackage
from slim_python_image.util_rules.chunks import divided

MOST_PACKAGES = 24
MOST_BYTES = 8 << 20
"""Of a chunk, so of what one package that changed brings again."""
ALONE_BYTES = 2 << 20
"""A package of so many is a chunk by itself: beside its bytes a process is cheap."""


def lots(lists: Iterable[tuple[str, Iterable[str]]]) -> dict[str, str]:
    """Return for each package which lists it is in, in short: those of the same are asked for together.

    :param lists: of keys of packages, each with the name of who asks for it.
    """
    named: dict[str, set[str]] = {}
    for name, keys in lists:
        for key in keys:
            named.setdefault(key, set()).add(name)
    return {key: _hash("\n".join(sorted(who)))[:16] for key, who in named.items()}


def chunks(packages: Iterable[DebPackage]) -> tuple[tuple[DebPackage, ...], ...]:
    """Return packages, each once, as they are fetched together: of one lot and one architecture."""
    found: list[tuple[DebPackage, ...]] = []
    small: dict[tuple[str, str], dict[DebPackage, int]] = {}
    for one in sorted(set(packages)):
        if one.size >= ALONE_BYTES:
            found.append((one,))
        else:
            small.setdefault((one.lot, one.architecture), {})[one] = _place(one)
    for places in small.values():
        found += divided(places, _is_small)
    return tuple(sorted(found))


def _is_small(packages: Collection[DebPackage]) -> bool:
    return len(packages) <= MOST_PACKAGES and sum(one.size for one in packages) <= MOST_BYTES


def _place(package: DebPackage) -> int:
    """Return a number of `BITS` bits that another version does not change, but for its last.

    Its first bits are those of the source package, which is the folder in the pool: what is made of one
    source changes together.
    """
    folder, _, file = package.path.rpartition("/")
    return int(_hash(folder.rpartition("/")[2])[:8] + _hash(package.name)[:8] + _hash(file)[:16], 16)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
