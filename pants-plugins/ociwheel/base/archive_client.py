"""Reads a suite from a mirror: ``InRelease`` first, then the package indexes it vouches for."""

from __future__ import annotations

import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ociwheel.base.mirrors import archive_mirrors, archive_of_suite
from ociwheel.base.packages import Candidate, split_paragraphs
from ociwheel.base.release import IndexedFile, Release, parse_release, verified_text
from ociwheel.errors import BaseError, FetchError, OciwheelError, redact

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

Opener = Callable[[str], bytes]
"""Returns what a URL gives; raises :class:`OciwheelError`."""

_DECOMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
    "": bytes,
}


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
                text = verified_text(self.opener(where), self.keyrings, where)
                return Suite(name, archive, mirror, parse_release(text, name, self.now, where))
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
        for suffix, decompress in _DECOMPRESS.items():
            entry = suite.release.file(prefix + suffix)
            if entry:
                data = self._index(suite, entry)
                try:
                    text = decompress(data).decode(errors="replace")
                except (lzma.LZMAError, OSError, EOFError, zlib.error) as e:
                    raise BaseError(f"cannot be decompressed: {e}", where=entry.path) from e
                return list(split_paragraphs(text, suite.archive))
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
                data = self.opener(url)
                entry.check(data, url)
                return data
            except OciwheelError as e:
                sys.stderr.write(redact(f"warning: {e.what} ({url})\n"))
                faults.append(e)
        raise faults[0]
