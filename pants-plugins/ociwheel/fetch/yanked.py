"""Which locked versions their projects took back from the indexes.

PEP 592: a file "marked as yanked" is one that an installer takes only where a pin asks for it, as a lock
does: what is locked still installs, and nobody is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ociwheel.errors import ErrorCollector, FetchError
from ociwheel.fetch.artifacts import no_sources
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import IndexFile, belongs_to
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.hints import hint_for
from ociwheel.wording import shown

_AT_ONCE = 8
"""Projects to ask for at the same time: the wait is the network's."""


@dataclass(frozen=True, order=True)
class LockedVersion:
    """A version of a project with the hashes of its locked files."""

    name: str
    version: str
    hashes: frozenset[str]


@dataclass(frozen=True)
class _Listed:
    """What all indexes together have of a locked version.

    :param locked: files with a locked hash, as each index lists them.
    :param unhashed: an index lists files of the version without their hashes.
    """

    locked: tuple[IndexFile, ...]
    unhashed: bool


def _listed(client: IndexClient, wanted: LockedVersion) -> _Listed:
    """Ask all indexes.

    :raises FetchError: none lists one of the files, and some did not answer.
    """
    locked: list[IndexFile] = []
    failures: list[Failure] = []
    unhashed = False
    for offer in client.offers(wanted.name):
        if offer.failure:
            failures.append(offer.failure)
        for file in offer.files:
            if file.sha256 in wanted.hashes:
                locked.append(file)
            elif file.sha256 is None and belongs_to(file.filename, wanted.name, wanted.version):
                unhashed = True
    if not locked and not unhashed and any(one.kind is not Kind.NOT_FOUND for one in failures):
        raise FetchError(
            "no index says what became of it",
            where=f"{wanted.name} {wanted.version}",
            details=[str(failure) for failure in failures],
            hint=hint_for(failures, "add the index that has it"),
        )
    return _Listed(tuple(locked), unhashed)


def _row(wanted: LockedVersion, listed: _Listed) -> dict[str, Any] | None:
    """Return what became of a locked version, None where nothing did."""
    taken = {file.sha256: file for file in listed.locked if file.yanked}
    if listed.locked and not taken:
        return None
    if not listed.locked and listed.unhashed:
        return None
    reasons = sorted({shown(file.yanked_why) for file in taken.values() if file.yanked_why})
    return {
        "name": wanted.name,
        "version": wanted.version,
        "status": "yanked" if taken else "gone",
        "files": sorted(file.filename for file in taken.values()),
        "reason": "; ".join(reasons) or None,
    }


def yanked(client: IndexClient, versions: Iterable[LockedVersion]) -> list[dict[str, Any]]:
    """Return a row for each version with a locked file that is yanked, or that no index has any file of.

    :raises FetchError: indexes that did not answer, of all versions together.
    """
    wanted = sorted(versions)
    if wanted and not client.sources:
        raise no_sources(wanted[0].name)
    errors = ErrorCollector()
    rows = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [pool.submit(_listed, client, one) for one in wanted]
    for one, answer in zip(wanted, asked, strict=True):
        try:
            row = _row(one, answer.result())
        except FetchError as e:
            errors.add(e)
            continue
        if row:
            rows.append(row)
    errors.raise_if_any()
    return rows
