"""The newest version of a project that has a wheel for a target and that the lock could take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from ociwheel.fetch.simple_api import IndexFile
from ociwheel.plan.artifacts import choose
from ociwheel.plan.closure import Node, settle
from ociwheel.plan.model import File, Formats, Locked, Request
from ociwheel.target import Target


@dataclass(frozen=True)
class VersionLimits:
    """Which versions of a project the lock could take."""

    specifier: SpecifierSet
    """What everything that requires the project allows."""
    prereleases: bool
    """Whether a pre-release counts: only where one is asked for, or locked now."""

    def allow(self, version: Version) -> bool:
        """Whether a version may be locked."""
        if version.is_prerelease and not self.prereleases:
            return False
        return self.specifier.contains(version, prereleases=True)


@dataclass(frozen=True)
class NewestWheel:
    """A version, and the wheel of it that fits best."""

    version: str
    file: File


def _limits(node: Node | None) -> VersionLimits:
    if node is None:
        return VersionLimits(SpecifierSet(), prereleases=False)
    specifier = SpecifierSet()
    for demand in node.demands:
        specifier &= demand.requirement.specifier
    try:
        locked = Version(node.locked.version).is_prerelease
    except InvalidVersion:
        locked = False
    return VersionLimits(specifier, prereleases=locked or bool(specifier.prereleases))


def limits(request: Request, target: Target, names: Iterable[str]) -> dict[str, VersionLimits]:
    """Return what the roots and the locked versions they reach, extras included, allow of each name.

    Faults of the lock are the plan's to report: what cannot be followed limits nothing.
    """
    nodes = settle(request, target).nodes
    return {name: _limits(nodes.get(name)) for name in names}


def newest_wheel(
    name: str, files: Iterable[IndexFile], limit: VersionLimits, target: Target
) -> NewestWheel | None:
    """Return the newest allowed version with a wheel that fits ``target``, or None."""
    versions: dict[Version, list[File]] = defaultdict(list)
    for file in files:
        # PEP 592: "An installer MUST ignore yanked releases, if the selection constraints can be
        # satisfied with a non-yanked version"; a proposal can always do without.
        if file.yanked or not file.filename.endswith(".whl"):
            continue
        try:
            version = parse_wheel_filename(file.filename)[1]
        except (InvalidWheelFilename, InvalidVersion):
            continue
        if limit.allow(version):
            versions[version].append(File(file.filename, file.sha256 or "", file.size, file.requires_python))
    wheels_only = Formats(only_binary=frozenset({name}))
    for version in sorted(versions, reverse=True):
        chosen = choose(Locked(name, str(version), tuple(versions[version]), ()), target, wheels_only)
        if chosen is not None:
            return NewestWheel(str(version), chosen)
    return None
