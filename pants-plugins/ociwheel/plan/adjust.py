"""What a lock was told to set aside: requirements that are overridden, and those that are excluded.

The words are Pex's: ``--override`` takes ``name<2``, or ``name=another>2`` for another project in its place;
``--exclude`` a requirement. ``override-dependencies`` of uv is the first form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ociwheel.errors import PlanError
from ociwheel.requirement import parse_marker, parse_requirement

_REPLACED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*=(?!=)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Adjustments:
    """Overrides and excludes, by normalized name."""

    overrides: dict[str, tuple[Requirement, ...]] = field(default_factory=dict)
    excludes: dict[str, tuple[SpecifierSet, ...]] = field(default_factory=dict)

    @staticmethod
    def parse(overridden: Iterable[str], excluded: Iterable[str], where: str) -> Adjustments:
        """Return what the texts of a lock, or of settings, say.

        :raises PlanError: one is no requirement.
        """
        overrides: dict[str, list[Requirement]] = {}
        excludes: dict[str, list[SpecifierSet]] = {}
        for text in overridden:
            replaced = _REPLACED.fullmatch(text)
            requirement = _parse(replaced[2] if replaced else text, "an override", where)
            name = str(canonicalize_name(replaced[1] if replaced else requirement.name))
            overrides.setdefault(name, []).append(requirement)
        for text in excluded:
            requirement = _parse(text, "an exclude", where)
            excludes.setdefault(str(canonicalize_name(requirement.name)), []).append(requirement.specifier)
        return Adjustments(
            {name: tuple(found) for name, found in overrides.items()},
            {name: tuple(found) for name, found in excludes.items()},
        )

    def excluded(self, name: str, versions: Iterable[str]) -> bool:
        """Whether a project is left out; ``versions`` are those that are locked of it."""
        specifiers = self.excludes.get(name, ())
        locked = list(versions) if specifiers else []
        for specifier in specifiers:
            if not specifier or not locked or any(specifier.contains(v, prereleases=True) for v in locked):
                return True
        return False

    def apply(self, requirement: Requirement) -> Iterator[Requirement]:
        """Yield what stands in place of a requirement: itself, or its overrides under its own marker too."""
        found = self.overrides.get(str(canonicalize_name(requirement.name)))
        if found is None:
            yield requirement
            return
        for override in found:
            one = parse_requirement(str(override))
            one.marker = _both(requirement.marker, override.marker)
            yield one


def _both(own: Marker | None, other: Marker | None) -> Marker | None:
    return parse_marker(f"({own}) and ({other})") if own and other else own or other


def _parse(text: str, what: str, where: str) -> Requirement:
    try:
        return parse_requirement(text.strip())
    except InvalidRequirement as e:
        raise PlanError(f"{what} is no requirement: {text} ({str(e).splitlines()[0]})", where=where) from e
