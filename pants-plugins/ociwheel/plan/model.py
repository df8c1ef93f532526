"""What a plan works with: the request, parsed once, and the choice it makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ociwheel.errors import UsageError


@dataclass(frozen=True)
class File:
    """One locked wheel or sdist."""

    filename: str
    sha256: str
    size: int | None = None
    """Bytes."""
    requires_python: str | None = None

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel."""
        return self.filename.endswith(".whl")


@dataclass(frozen=True)
class Locked:
    """One locked version."""

    name: str
    version: str
    files: tuple[File, ...]
    requires_dist: tuple[str, ...]
    marker: str | None = None
    requires_python: str | None = None

    @property
    def sort_key(self) -> tuple[bool, Version, str]:
        """Order of versions; one that is none of PEP 440's comes first."""
        try:
            return True, Version(self.version), self.version
        except InvalidVersion:
            return False, Version("0"), self.version


@dataclass(frozen=True)
class Root:
    """A requirement that the image itself has, and where it stands."""

    requirement: str
    origin: str


@dataclass(frozen=True)
class Formats:
    """Which of wheel and sdist may be used: pip's ``no-binary`` and ``only-binary``."""

    no_binary: frozenset[str] = frozenset()
    only_binary: frozenset[str] = frozenset()

    def allowed(self, name: str) -> tuple[bool, bool]:
        """Return whether a wheel and whether an sdist of ``name`` may be used.

        A name is stronger than ``:all:``, as in pip.
        """
        if name in self.no_binary or name in self.only_binary:
            return name not in self.no_binary, name not in self.only_binary
        return ":all:" not in self.no_binary, ":all:" not in self.only_binary


@dataclass(frozen=True)
class Request:
    """Everything a plan depends on besides the target."""

    roots: tuple[Root, ...]
    entries: Mapping[str, tuple[Locked, ...]]
    """By normalized name, the newest version first."""
    formats: Formats
    lockfile: str


def _names(values: Iterable[str]) -> frozenset[str]:
    return frozenset(v if v == ":all:" else str(canonicalize_name(v)) for v in values if v != ":none:")


def _locked(value: Mapping[str, Any]) -> Locked:
    where = f"{value.get('name')} {value.get('version')}"
    if value.get("requires_dist") is None or any(not f.get("filename") for f in value["files"]):
        raise UsageError("is incomplete: requires_dist and file names come from `describe`", where=where)
    return Locked(
        name=str(canonicalize_name(value["name"])),
        version=value["version"],
        files=tuple(
            File(f["filename"], f["sha256"], f.get("size"), f.get("requires_python")) for f in value["files"]
        ),
        requires_dist=tuple(value["requires_dist"]),
        marker=value.get("marker"),
        requires_python=value.get("requires_python"),
    )


def parse_request(value: Mapping[str, Any]) -> Request:
    """Return the request of a document.

    :raises UsageError: it is malformed.
    """
    try:
        entries: dict[str, list[Locked]] = {}
        for item in value["entries"]:
            locked = _locked(item)
            entries.setdefault(locked.name, []).append(locked)
        return Request(
            roots=tuple(Root(r["requirement"], r["origin"]) for r in value["roots"]),
            entries={
                name: tuple(sorted(versions, key=lambda entry: entry.sort_key, reverse=True))
                for name, versions in entries.items()
            },
            formats=Formats(_names(value.get("no_binary", ())), _names(value.get("only_binary", ()))),
            lockfile=value.get("lockfile") or "the lockfile",
        )
    except (KeyError, TypeError, AttributeError) as e:
        raise UsageError(f"the request is malformed: {type(e).__name__} {e}") from e
