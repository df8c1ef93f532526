"""Locks the sdists of the table."""

from __future__ import annotations

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from bench.table.listing import Distribution, Listing, read_lock, render_lock
from bench.table.workshop import Workshop
from ociwheel.documents import write_whole
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import IndexFile
from ociwheel.transport import settings


def lock_distributions(workshop: Workshop, listing: Listing, python: str, *, anew: bool) -> None:
    """Write which sdists are built, and which pure wheels they need beside them.

    :param anew: newer versions are looked for; else only what the list has and the lock has not.
    """
    before = {} if anew or not workshop.sdist_lock.exists() else read_lock(workshop.sdist_lock)
    client = IndexClient(settings.load())
    names = {package.name for package in listing.packages}
    wanted = [(package.name, package.version, True) for package in listing.packages]
    needed = {need.partition("==")[0] for package in listing.packages for need in package.needs}
    wanted += [(name, None, False) for name in sorted(needed - names)]
    rows = []
    for name, version, sdist in wanted:
        row = before.get(f"{name}=={version}" if version else name)
        if row is None:
            files = [file for offer in client.offers(name) for file in offer.files]
            row = _newest(name, version, files, python, sdist=sdist)
        rows.append(row)
    write_whole(workshop.sdist_lock, render_lock(sorted(set(rows))).encode())


def _newest(
    name: str, wanted: str | None, files: list[IndexFile], python: str, *, sdist: bool
) -> Distribution:
    found: dict[Version, IndexFile] = {}
    for file in files:
        version = _version(file.filename, sdist=sdist)
        if version is None or file.yanked or (wanted is None and version.is_prerelease):
            continue
        try:
            if not SpecifierSet(file.requires_python or "").contains(python):
                continue
        except InvalidSpecifier:
            continue
        if wanted in {None, str(version)}:
            found[version] = file
    if not found:
        kind = "sdist" if sdist else "pure wheel"
        raise SystemExit(f"{name}: the index has no {kind} of {wanted or 'it'}")
    version, file = max(found.items())
    return Distribution(name, str(version), file.filename, file.sha256 or "")


def _version(filename: str, *, sdist: bool) -> Version | None:
    try:
        if sdist:
            return parse_sdist_filename(filename)[1]
        return parse_wheel_filename(filename)[1] if filename.endswith("-none-any.whl") else None
    except (InvalidSdistFilename, InvalidWheelFilename, InvalidVersion):
        return None
