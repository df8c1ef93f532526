"""What a plan works with: the request, parsed once, and the choice it makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ociwheel.documents import read_error
from ociwheel.errors import OciwheelError, PlanError
from ociwheel.lock.sources import Source, read_source
from ociwheel.plan.adjust import Adjustments
from ociwheel.reading import Value, fault_of

_FILENAME = re.compile(r"[^/\\\0]{1,255}")


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
    source: Source | None = None
    """Where it comes from, when that is no index."""
    fault: OciwheelError | None = None
    """Why it cannot be used."""

    @property
    def is_local(self) -> bool:
        """Whether it is a project of this repository: its code is not the lock's."""
        return self.source is not None and self.source.kind == "path"

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
    adjustments: Adjustments = field(default_factory=Adjustments)


def _names(value: Value | None) -> frozenset[str]:
    names = value.texts() if value else ()
    return frozenset(
        name if name == ":all:" else str(canonicalize_name(name)) for name in names if name != ":none:"
    )


def _limited(value: Value) -> str:
    """Return a version, marker or specifier that `packaging` may compare."""
    text = value.text()
    fault = fault_of(text)
    if fault:
        raise value.error(f"cannot be compared: {fault}")
    return text


def _file(value: Value) -> File:
    return File(
        filename=value.at("filename").matching(_FILENAME, "the name of a file"),
        sha256=value.at("sha256").sha256(),
        size=value.optional("size", Value.integer),
        requires_python=value.optional("requires_python", _limited),
    )


def _locked(value: Value) -> Locked:
    name, version = value.at("name").text(most=1000, empty=False), _limited(value.at("version"))
    files = value.at("files")
    if value.maybe("requires_dist") is None or any(not file.maybe("filename") for file in files.items()):
        what = f"{name} {version} is incomplete: requires_dist and file names come from `describe`"
        raise value.error(what)
    return Locked(
        name=str(canonicalize_name(name)),
        version=version,
        files=tuple(map(_file, files.items())),
        requires_dist=value.at("requires_dist").texts(),
        marker=value.optional("marker", _limited),
        requires_python=value.optional("requires_python", _limited),
        source=value.optional("source", read_source),
        fault=value.optional("fault", lambda fault: read_error(fault, PlanError)),
    )


def parse_request(value: Value) -> Request:
    """Return the request of a document; what is malformed is an error of the document's."""
    lockfile = value.optional("lockfile", Value.text) or "the lockfile"
    entries: dict[str, list[Locked]] = {}
    for item in value.at("entries").items():
        locked = _locked(item)
        entries.setdefault(locked.name, []).append(locked)
    return Request(
        roots=tuple(
            Root(root.at("requirement").text(), root.at("origin").text())
            for root in value.at("roots").items()
        ),
        entries={
            name: tuple(sorted(versions, key=lambda entry: entry.sort_key, reverse=True))
            for name, versions in entries.items()
        },
        formats=Formats(_names(value.maybe("no_binary")), _names(value.maybe("only_binary"))),
        lockfile=lockfile,
        adjustments=Adjustments.parse(
            value.optional("overridden", Value.texts) or (),
            value.optional("excluded", Value.texts) or (),
            lockfile,
        ),
    )
