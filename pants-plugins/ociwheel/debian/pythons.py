"""Which Python the suites of Debian have, and whether what they have can be used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ociwheel.errors import BaseError
from ociwheel.remedies import Remedy

if TYPE_CHECKING:
    from ociwheel.debian.packages import Universe
    from ociwheel.platforms import Platform

PYTHONS_OF_SUITES = {"bookworm": "3.11", "trixie": "3.13", "forky": "3.14"}
"""The Python of each release of Debian whose libc is new enough: of those, a release has one."""
LEAST_GLIBC = (2, 33)
"""The first whose loader knows ``--argv0``, by which the interpreter runs from any folder."""


def default_python(universe: Universe) -> str:
    """Return the minor version that the package ``python3`` of the suites stands for.

    :raises BaseError: there is no such package.
    """
    for candidate in universe.named("python3"):
        for group in candidate.dependencies:
            match = re.fullmatch(r"python(3\.[0-9]+)", group[0].name)
            if match:
                return match[1]
    raise BaseError(
        f"the suites have no default Python for {universe.architecture}",
        hint='name one in the base: python="3.11"',
    )


def check_python(universe: Universe, minor: str, row: Platform) -> None:
    """Tell once what would otherwise be a fault of each closure.

    :raises BaseError: the suites have no such Python.
    """
    if not universe.exists(f"python{minor}"):
        there = sorted(name for name in universe.names() if re.fullmatch(r"python3\.[0-9]+", name))
        raise BaseError(
            f"the suites have no python{minor} for {row.oci}",
            details=["they have " + (", ".join(there) or "no Python at all")],
            hint=Remedy("find-python", {"minor": minor, "suites": suites_with(minor)}),
        )


def suites_with(minor: str) -> str:
    """Return which releases of Debian have a Python, in words."""
    found = [suite for suite, python in PYTHONS_OF_SUITES.items() if python == minor]
    if found:
        return f"{' and '.join(found)} has python{minor}"
    listed = ", ".join(f"{suite} {python}" for suite, python in PYTHONS_OF_SUITES.items())
    return f"no release of Debian has python{minor}: {listed}"


def check_loader(universe: Universe, row: Platform) -> None:
    """Check that a Python of the suites can be run from any folder, as building with it needs.

    :param row: a platform that builds.
    :raises BaseError: its loader is too old.
    """
    versions = [candidate.version for candidate in universe.named("libc6")]
    numbers = [
        tuple(map(int, found.groups())) for v in versions if (found := re.match(r"(\d+)\.(\d+)", str(v)))
    ]
    if numbers and max(numbers) < LEAST_GLIBC:
        newest, least = (".".join(map(str, numbers)) for numbers in (max(numbers), LEAST_GLIBC))
        raise BaseError(
            f"the suites have glibc {newest} for {row.oci}, whose loader starts no Python from another "
            f"folder: that takes {least}",
            hint=Remedy("find-loader"),
        )
