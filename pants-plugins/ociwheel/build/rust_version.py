"""The compiler that a project in Rust asks for, and which suite of Debian has it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ociwheel.build.crates import project_locks
from ociwheel.errors import BuildError
from ociwheel.reading import DocumentLimits, Value, failing
from ociwheel.reading_toml import read_toml
from ociwheel.remedies import Remedy

Version = tuple[int, ...]
_NUMBER = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,2}")
_MANIFEST = DocumentLimits(size=1 << 20)


@dataclass(frozen=True)
class _Suite:
    """A compiler of Debian's."""

    version: Version
    name: str
    package: str
    """The package of cargo that goes with it."""
    libc: Version
    """Of that Debian: packages of another one do not fit a base."""

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.name} has {_text(self.version)} ({self.package})"


# Oldest first.
_SUITES = (
    _Suite((1, 85), "bookworm", "cargo-web", (2, 36)),
    _Suite((1, 85), "trixie", "cargo", (2, 41)),
    _Suite((1, 96), "bookworm-security", "cargo-web", (2, 36)),
)


def parse(text: str) -> Version | None:
    """Return a version's numbers, None for what is none."""
    return tuple(int(part) for part in text.split(".")) if _NUMBER.fullmatch(text) else None


def wanted_version(source: Path) -> Version | None:
    """Return the newest ``rust-version`` that the manifests beside a ``Cargo.lock`` ask for.

    :raises BuildError: one of them is no TOML.
    """
    return max((found for lock in project_locks(source) for found in _of(lock.parent, source)), default=None)


def _of(folder: Path, source: Path) -> Iterator[Version]:
    path = folder / "Cargo.toml"
    if not path.is_file():
        return
    fail = failing(BuildError, path.relative_to(source).as_posix())
    document = read_toml(path, fail, _MANIFEST)
    workspace = document.maybe("workspace")
    for table in (document.maybe("package"), workspace.maybe("package") if workspace else None):
        asked = table.maybe("rust-version") if isinstance(table, Value) else None
        if asked is not None and isinstance(asked.raw, str) and (version := parse(asked.raw)):
            yield version


def compiler_version(rustc: Path) -> Version | None:
    """Return the version of a compiler, None where it does not say."""
    done = subprocess.run(
        [str(rustc), "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
    )
    words = done.stdout.decode(errors="replace").split()
    return parse(words[1].partition("-")[0]) if done.returncode == 0 and len(words) > 1 else None


def _fitting(wanted: Version) -> list[_Suite]:
    return [suite for suite in _SUITES if suite.version >= wanted[:2]]


def _text(version: Version) -> str:
    return ".".join(map(str, version))


def who_has(wanted: Version) -> str:
    """Return in words which suites of Debian have a compiler that is new enough."""
    known = ", ".join(map(str, _fitting(wanted))) or "no suite of Debian that is known here has it"
    return f"it asks for rustc {_text(wanted)} or later: {known}"


def too_old(what: str, wanted: Version, have: Version, where: str, libc: Version) -> BuildError:
    """Return the error of a compiler that is older than what it compiles asks for.

    :param what: that asks: the project, or a crate of it.
    :param libc: the version of the base's, which tells the base's Debian.
    """
    newer = [suite for suite in _fitting(wanted) if suite.version > have[:2]]
    own = next((suite for suite in newer if suite.libc == libc), None)
    if own:
        names = {"suite": own.name, "package": own.package, "version": _text(own.version)}
        hint = Remedy("add-suite-of-rust", names)
    else:
        elsewhere = ", ".join(map(str, newer))
        nobody = (
            f"this base's Debian that is known here has it ({elsewhere})"
            if elsewhere
            else f"Debian that is known here has rustc {_text(wanted)}"
        )
        hint = Remedy.text(
            f"use a version that has a wheel for this platform, or an older one: no suite of {nobody}"
        )
    return BuildError(
        f"{what} asks for rustc {_text(wanted)} or later, and its builder has {_text(have)}",
        where=where,
        hint=hint,
    )
