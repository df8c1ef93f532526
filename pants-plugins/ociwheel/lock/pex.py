"""Pex's JSON locks (``pex3 lock create``)."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.utils import canonicalize_name

from ociwheel.errors import ErrorCollector, LockError
from ociwheel.lock.entries import RELOCK, Entry, LockedFile, artifact_name, merge, sha256_of
from ociwheel.reading import Value, failing


def _file(artifact: Value, where: str) -> LockedFile:
    url = artifact.at("url").text()
    if url.startswith(("git+", "hg+", "svn+", "bzr+")):
        raise LockError(
            f"comes from version control, only index packages are supported: {url}",
            where=where,
            hint="publish it to an index, or make it a first-party target of this repository",
        )
    filename = artifact_name(url)
    if filename is None:
        raise LockError(
            f"is a local project, only wheels and sdists are supported: {url}",
            where=where,
            hint="make it a first-party target of this repository, or publish it to an index",
        )
    algorithm = artifact.at("algorithm").text()
    digest = sha256_of(algorithm, artifact.at("hash").text())
    if digest is None:
        what = f"{filename} has no usable SHA-256 hash, but {algorithm}"
        raise LockError(what, where=where, hint=RELOCK)
    return LockedFile(digest, filename)


def _entry(value: Value, label: str, errors: ErrorCollector) -> Entry | None:
    name = canonicalize_name(value.at("project_name").text(most=1000, empty=False))
    version = value.at("version").text(most=1000, empty=False)
    where = f"{label}: {name} {version}"
    files: list[LockedFile] = []
    for artifact in value.at("artifacts").items():
        try:
            files.append(_file(artifact, where))
        except LockError as e:
            errors.add(e)
    requires = value.at("requires_dists").texts()
    python = value.optional("requires_python", Value.text)
    if not files:
        return None
    return Entry(
        name=name,
        version=version,
        files=tuple(files),
        where=where,
        requires_python=python or None,
        requires_dist=requires,
    )


def _locked(document: Value) -> Iterator[Value]:
    for resolve in document.at("locked_resolves").items():
        yield from resolve.at("locked_requirements").items()


def parse(document: Value, label: str) -> tuple[Entry, ...]:
    """Return the entries of a Pex lock: those of all its resolves.

    :param document: the JSON value, without the header that tools write before it.
    :param label: the lockfile's name for messages.
    :raises LockError: it is no Pex lock, or has artifacts that cannot be used; all together.
    """
    fail = failing(LockError, label, RELOCK)
    document = Value(document.raw, "", lambda path, what: fail(path, f"{what} (read as a Pex lock)"))
    errors = ErrorCollector()
    entries: list[Entry] = []
    for value in _locked(document):
        if errors.full:
            break
        try:
            entry = _entry(value, label, errors)
        except LockError as e:
            errors.add(e)
            continue
        if entry:
            entries.append(entry)
    errors.raise_if_any()
    return merge(entries)
