"""Makes the locks of the table: the base, the sdists, and their build requirements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from bench.table.building import hook_arguments
from bench.table.listing import Distribution, Listing, Package, render_lock
from bench.table.settling import Ways, settle
from bench.table.steps import StepFailedError
from bench.table.workshop import Workshop, say
from ociwheel.build.build_lock import BuildLock, render
from ociwheel.errors import LockError
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import IndexFile
from ociwheel.reading import Value, failing
from ociwheel.transport import settings


def lock_base(workshop: Workshop, listing: Listing) -> None:
    """Write the lock of the base that has what all packages need."""
    request = workshop.work / "base-request.json"
    request.write_text(json.dumps(listing.base_request()))
    workshop.steps.step(
        "debian-lock", "--request", request, "--output", workshop.base_lock, cwd=workshop.work
    )


def lock_distributions(workshop: Workshop, listing: Listing, python: str) -> None:
    """Write which sdists are built, and which pure wheels they need beside them."""
    client = IndexClient(settings.load())
    names = {package.name for package in listing.packages}
    wanted = [(package.name, package.version, True) for package in listing.packages]
    needed = {need.partition("==")[0] for package in listing.packages for need in package.needs}
    wanted += [(name, None, False) for name in sorted(needed - names)]
    rows = []
    for name, version, sdist in wanted:
        files = [file for offer in client.offers(name) for file in offer.files]
        rows.append(_newest(name, version, files, python, sdist=sdist))
    workshop.sdist_lock.write_text(render_lock(rows), encoding="utf-8")


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


def lock_requirements(workshop: Workshop, rows: list[tuple[Package, Distribution]]) -> None:
    """Write the lock of build requirements of sdists that it lacks, by the goal's own steps.

    One that cannot be locked is told, and stops no other.
    """
    before = BuildLock()
    if workshop.build_lock.exists():
        before = BuildLock.from_json(json.loads(workshop.build_lock.read_text()), str(workshop.build_lock))
    wanted = {d.sha256 for _, d in rows}
    kept = [row for row in before.environments if row.sha256 in wanted and row.python == workshop.minor]
    done = {row.sha256 for row in kept}
    missing = [(p, d) for p, d in rows if d.sha256 not in done]
    lock = BuildLock(tuple(kept), before.files, before.crates)
    for number, (package, sdist) in enumerate(missing, 1):
        say(f"{number} of {len(missing)}: locking what the build of {sdist.key} requires")
        try:
            made = BuildLock.read_rows(
                Value(_locked(workshop, package, sdist), "", failing(LockError, sdist.key))
            )
        except StepFailedError as e:
            say(f"{sdist.key} is not locked: {e}")
            continue
        failed = {row.sdist for row in lock.environments}
        lock = lock.renewed(made, [workshop.minor], None, failed)
    workshop.build_lock.write_bytes(render(lock))


def _locked(workshop: Workshop, package: Package, sdist: Distribution) -> dict[str, Any]:
    folder = workshop.work / "requires" / sdist.key
    platform = min(workshop.debian["platforms"])

    def ask(wheels: Path) -> dict[str, Any]:
        arguments = hook_arguments(workshop, package, sdist, platform, folder)
        return workshop.steps.step(
            "build-requires",
            *arguments,
            *("--requirements", wheels),
            cwd=folder,
            interpreter=workshop.interpreter,
        )

    def resolve(question: Mapping[str, Any]) -> dict[str, Any]:
        (folder / "request.json").write_text(json.dumps(question))
        return workshop.steps.step(
            *("build-resolve", "--request", "request.json", "--target", workshop.target(workshop.host)),
            cwd=folder,
            interpreter=workshop.interpreter,
        )

    ways = Ways(ask, resolve, workshop.fetch)
    document, said = settle(sdist, workshop.minor, ways, folder / "wheels", package.constraints)
    if said["failed"] is not None:
        say(f"{sdist.key}: its backend cannot say what it requires: {said['failed']}")
    return document


def lock_all(workshop: Workshop, listing: Listing) -> None:
    """Lock everything anew."""
    say("locking the base")
    lock_base(workshop, listing)
    python = workshop.debian["platforms"][listing.base["platforms"][0]]["target"]["python"]
    say("locking the sdists")
    lock_distributions(workshop, listing, python)
    locked = workshop.distributions()
    rows = [(package, locked[package.key]) for package in listing.packages]
    lock_requirements(workshop, rows)
