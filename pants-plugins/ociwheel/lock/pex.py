"""Pex's JSON locks, the format of Pants's own lockfiles (``pex3 lock create``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from packaging.utils import canonicalize_name

from ociwheel.errors import ErrorCollector, LockError
from ociwheel.lock.entries import RELOCK, Entry, LockedFile, artifact_name, merge, sha256_of

_HINT = f"lock again with `{RELOCK}`"


def _field(value: Any, key: str, kind: type, where: str) -> Any:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise LockError(f"is no Pex lock: {key!r} is missing or of the wrong type", where=where, hint=_HINT)
    return found


def _file(artifact: Any, where: str) -> LockedFile:
    url = _field(artifact, "url", str, where)
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
    algorithm = _field(artifact, "algorithm", str, where)
    digest = sha256_of(algorithm, _field(artifact, "hash", str, where))
    if digest is None:
        raise LockError(f"{filename} has no usable SHA-256 hash, but {algorithm}", where=where, hint=_HINT)
    return LockedFile(digest, filename)


def _entry(value: Any, label: str, index: str, errors: ErrorCollector) -> Entry | None:
    name = canonicalize_name(_field(value, "project_name", str, f"{label}: {index}"))
    version = _field(value, "version", str, f"{label}: {index}")
    where = f"{label}: {name} {version}"
    files: list[LockedFile] = []
    for artifact in _field(value, "artifacts", list, where):
        try:
            files.append(_file(artifact, where))
        except LockError as e:
            errors.add(e)
    requires = _field(value, "requires_dists", list, where)
    if not all(isinstance(item, str) for item in requires):
        raise LockError("is no Pex lock: 'requires_dists' must hold strings", where=where, hint=_HINT)
    if not files:
        return None
    python = value.get("requires_python")
    return Entry(
        name=name,
        version=version,
        files=tuple(files),
        where=where,
        requires_python=python if isinstance(python, str) and python else None,
        requires_dist=tuple(requires),
    )


def _locked(document: Any, label: str) -> Iterator[tuple[str, Any]]:
    for i, resolve in enumerate(_field(document, "locked_resolves", list, label)):
        where = f"locked_resolves[{i}]"
        for j, value in enumerate(_field(resolve, "locked_requirements", list, f"{label}: {where}")):
            yield f"{where}.locked_requirements[{j}]", value


def parse(document: Any, label: str) -> tuple[Entry, ...]:
    """Return the entries of a Pex lock: those of all its resolves.

    :param document: the JSON value, without the header that Pants writes before it.
    :param label: the lockfile's name for messages.
    :raises LockError: it is no Pex lock, or has artifacts that cannot be used; all together.
    """
    errors = ErrorCollector()
    entries: list[Entry] = []
    for index, value in _locked(document, label):
        try:
            entry = _entry(value, label, index, errors)
        except LockError as e:
            errors.add(e)
            continue
        if entry:
            entries.append(entry)
    errors.raise_if_any()
    return merge(entries)
