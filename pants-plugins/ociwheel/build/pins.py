"""The locked build requirements of an sdist: which of their wheels a build installs, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.tags import mac_platforms

from ociwheel.build.build_lock import BuildEnvironment, BuildLock
from ociwheel.errors import LockError
from ociwheel.plan.artifacts import WheelName
from ociwheel.reading import Value
from ociwheel.remedies import Remedy
from ociwheel.target import Target, wheel_tags

# Newer than any macOS: which one a machine has is in no key, and a wheel for a later one than it has is rare.
_ANY_MACOS = (99, 0)


@dataclass(frozen=True)
class Place:
    """Where build requirements are installed: a target, or a Mac with the target's Python.

    :param macos: the Mac's machine, ``arm64``; empty for the target itself.
    """

    target: Target
    macos: str = ""

    @property
    def title(self) -> str:
        """The place in words, for messages."""
        return f"macOS on {self.macos}" if self.macos else self.target.title

    def ranks(self) -> Mapping[str, int]:
        """Return the wheel tags that the place takes, with their ranks: 0 is the best."""
        if not self.macos:
            return self.target.tag_ranks
        tags = wheel_tags(self.target.python, list(mac_platforms(_ANY_MACOS, self.macos)))
        return {str(tag): rank for rank, tag in enumerate(tags)}


@dataclass(frozen=True, order=True)
class SdistKey:
    """An sdist as a build lock knows it."""

    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    @staticmethod
    def parse(value: Value) -> SdistKey:
        """Return the sdist of an object with name, version and sha256."""
        return SdistKey(value.at("name").text(), value.at("version").text(), value.at("sha256").sha256())


def _environment_of(lock: BuildLock, sdist: SdistKey, python: str, where: str) -> BuildEnvironment:
    """Return what a lock says of an sdist under a Python.

    :param where: the lock's name, for messages.
    :raises LockError: it says nothing.
    """
    for row in lock.environments:
        if (row.sdist, row.python, row.sha256) == (str(sdist), python, sdist.sha256):
            return row
    raise LockError(
        f"the build requirements of {sdist} for Python {python} are not locked, and it has to be compiled",
        where=where,
        hint=Remedy("relock-build-requirements", {"resolve": "<resolve>"}),
    )


def wheels_of(lock: BuildLock, sdist: SdistKey, place: Place, where: str) -> list[dict[str, Any]]:
    """Return one wheel for each build requirement of an sdist, by name: name, version, filename, sha256.

    :raises LockError: they are not locked, or one has no wheel for the place.
    """
    row = _environment_of(lock, sdist, place.target.python_minor, where)
    ranks, found = place.ranks(), []
    for pin in row.pins:
        files = (lock.files or {}).get(str(pin), ())
        fitting = list(_fitting(files, ranks))
        if not fitting:
            raise LockError(
                f"the build requirement {pin} of {sdist} has no wheel for {place.title}",
                where=where,
                details=[f"locked: {file['filename']}" for file in files],
                hint=Remedy("relock-or-constrain-build-requirement", {"resolve": "<resolve>"}),
            )
        _, filename, sha256 = min(fitting)
        found.append({"name": pin.name, "version": pin.version, "filename": filename, "sha256": sha256})
    return found


def crates_of(lock: BuildLock, sdist: SdistKey, python: str, where: str) -> list[dict[str, Any]]:
    """Return the locked crates of an sdist: name, version, sha256.

    :raises LockError: its build requirements are not locked.
    """
    row = _environment_of(lock, sdist, python, where)
    pairs = ((crate.split(" ", 1), lock.crates[crate]) for crate in row.crates)
    return [{"name": name, "version": version, "sha256": sha256} for (name, version), sha256 in pairs]


def _fitting(files: Iterable[Mapping[str, Any]], ranks: Mapping[str, int]) -> Iterator[tuple[int, str, str]]:
    for file in files:
        wheel = WheelName.parse(file["filename"])
        rank = wheel.rank(ranks) if wheel else None
        if rank is not None:
            yield rank, file["filename"], file["sha256"]
