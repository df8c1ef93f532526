"""Chunks of names that one process does together, cut where their content says.

A name more or less changes the chunk that it is in, and now and then one or two beside it, whatever else
there is: so a step for each chunk keeps its key, on this machine and in a remote cache, when something
changes elsewhere.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Iterable, Sequence

AVERAGE = 8
MOST = 16


@functools.lru_cache(maxsize=100_000)
def _mark(name: str) -> int:
    """Return a number that only the name decides."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _halved(names: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """Return a run in pieces of at most ``most``, cut after the name with the smallest number each time."""
    if len(names) <= most:
        return [tuple(names)]
    cut = min(range(len(names) - 1), key=lambda place: _mark(names[place])) + 1
    return [*_halved(names[:cut], most), *_halved(names[cut:], most)]


def cut_chunks(names: Iterable[str], average: int = AVERAGE, most: int = MOST) -> list[tuple[str, ...]]:
    """Return names, sorted and each once, in chunks.

    A chunk ends after a name whose own hash says so: no version is part of it, so an upgrade moves no cut.

    :param average: names of a chunk, on average.
    :param most: names of the largest chunk.
    """
    runs: list[list[str]] = [[]]
    for name in sorted(set(names)):
        runs[-1].append(name)
        if _mark(name) % average == 0:
            runs.append([])
    return [chunk for run in runs if run for chunk in _halved(run, most)]
