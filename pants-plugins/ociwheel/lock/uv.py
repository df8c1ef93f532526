"""``uv.lock``: what uv resolved for a project or a workspace.

The format is uv's own; it has a ``version``, and nothing but that version is read. A package's
``dependencies`` are edges of what was resolved, without specifiers: overrides and excludes are in them.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator

from packaging.utils import canonicalize_name

from ociwheel.errors import LockError
from ociwheel.lock.entries import (
    LONGEST_NAME,
    Entry,
    Lock,
    LockedFile,
    artifact_name,
    merge,
    sha256_of,
    unusable,
)
from ociwheel.lock.sources import (
    PUBLISH,
    Source,
    UnusableError,
    archive_of,
    git_source,
    without_credentials,
)
from ociwheel.reading import Value, failing
from ociwheel.reading_toml import from_toml
from ociwheel.remedies import Remedy

_RELOCK = Remedy("relock-uv")
_VERSION = 1
# How uv encodes "this extra, group or project of that package is chosen" in a marker.
_CONFLICT = re.compile(r"""extra\s*[!=]=\s*(["'])(?:extra|group|project)-\d+-[^"']*\1""")
# True everywhere: of extras that conflict, no image says which it is of. Its requirements choose the version.
_ANYWHERE = "python_version >= '0'"
_PATHS = ("editable", "directory", "virtual")


def _marker(text: str, conflicts: bool) -> tuple[str, bool]:
    """Return a marker that can be evaluated, and whether extras that conflict were in it."""
    if not conflicts:
        return text, False
    plain, count = _CONFLICT.subn(_ANYWHERE, text)
    return plain, bool(count)


def _edge(value: Value, extra: str | None, conflicts: bool) -> str:
    """Return an edge as a requirement (PEP 508)."""
    name = value.at("name").text(most=1000, empty=False)
    extras = value.optional("extra", Value.texts) or ()
    marker, chosen = _marker(value.optional("marker", Value.text) or "", conflicts)
    version = value.optional("version", Value.text)
    # Of several versions an edge names one, unless extras choose among them.
    pin = f"=={version}" if version and not chosen and not (conflicts and extra) else ""
    conditions = [f"({marker})"] if marker else []
    conditions += [f"extra == '{extra}'"] if extra is not None else []
    text = f"{name}[{','.join(extras)}]{pin}" if extras else f"{name}{pin}"
    return f"{text} ; {' and '.join(conditions)}" if conditions else text


def _edges(package: Value, conflicts: bool) -> Iterator[str]:
    dependencies = package.maybe("dependencies")
    for edge in dependencies.items() if dependencies else ():
        yield _edge(edge, None, conflicts)
    for extra, listed in (package.optional("optional-dependencies", Value.members) or {}).items():
        for edge in listed.items():
            yield _edge(edge, extra, conflicts)


def _files(package: Value, where: str, url: str | None) -> Iterator[LockedFile]:
    wheels = package.maybe("wheels")
    sdist = package.maybe("sdist")
    for file in (*(wheels.items() if wheels else ()), *((sdist,) if sdist else ())):
        place = file.optional("filename", Value.text) or file.optional("url", Value.text)
        place = place or file.optional("path", Value.text) or url or ""
        filename = artifact_name(place)
        if filename is None or len(filename) > LONGEST_NAME:
            raise UnusableError(
                f"has a file that is no wheel and no sdist: {place}", where=where, hint=_RELOCK
            )
        algorithm, _, digest = (file.optional("hash", Value.text) or "").partition(":")
        usable = sha256_of(algorithm, digest)
        if usable is None:
            what = f"{filename} has no usable SHA-256 hash, but {algorithm or 'none'}"
            raise UnusableError(what, where=where, hint=_RELOCK)
        yield LockedFile(usable, filename, file.optional("size", Value.integer))


def _git(url: str, where: str) -> Source:
    """Return the source of ``URL?subdirectory=FOLDER&rev=NAME#COMMIT``."""
    try:
        parts = urllib.parse.urlsplit(url)
        query = urllib.parse.parse_qs(parts.query)
    except ValueError as e:
        raise UnusableError(f"is no URL: {url}", where=where, hint=_RELOCK) from e
    folder = query.get("subdirectory", [""])[0]
    place = parts._replace(query="", fragment=urllib.parse.urlencode({"subdirectory": folder})).geturl()
    if not parts.fragment:
        raise UnusableError(f"has no commit: {url}", where=where, hint=_RELOCK)
    return git_source(f"git+{place}", where, commit=parts.fragment.lower())


def _source(package: Value, where: str) -> Source | None:
    """Return where a package comes from, None for an index or a file of this machine."""
    source = package.at("source")
    for kind in _PATHS:
        path = source.optional(kind, Value.text)
        if path is not None:
            return Source("path", path.rstrip("/") or ".")
    git, url = source.optional("git", Value.text), source.optional("url", Value.text)
    if git:
        return _git(git, where)
    if url:
        return Source("url", without_credentials(url.partition("#")[0]))
    if source.maybe("registry") is None and source.maybe("path") is None:
        kinds = ", ".join(sorted(source.members()))
        raise UnusableError(f"comes from a source that is not known here: {kinds}", where=where, hint=PUBLISH)
    return None


def _entry(package: Value, label: str, conflicts: bool) -> Entry:
    name = str(canonicalize_name(package.at("name").text(most=1000, empty=False)))
    # A project of the workspace need not have one.
    version = package.optional("version", lambda v: v.text(most=1000)) or "0"
    where = f"{label}: {name} {version}"
    markers = [_marker(m, conflicts)[0] for m in package.optional("resolution-markers", Value.texts) or ()]
    marker = " or ".join(f"({m})" for m in markers) or None
    try:
        source = _source(package, where)
        if source and source.kind == "git":
            files: tuple[LockedFile, ...] = (LockedFile(source.identity, archive_of(name, version)),)
        elif source and source.kind == "path":
            files = ()
        else:
            files = tuple(_files(package, where, source.url if source else None))
    except UnusableError as e:
        return unusable(name, version, e, marker)
    return Entry(
        name=name,
        version=version,
        files=files,
        where=where,
        marker=marker,
        requires_dist=tuple(_edges(package, conflicts)),
        source=source,
    )


def _overrides(manifest: Value | None) -> Iterator[str]:
    overrides = manifest.maybe("overrides") if manifest else None
    for item in overrides.items() if overrides else ():
        name, specifier = item.at("name").text(), item.optional("specifier", Value.text) or ""
        marker = item.optional("marker", Value.text)
        yield f"{name}{specifier}{f' ; {marker}' if marker else ''}"


def parse(text: str, label: str) -> Lock:
    """Return what a ``uv.lock`` says.

    :param label: the lockfile's name for messages.
    :raises LockError: it is none of the version known here. What cannot be used is a fault of its entry.
    """
    table = from_toml(text, failing(LockError, label, _RELOCK))
    if table.at("version").integer() != _VERSION:
        raise table.at("version").error(
            f"expected version {_VERSION} of uv.lock, found {table.raw['version']}"
        )
    conflicts = table.maybe("conflicts") is not None
    manifest, packages = table.maybe("manifest"), table.maybe("package")
    excludes = manifest.optional("excludes", Value.texts) if manifest else None
    entries = [_entry(package, label, conflicts) for package in (packages.items() if packages else ())]
    return Lock("uv", merge(entries), tuple(_overrides(manifest)), excludes or ())
