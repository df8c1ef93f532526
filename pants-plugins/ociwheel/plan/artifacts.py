"""The choice of one file of a locked version: the wheel that fits best, else the sdist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ociwheel.errors import PlanError
from ociwheel.plan.model import File, Formats, Locked
from ociwheel.target import Target

_SDISTS = (".tar.gz", ".zip", ".tar.xz", ".tar.bz2", ".tgz", ".tar")
_MAX_LISTED = 12
_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_(.+)")
_MACHINE = re.compile(r"(?:manylinux(?:1|2010|2014|_\d+_\d+)|musllinux_\d+_\d+|linux)_(.+)")


@dataclass(frozen=True)
class WheelName:
    """A wheel's file name, taken apart (PEP 427)."""

    build: tuple[int, str]
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]

    @classmethod
    def parse(cls, filename: str) -> WheelName | None:
        """Return the parts of a name, or None when it is no wheel's."""
        parts = filename.removesuffix(".whl").split("-")
        if len(parts) not in (5, 6):
            return None
        build = re.fullmatch(r"(\d+)(.*)", parts[2]) if len(parts) == 6 else None
        if len(parts) == 6 and not build:
            return None
        pythons, abis, platforms = (tuple(part.lower().split(".")) for part in parts[-3:])
        # PEP 427: "Acts as a tie-breaker. [...] sort as an empty tuple if unspecified".
        return cls((int(build[1]), build[2]) if build else (-1, ""), pythons, abis, platforms)

    def rank(self, ranks: Mapping[str, int]) -> int | None:
        """Return the best rank of its tags, or None when none is supported."""
        tags = product(self.pythons, self.abis, self.platforms)
        found = [ranks[tag] for tag in map("-".join, tags) if tag in ranks]
        return min(found, default=None)


@lru_cache(maxsize=1024)
def _python_fits(specifier: str, python: str) -> bool:
    try:
        return SpecifierSet(specifier).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True  # as pip: what cannot be read excludes nothing


def _python_reason(file: File, locked: Locked, target: Target) -> str | None:
    for specifier in (file.requires_python, locked.requires_python):
        if specifier and not _python_fits(specifier, target.markers["python_full_version"]):
            return f"requires Python {specifier}"
    return None


def _platform_reason(tag: str, target: Target) -> str:
    machine = _MACHINE.fullmatch(tag)
    if not machine:
        return f"is for {tag}"
    if machine[1] != target.platform.machine:
        return f"is for {machine[1]}"
    if tag.startswith("musllinux") != (target.libc == "musl"):
        return "is for musl" if tag.startswith("musllinux") else "is for glibc"
    glibc = _GLIBC.fullmatch(tag)
    if glibc and (int(glibc[1]), int(glibc[2])) > target.libc_version:
        return f"needs glibc {glibc[1]}.{glibc[2]} or later"
    return f"is for {tag}"


def _tag_reason(wheel: WheelName, target: Target) -> str:
    supported = set(target.platform_tags()) | {"any"}
    if not supported & set(wheel.platforms):
        reasons = dict.fromkeys(_platform_reason(tag, target) for tag in wheel.platforms)
        return " or ".join(reasons)
    return f"is for Python {'.'.join(wheel.pythons)}, ABI {'.'.join(wheel.abis)}"


def _sdists(locked: Locked) -> list[File]:
    """Return the sdists, .tar.gz first: what PEP 625 asks for and others only were."""
    found = [(file.filename.endswith(s), i, file) for file in locked.files for i, s in enumerate(_SDISTS)]
    return [file for ends, _, file in sorted(found, key=lambda f: (f[1], f[2].filename)) if ends]


def choose(locked: Locked, target: Target, formats: Formats) -> File | None:
    """Return the file to use, or None when none fits.

    A wheel wins by tag, then by build number; without one the sdist is taken.
    """
    wheels_allowed, sdists_allowed = formats.allowed(locked.name)
    best: tuple[int, tuple[int, str], str] | None = None
    chosen: File | None = None
    for file in locked.files if wheels_allowed else ():
        wheel = WheelName.parse(file.filename) if file.is_wheel else None
        rank = wheel.rank(target.tag_ranks) if wheel else None
        if wheel is None or rank is None or _python_reason(file, locked, target):
            continue
        key = (-rank, wheel.build, file.filename)
        if best is None or key > best:
            best, chosen = key, file
    if chosen or not sdists_allowed:
        return chosen
    return next((file for file in _sdists(locked) if not _python_reason(file, locked, target)), None)


def _reasons(locked: Locked, target: Target, formats: Formats) -> Iterator[tuple[int, str]]:
    """Yield why each file does not fit; the lower the number, the nearer it was."""
    wheels_allowed, sdists_allowed = formats.allowed(locked.name)
    for file in sorted(locked.files, key=lambda f: f.filename):
        wheel = WheelName.parse(file.filename) if file.is_wheel else None
        python = _python_reason(file, locked, target)
        if not file.is_wheel:
            kind = "only_binary forbids it" if not sdists_allowed else "is no sdist"
            yield 0, f"{file.filename}: {python or kind}"
        elif wheel is None:
            yield 3, f"{file.filename}: is no wheel's name"
        elif wheel.rank(target.tag_ranks) is None:
            same = any(tag.endswith(target.platform.machine) for tag in wheel.platforms)
            yield (1 if same else 2), f"{file.filename}: {_tag_reason(wheel, target)}"
        else:
            forbidden = "" if wheels_allowed else "no_binary forbids it"
            yield 0, f"{file.filename}: {python or forbidden}"


def _hint(locked: Locked, target: Target, formats: Formats) -> str:
    wheels_allowed, sdists_allowed = formats.allowed(locked.name)
    name, sdists = locked.name, _sdists(locked)
    usable = [file for file in sdists if not _python_reason(file, locked, target)]
    if not wheels_allowed and not sdists_allowed:
        return f"{name} is in both no_binary and only_binary: take it out of one of them"
    if usable and not sdists_allowed:
        return f"allow its sdist, so that it is compiled: take {name} (or :all:) out of only_binary"
    if not wheels_allowed:
        return f"it has no usable sdist to compile: take {name} (or :all:) out of no_binary"
    if not sdists:
        return (
            f"there is no sdist to compile either: lock another version of {name}, or lock again with its "
            "sdist allowed"
        )
    return f"lock a version of {name} for this Python, or choose a base with another Python"


def unfit(locked: Locked, target: Target, formats: Formats, chains: list[str]) -> PlanError:
    """Return the error of a version none of whose files can be used.

    :param chains: who requires it, one line each.
    """
    reasons = [text for _, text in sorted(_reasons(locked, target, formats))]
    more = len(reasons) - _MAX_LISTED
    listed = [*reasons[:_MAX_LISTED], *([f"and {more} more files"] if more > 0 else [])]
    return PlanError(
        f"{locked.name} {locked.version} has no file that can be used on {target.title}",
        details=[*listed, *chains],
        hint=_hint(locked, target, formats),
    )
