"""Reads a suite from a mirror: ``InRelease`` first, then the package indexes it vouches for."""

from __future__ import annotations

import lzma
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ociwheel.debian.mirrors import archive_mirrors, archive_of_suite
from ociwheel.debian.packages import Candidate, split_paragraphs
from ociwheel.debian.release import IndexedFile, Release, parse_release, verified_text
from ociwheel.errors import BaseError, FetchError, OciwheelError
from ociwheel.notes import warn

if TYPE_CHECKING:
    from pathlib import Path

Opener = Callable[[str, int], bytes]
"""Returns what a URL gives, at most so many bytes; raises :class:`OciwheelError`."""

_STATE = re.compile(r"/(\d{8}T\d{6}Z)/?\Z")
_SUFFIXES = (".xz", ".gz", "")
MOST_RELEASE = 16 << 20
"""Bytes of an ``InRelease``; Debian's have some hundred thousand."""
MOST_INDEX = 1 << 30
"""Bytes of a package index; Debian's largest has 60 million."""
_XZ_MEMORY = 256 << 20
_MOST_PARTS = 100
"""Files after one another in one: each is copied with all that follow it."""


def decompressed(data: bytes, suffix: str, most: int, where: str) -> bytes:
    """Return a package index as text.

    :param suffix: ``.xz``, ``.gz`` or none.
    :param most: bytes that it may have.
    :raises BaseError: it is damaged, or has more.
    """
    if not suffix:
        return data
    parts: list[bytes] = []
    left = most
    while data:
        unpacker: Any = lzma.LZMADecompressor(memlimit=_XZ_MEMORY) if suffix == ".xz" else _Gunzip()
        try:
            part = unpacker.decompress(data, left + 1)
        except (lzma.LZMAError, zlib.error) as e:
            raise BaseError(f"cannot be decompressed: {e}", where=where) from e
        left -= len(part)
        if left < 0:
            raise BaseError(f"has more than {most} bytes when decompressed", where=where)
        if not unpacker.eof:
            raise BaseError("cannot be decompressed: it ends too early", where=where)
        parts.append(part)
        if len(parts) > _MOST_PARTS:
            raise BaseError(f"has more than {_MOST_PARTS} compressed parts", where=where)
        data = unpacker.unused_data
    return b"".join(parts)


class _Gunzip:
    """Reads one member of a gzip file as the decompressor of :mod:`lzma` reads a stream."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._inner.decompress(data, most)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def time_of(mirror: str, now: datetime) -> datetime:
    """Return the time at which releases of a mirror have to be valid.

    A URL that ends with a time, as those of Debian's snapshot archive do, names a state of the archive:
    nobody who names it expects a later one, and its releases are those of that time.

    :param mirror: its URL.
    """
    found = _STATE.search(mirror)
    try:
        return datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if found else now
    except ValueError:  # digits, and no time
        return now


@dataclass(frozen=True)
class Suite:
    """A suite with its verified release and the mirror that gave it."""

    name: str
    archive: str
    mirror: str
    release: Release


@dataclass(frozen=True)
class ArchiveClient:
    """What is needed to read suites.

    :param opener: the door to the network.
    :param mirrors: base URLs by archive, best first.
    :param keyrings: files with the OpenPGP keys to trust.
    :param now: the time, for the validity of releases.
    """

    opener: Opener
    mirrors: Mapping[str, Sequence[str]]
    keyrings: Sequence[Path]
    now: datetime

    def suite(self, name: str) -> Suite:
        """Fetch and verify a suite's ``InRelease`` from the first mirror that has a good one.

        :raises BaseError: none has, with each mirror's fault.
        """
        archive = archive_of_suite(name)
        faults: list[OciwheelError] = []
        for mirror in archive_mirrors(archive, self.mirrors):
            where = f"{mirror}/dists/{name}/InRelease"
            try:
                text = verified_text(self.opener(where, MOST_RELEASE), self.keyrings, where)
                release = parse_release(text, name, time_of(mirror, self.now), where)
                return Suite(name, archive, mirror, release)
            except (BaseError, FetchError) as e:
                faults.append(e)
        if len(faults) == 1:
            raise faults[0]
        lines = [line for fault in faults for line in fault.render().splitlines()]
        raise BaseError(f"no mirror gives the suite {name!r}:", details=lines)

    def packages(self, suite: Suite, component: str, architecture: str) -> list[Candidate]:
        """Fetch, check and split one package index.

        :raises BaseError: the suite has no such index, or no mirror gives it as signed.
        """
        prefix = f"{component}/binary-{architecture}/Packages"
        plain = suite.release.file(prefix)
        for suffix in _SUFFIXES:
            entry = suite.release.file(prefix + suffix)
            if entry:
                most = min(plain.size, MOST_INDEX) if plain else MOST_INDEX
                data = decompressed(self._index(suite, entry), suffix, most, entry.path)
                return list(split_paragraphs(data.decode(errors="replace"), suite.archive))
        raise BaseError(
            f"the suite has no component {component!r} for {architecture}",
            where=suite.name,
            details=[f"its architectures: {', '.join(suite.release.architectures)}"],
        )

    def _index(self, suite: Suite, entry: IndexedFile) -> bytes:
        base = f"{suite.mirror}/dists/{suite.name}"
        folder, _, _ = entry.path.rpartition("/")
        # A mirror in the middle of an update still has the old index under its hash.
        urls = (f"{base}/{entry.path}", f"{base}/{folder}/by-hash/SHA256/{entry.sha256}")
        faults: list[OciwheelError] = []
        for url in urls:
            try:
                data = self.opener(url, min(entry.size, MOST_INDEX))
                entry.check(data, url)
                return data
            except OciwheelError as e:
                warn(f"{e.what} ({url})")
                faults.append(e)
        raise faults[0]
