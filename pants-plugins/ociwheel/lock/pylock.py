"""``pylock.toml`` (PEP 751), read with packaging's own reader."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock, PylockValidationError

from ociwheel.errors import ErrorCollector, LockError
from ociwheel.lock.entries import LONGEST_NAME, Entry, LockedFile, merge, sha256_of, unusable
from ociwheel.lock.sources import Source
from ociwheel.reading import failing, fault_of
from ociwheel.reading_toml import from_toml

_HINT = "lock again with the tool that wrote it, for example `uv export --format pylock.toml`"


def _files(package: Package, where: str) -> Iterator[LockedFile]:
    files: list[PackageWheel | PackageSdist] = list(package.wheels or ())
    if package.sdist:
        files.append(package.sdist)
    for file in files:
        digest = sha256_of("sha256", str(file.hashes.get("sha256", "")))
        if digest is None:
            others = ", ".join(sorted(file.hashes))
            raise LockError(
                f"{file.filename} has no usable SHA-256 hash, but {others}", where=where, hint=_HINT
            )
        if len(file.filename) > LONGEST_NAME:
            raise LockError(f"{file.filename} is no name of a file", where=where, hint=_HINT)
        yield LockedFile(digest, file.filename, file.size)


def _entry(package: Package, label: str) -> Entry:
    where = f"{label}: {package.name} {package.version or ''}".rstrip()
    if package.directory:
        return Entry(
            name=str(package.name),
            version=str(package.version or "0"),
            files=(),
            where=where,
            marker=str(package.marker) if package.marker else None,
            requires_dist=(),
            source=Source("path", package.directory.path.rstrip("/") or "."),
        )
    if package.vcs or package.archive:
        kind = "vcs" if package.vcs else "archive"
        odd = LockError(
            f"comes from a {kind!r} source, of which pylock.toml does not say what it requires",
            where=where,
            hint="lock it with Pex or uv (`uv.lock`), whose locks say that",
        )
        marker = str(package.marker) if package.marker else None
        return unusable(str(package.name), str(package.version or "0"), odd, marker)
    if package.version is None:
        raise LockError("has no version, so its files cannot be compared", where=where, hint=_HINT)
    for text in (str(package.version), str(package.marker or ""), str(package.requires_python or "")):
        fault = fault_of(text)
        if fault:
            raise LockError(f"has a version or marker that cannot be read: {fault}", where=where, hint=_HINT)
    return Entry(
        name=str(package.name),
        version=str(package.version),
        marker=str(package.marker) if package.marker else None,
        requires_python=str(package.requires_python) if package.requires_python else None,
        # PEP 751's `dependencies` has neither specifiers nor extras: the artifacts' metadata does.
        requires_dist=None,
        files=tuple(_files(package, where)),
        where=where,
    )


def parse(text: str, label: str) -> tuple[Entry, ...]:
    """Return the entries of a ``pylock.toml``.

    :param label: the lockfile's name for messages.
    :raises LockError: it is not valid, or has packages that cannot be used; all together.
    """
    table = from_toml(text, failing(LockError, label, _HINT))
    try:
        lock = Pylock.from_dict(table.raw)
    except PylockValidationError as e:
        raise LockError(f"is no valid pylock.toml: {e}", where=label, hint=_HINT) from e
    except RecursionError as e:
        raise LockError(
            "is no valid pylock.toml: a marker is nested too deeply", where=label, hint=_HINT
        ) from e
    except (ValueError, OverflowError) as e:
        # `packaging` lets pass what Python says of a number of thousands of digits.
        what = "is no valid pylock.toml: a version or a date that cannot be"
        raise LockError(what, where=label, hint=_HINT) from e
    errors = ErrorCollector()
    entries: list[Entry] = []
    for package in lock.packages:
        try:
            entries.append(_entry(package, label))
        except LockError as e:
            errors.add(e)
    errors.raise_if_any()
    return merge(entries)
