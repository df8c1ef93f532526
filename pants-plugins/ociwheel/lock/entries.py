"""What a lockfile says of each distribution, whatever the format."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

from ociwheel.digest import is_sha256
from ociwheel.errors import ErrorCollector, LockError
from ociwheel.lock.sources import Source
from ociwheel.remedies import Remedy

RELOCK = Remedy("relock")
WITH_HASHES = Remedy("relock-with-hashes")
LONGEST_NAME = 255
"""Characters of a file's name: file systems take no more."""
_ARTIFACTS = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar")


@dataclass(frozen=True, order=True)
class LockedFile:
    """One file that may be used for a locked version."""

    sha256: str
    filename: str | None = None
    size: int | None = None
    """Bytes, where the lock says so."""

    def to_json(self) -> dict[str, Any]:
        """Return the file as part of a document."""
        return {"filename": self.filename, "sha256": self.sha256, "size": self.size}


@dataclass(frozen=True)
class Entry:
    """One locked version of one project."""

    name: str
    """Normalized (PEP 503)."""
    version: str
    files: tuple[LockedFile, ...]
    where: str
    """``lockfile:line``, or the lockfile and the entry where a format has no useful lines."""
    marker: str | None = None
    requires_python: str | None = None
    requires_dist: tuple[str, ...] | None = None
    """PEP 508 requirements; None when the lock does not say."""
    source: Source | None = None
    """Where it comes from, when that is no index."""
    fault: LockError | None = None
    """Why it cannot be used: told to who needs it."""

    def to_json(self) -> dict[str, Any]:
        """Return the entry as part of a document."""
        return {
            "name": self.name,
            "version": self.version,
            "marker": self.marker,
            "requires_python": self.requires_python,
            "requires_dist": None if self.requires_dist is None else list(self.requires_dist),
            "files": [file.to_json() for file in self.files],
            "where": self.where,
            **({"source": self.source.to_json()} if self.source else {}),
            **({"fault": self.fault.to_json()} if self.fault else {}),
        }


@dataclass(frozen=True)
class Lock:
    """A lockfile's entries, and what it was told to set aside."""

    format: str
    entries: tuple[Entry, ...]
    overridden: tuple[str, ...] = ()
    """Requirements in place of others, as Pex has them: ``name<2``, or ``name=another>2``."""
    excluded: tuple[str, ...] = ()
    """Requirements that are left out, with what only they need."""


def unusable(name: str, version: str, fault: LockError, marker: str | None = None) -> Entry:
    """Return the entry of what cannot be used: an error for who needs it, and for nobody else."""
    return Entry(name, version, (), fault.where or name, marker=marker, requires_dist=(), fault=fault)


def sha256_of(algorithm: str, digest: str) -> str | None:
    """Return a digest when it is a SHA-256, the only kind that is used here."""
    digest = digest.strip().lower()
    return digest if algorithm.strip().lower() == "sha256" and is_sha256(digest) else None


def artifact_name(url: str) -> str | None:
    """Return the file name at the end of a URL or path, or None when it is no wheel or sdist."""
    try:
        path = urllib.parse.urlsplit(url).path
    except ValueError:
        return None
    name = urllib.parse.unquote(path).replace("\\", "/").rpartition("/")[2]
    return name if name.endswith(_ARTIFACTS) and len(name) <= LONGEST_NAME else None


def version_of(filename: str) -> str | None:
    """Return the version in the name of a wheel or sdist, None when it has none."""
    try:
        if filename.endswith(".whl"):
            return str(parse_wheel_filename(filename)[1])
        return str(parse_sdist_filename(filename)[1])
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def merge(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries sorted, those of the same version and marker made one.

    :raises LockError: two entries of the same version contradict each other.
    """
    merged: dict[tuple[str, str, str], Entry] = {}
    files: dict[tuple[str, str, str], dict[str, LockedFile]] = {}
    errors = ErrorCollector()
    for entry in entries:
        key = (entry.name, entry.version, entry.marker or "")
        known = merged.setdefault(key, entry)
        if known is not entry and set(known.requires_dist or ()) != set(entry.requires_dist or ()):
            errors.add(
                LockError(
                    f"{entry.name} {entry.version} is locked twice, with different requirements",
                    where=f"{known.where} and {entry.where}",
                    hint=RELOCK,
                )
            )
        found = files.setdefault(key, {})
        for file in entry.files:
            found.setdefault(file.sha256, file)
    errors.raise_if_any()
    return tuple(
        replace(entry, files=tuple(sorted(files[key].values(), key=_file_key)))
        for key, entry in sorted(merged.items())
    )


def _file_key(file: LockedFile) -> tuple[str, str]:
    return file.filename or "", file.sha256
