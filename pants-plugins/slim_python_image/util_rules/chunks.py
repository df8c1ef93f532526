"""Chunks of what one process does together, so divided that what changes elsewhere changes no chunk.

A step for each chunk then keeps its key, on this machine and in a remote cache.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Callable, Collection, Iterable, Iterator, Mapping, TypeVar

MOST_NAMES = 12
BITS = 128
"""Of a place."""
_Item = TypeVar("_Item")


def divided(
    places: Mapping[_Item, int], small: Callable[[Collection[_Item]], bool], depth: int = 0
) -> Iterator[tuple[_Item, ...]]:
    """Yield items in chunks that are small enough: halves, by a bit of each one's place, or their halves.

    What is in one half does not depend on the other: so an item more or less changes the chunk that
    it is in, which may become two, or one with its other half.

    :param places: a number of :data:`BITS` bits for each, which the item alone decides.
    """
    if small(places) or depth == BITS:
        if places:
            yield tuple(places)
        return
    halves: tuple[dict[_Item, int], dict[_Item, int]] = ({}, {})
    for one, place in places.items():
        halves[place >> (BITS - 1 - depth) & 1][one] = place
    for half in halves:
        yield from divided(half, small, depth + 1)


@functools.lru_cache(maxsize=100_000)
def _place(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[: BITS // 4], 16)


def chunks_of_names(names: Iterable[str], most: int = MOST_NAMES) -> list[tuple[str, ...]]:
    """Return names, each once and sorted, in chunks of at most ``most``."""
    return list(divided({name: _place(name) for name in sorted(set(names))}, lambda part: len(part) <= most))
