"""Pex's JSON locks (``pex3 lock create``)."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Mapping

from packaging.utils import canonicalize_name

from ociwheel.errors import LockError
from ociwheel.lock.entries import (
    RELOCK,
    Entry,
    Lock,
    LockedFile,
    artifact_name,
    merge,
    sha256_of,
    unusable,
)
from ociwheel.lock.sources import (
    OTHER_SYSTEMS,
    PUBLISH,
    Source,
    UnusableError,
    archive_of,
    git_source,
    without_credentials,
)
from ociwheel.reading import Value, failing


def _source(artifact: Value, fingerprint: str | None, where: str) -> Source | None:
    """Return where an artifact comes from, None for an index."""
    url = artifact.at("url").text()
    if url.startswith("git+"):
        commit = artifact.optional("commit_id", Value.text)
        return git_source(url, where, fingerprint=fingerprint, commit=commit)
    if url.startswith(OTHER_SYSTEMS):
        raise UnusableError(
            f"comes from a version control system other than git: {url}", where=where, hint=PUBLISH
        )
    if artifact_name(url) is None:
        if not url.startswith("file:"):
            what = f"has a file that is no wheel and no sdist: {url}"
            raise UnusableError(what, where=where, hint=PUBLISH)
        path = urllib.parse.unquote(url.removeprefix("file:").removeprefix("//").partition("#")[0])
        return Source("path", path.rstrip("/") or "/")
    return None


def _file(artifact: Value, where: str) -> tuple[LockedFile | None, Source | None]:
    url = artifact.at("url").text()
    algorithm = artifact.at("algorithm").text()
    digest = sha256_of(algorithm, artifact.at("hash").text())
    source = _source(artifact, digest, where)
    if source is None:
        filename = artifact_name(url)
        if digest is None:
            what = f"{filename} has no usable SHA-256 hash, but {algorithm}"
            raise UnusableError(what, where=where, hint=RELOCK)
        return LockedFile(digest, filename), None
    if source.kind == "git" and digest is None and source.commit is None:
        raise UnusableError(
            f"has neither a commit nor a usable SHA-256 hash: {url}", where=where, hint=RELOCK
        )
    return None, source


def _entry(value: Value, label: str, marker: str | None, direct: Mapping[str, str]) -> Entry:
    name = canonicalize_name(value.at("project_name").text(most=1000, empty=False))
    version = value.at("version").text(most=1000, empty=False)
    where = f"{label}: {name} {version}"
    files: list[LockedFile] = []
    source: Source | None = None
    for artifact in value.at("artifacts").items():
        try:
            file, found = _file(artifact, where)
        except UnusableError as e:
            return unusable(name, version, e, marker)
        source = source or found
        files += [file] if file else []
    if source and source.kind == "git":
        files = [LockedFile(source.identity, archive_of(name, version))]
    elif not source and name in direct:
        source = Source("url", without_credentials(direct[name]))
    return Entry(
        name=name,
        version=version,
        files=tuple(files),
        where=where,
        marker=marker,
        requires_python=value.optional("requires_python", Value.text) or None,
        requires_dist=value.at("requires_dists").texts(),
        source=source,
    )


def _direct(texts: Iterable[str]) -> dict[str, str]:
    """Return the URLs of files that requirements name, by the name of what they are of."""
    found = {}
    for text in texts:
        name, at, url = text.partition("@")
        url = url.partition(";")[0].strip().partition("#")[0]
        if at and "://" in url and not url.startswith("git+"):
            found[str(canonicalize_name(name.partition("[")[0].strip()))] = url
    return found


def parse(document: Value, label: str) -> Lock:
    """Return what a Pex lock says: the entries of all its resolves.

    :param document: the JSON value, without the header that tools write before it.
    :param label: the lockfile's name for messages.
    :raises LockError: it is no Pex lock. What cannot be used of it is a fault of its entry.
    """
    fail = failing(LockError, label, RELOCK)
    document = Value(document.raw, "", lambda path, what: fail(path, f"{what} (read as a Pex lock)"))
    resolves = [
        (resolve.optional("marker", Value.text), list(resolve.at("locked_requirements").items()))
        for resolve in document.at("locked_resolves").items()
    ]
    named = [text for text in document.optional("requirements", Value.texts) or () if "@" in text]
    for _, rows in resolves:
        for row in rows:
            named += [text for text in row.optional("requires_dists", Value.texts) or () if "@" in text]
    direct = _direct(named)
    return Lock(
        "pex",
        merge(_entry(row, label, marker, direct) for marker, rows in resolves for row in rows),
        overridden=document.optional("overridden", Value.texts) or (),
        excluded=document.optional("excluded", Value.texts) or (),
    )
