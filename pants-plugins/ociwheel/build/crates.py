"""Crates of an unpacked sdist: which its ``Cargo.lock`` names, and which lie in it already.

Format: ``Cargo.lock`` of versions 2 and later, where each package has its checksum; in version 1 they stand
in ``[metadata]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ociwheel.errors import BuildError
from ociwheel.reading import Value, failing
from ociwheel.reading_toml import read_toml
from ociwheel.transport.urls import split_userinfo

CHECKSUM_FILE = ".cargo-checksum.json"
"""What marks a folder as a vendored crate."""
MOST_CRATES = 5000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Semantic Versioning, with the build metadata that `-sys` crates carry.
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,100}")
# Programs beside the project, which no wheel is made of.
_BESIDE = re.compile(r"(^|/)(tests?|examples?|bench(es|marks?)?|fuzz)/")
# How lockfiles name cargo's own default registry, whatever mirror replaces it.
_DEFAULT_REGISTRY = re.compile(r"registry\+https://github\.com/[\w.-]+/[\w.-]+")


@dataclass(frozen=True, order=True)
class Crate:
    """One crate of the default registry."""

    name: str
    version: str
    sha256: str

    @property
    def key(self) -> str:
        """``name version``, as build locks name it."""
        return f"{self.name} {self.version}"

    @property
    def filename(self) -> str:
        """The name of its file."""
        return f"{self.name}-{self.version}.crate"

    @staticmethod
    def read(value: Value) -> Crate:
        """Return the crate that an object of a document is."""
        return Crate(
            value.at("name").matching(_NAME, "the name of a crate"),
            value.at("version").matching(_VERSION, "the version of a crate"),
            value.at("sha256").sha256(),
        )

    def to_json(self) -> dict[str, str]:
        """Return the object that :meth:`read` reads."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256}


@dataclass(frozen=True)
class Crates:
    """What cargo needs, and what of it the sdist brings."""

    locked: tuple[Crate, ...] = ()
    """Crates of the default registry that its lockfiles name, sorted."""
    others: tuple[str, ...] = ()
    """Crates from elsewhere, a git repository or another registry: ``name version (place)``."""
    vendored: int = 0
    """Crates that lie in the sdist with their checksums."""
    lockfiles: int = 0
    """How many ``Cargo.lock`` there are."""

    @property
    def complete(self) -> bool:
        """Whether the sdist brings all that its ``Cargo.lock`` names."""
        return self.vendored >= len(self.locked) + len(self.others)

    @property
    def to_fetch(self) -> tuple[Crate, ...]:
        """What is to be locked: nothing where the sdist is complete."""
        return () if self.complete else self.locked

    def __str__(self) -> str:
        """Return both numbers in words."""
        count = len(self.locked) + len(self.others)
        return f"Cargo.lock names {count} crates, the sdist brings {self.vendored}"


def project_locks(source: Path) -> list[Path]:
    """Return each ``Cargo.lock`` of an unpacked sdist that its wheel is made of, sorted.

    Not those of vendored crates; those of tests, examples and the like only where there are no others.
    """
    locks = [
        path for path in sorted(source.rglob("Cargo.lock")) if not (path.parent / CHECKSUM_FILE).exists()
    ]
    own = [path for path in locks if not _BESIDE.search(path.relative_to(source).as_posix())]
    return own or locks


def read_crates(source: Path) -> Crates:
    """Return the crates of an unpacked sdist.

    :raises BuildError: a ``Cargo.lock`` is none.
    """
    found: dict[Crate, None] = {}
    others: set[str] = set()
    locks = project_locks(source)
    for path in locks:
        for crate in _packages(path, path.relative_to(source).as_posix()):
            if isinstance(crate, Crate):
                found[crate] = None
            else:
                others.add(crate)
    vendored = sum(1 for _ in source.rglob(CHECKSUM_FILE))
    return Crates(tuple(sorted(found)), tuple(sorted(others)), vendored, len(locks))


def _packages(lock: Path, where: str) -> Iterator[Crate | str]:
    fail = failing(BuildError, where)
    document = read_toml(lock, fail)
    packages = document.maybe("package")
    rows = list(packages.items()) if packages else []
    if len(rows) > MOST_CRATES:
        raise fail("package", f"names {len(rows)} crates; at most {MOST_CRATES} make sense")
    sums = (document.optional("metadata", Value.members) or {}) if rows else {}
    for row in rows:
        source = row.optional("source", Value.text)
        if source is not None:
            yield _crate(row, source, sums)


def _crate(row: Value, source: str, sums: Mapping[str, Value]) -> Crate | str:
    name = row.at("name").matching(_NAME, "the name of a crate")
    version = row.at("version").matching(_VERSION, "the version of a crate")
    checksum = row.maybe("checksum") or sums.get(f"checksum {name} {version} ({source})")
    if not _DEFAULT_REGISTRY.fullmatch(source):
        kind, _, url = source.partition("+")
        return f"{name} {version} ({kind}+{split_userinfo(url)[0].partition('#')[0]})"
    if checksum is None:
        return f"{name} {version} (without a checksum)"
    return Crate(name, version, checksum.sha256())
