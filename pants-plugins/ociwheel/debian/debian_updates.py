"""Which packages of a lock have newer versions in the suites it was resolved from. Nothing is resolved."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ociwheel.debian.relations import parse_version
from ociwheel.documents import check_schema
from ociwheel.reading import Value

if TYPE_CHECKING:
    from ociwheel.debian.packages import Candidate

ALL = "all"
SECURITY_ARCHIVE = "debian-security"


@dataclass(frozen=True)
class Offered:
    """A version of a package that a suite has."""

    suite: str
    candidate: Candidate

    @property
    def security(self) -> bool:
        """Whether it is of the archive that has security updates alone."""
        return self.candidate.archive == SECURITY_ARCHIVE


Load = Callable[[str], Iterable[Offered]]
"""Gives what the suites of a lock have for a Debian architecture."""


@dataclass(frozen=True)
class LockedPackage:
    """A package of a lock."""

    name: str
    version: str
    architecture: str
    in_image: bool
    """Whether it is in images; others build them."""


@dataclass(frozen=True)
class Locked:
    """What of a ``debian-lock`` document tells whether it is behind."""

    suites: tuple[str, ...]
    components: tuple[str, ...]
    packages: tuple[LockedPackage, ...]

    @classmethod
    def parse(cls, value: Value) -> Locked:
        """Return what a lock holds; what is wrong is an error of the document's."""
        inputs = check_schema(value, "debian-lock").at("inputs")
        platforms = tuple(value.at("platforms").members().values())
        layers = itertools.chain.from_iterable(one.at("layers").items() for one in platforms)
        added = (one.optional("image_packages", Value.members) or {} for one in platforms)
        lists = [layer.at("packages") for layer in layers]
        lists += itertools.chain.from_iterable(one.values() for one in added)
        shipped = {key for keys in lists for key in keys.texts()}
        packages = (
            LockedPackage(
                row.at("name").text(), row.at("version").text(), row.at("architecture").text(), key in shipped
            )
            for key, row in sorted(value.at("packages").members().items())
        )
        return cls(
            suites=inputs.at("suites").texts(empty=False),
            components=inputs.optional("components", Value.texts) or ("main",),
            packages=tuple(packages),
        )

    @property
    def architectures(self) -> tuple[str, ...]:
        """The Debian architectures of the packages."""
        return tuple(sorted({one.architecture for one in self.packages} - {ALL}))


def updates(lock: Locked, load: Load) -> list[dict[str, Any]]:
    """Return a row for each locked version that the suites have a newer one of, or the package no more.

    Security updates come first, then what is in images.

    :raises BaseError: a suite gives a version that is none.
    """
    offers = _offers(lock, load)
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in lock.packages:
        # A package for all architectures is in the index of each.
        homes = lock.architectures if one.architecture == ALL else (one.architecture,)
        news = _news(one.version, [offer for home in homes for offer in offers[home].get(one.name, ())])
        if news is None:
            continue
        row = rows.setdefault(
            (one.name, one.version, news["available"] or ""),
            {"name": one.name, "version": one.version, **news, "in_image": False, "architectures": []},
        )
        row["security"] = row["security"] or news["security"]
        row["in_image"] = row["in_image"] or one.in_image
        row["architectures"].append(one.architecture)
    return sorted(
        rows.values(), key=lambda r: (not r["security"], not r["in_image"], r["name"], r["version"])
    )


def _offers(lock: Locked, load: Load) -> dict[str, dict[str, list[Offered]]]:
    """Return what the suites have of the locked packages, by architecture and name."""
    wanted = {one.name for one in lock.packages}
    offers: dict[str, dict[str, list[Offered]]] = {}
    for architecture in lock.architectures:
        table = offers.setdefault(architecture, {})
        for one in load(architecture):
            if one.candidate.name in wanted:
                table.setdefault(one.candidate.name, []).append(one)
    return offers


def _news(version: str, found: Iterable[Offered]) -> dict[str, Any] | None:
    """Return what suites say of a locked version, None where it is the newest."""
    offered = list(found)
    if not offered:
        return {"available": None, "suite": None, "security": False}
    locked = parse_version(version)
    newer = [one for one in offered if parse_version(one.candidate.version) > locked]
    if not newer:
        return None
    best = max(newer, key=lambda one: parse_version(one.candidate.version))
    # A point release takes in earlier security updates: what fixes a fault is one, wherever the newest is.
    return {
        "available": best.candidate.version,
        "suite": best.suite,
        "security": any(one.security for one in newer),
    }
