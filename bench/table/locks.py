"""Makes the locks of the table: the base, the sdists, and their build requirements."""

from __future__ import annotations

import dataclasses
import json

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from bench.table.listing import Distribution, Listing, Package, render_lock
from bench.table.workshop import Workshop, say
from ociwheel.build.build_lock import BuildLock, render
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import IndexFile
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
    """Write the lock of build requirements of sdists that it lacks, by the goal's own step."""
    before = BuildLock()
    if workshop.build_lock.exists():
        before = BuildLock.from_json(json.loads(workshop.build_lock.read_text()), str(workshop.build_lock))
    wanted = {d.sha256 for _, d in rows}
    kept = [row for row in before.environments if row.sha256 in wanted and row.python == workshop.minor]
    missing = [(p, d) for p, d in rows if d.sha256 not in {row.sha256 for row in kept}]
    made = _lock_missing(workshop, missing) if missing else BuildLock()
    files = {**(before.files or {}), **(made.files or {})}
    environments = sorted([*kept, *made.environments], key=lambda row: row.sdist)
    pins = sorted({str(pin) for row in environments for pin in row.pins})
    lock = BuildLock(tuple(environments), {pin: files[pin] for pin in pins})
    workshop.build_lock.write_bytes(render(lock))


def _lock_missing(workshop: Workshop, rows: list[tuple[Package, Distribution]]) -> BuildLock:
    folder = workshop.work / "sdists"
    request = {
        "sdists": [dataclasses.asdict(d) for _, d in rows],
        "constraints": {p.name: list(p.constraints) for p, _ in rows},
    }
    path = workshop.work / "build-lock-request.json"
    path.write_text(json.dumps(request))
    output = workshop.work / "build.lock"
    say(f"locking the build requirements of {len(rows)} sdists")
    workshop.steps.step(
        *("build-lock", "--python-minor", workshop.minor, "--sdists", folder),
        *("--request", path, "--output", output, "--tools", workshop.tools(rust=False)),
        cwd=workshop.work,
        interpreter=workshop.interpreter,
    )
    return BuildLock.from_json(json.loads(output.read_text()), str(output))


def lock_all(workshop: Workshop, listing: Listing) -> None:
    """Lock everything anew."""
    say("locking the base")
    lock_base(workshop, listing)
    python = workshop.debian["platforms"][listing.base["platforms"][0]]["target"]["python"]
    say("locking the sdists")
    lock_distributions(workshop, listing, python)
    locked = workshop.distributions()
    rows = [(package, locked[package.key]) for package in listing.packages]
    folder = workshop.work / "sdists"
    folder.mkdir(exist_ok=True)
    for _, sdist in rows:
        link = folder / sdist.filename
        link.unlink(missing_ok=True)
        link.symlink_to(workshop.fetch(sdist))
    lock_requirements(workshop, rows)
