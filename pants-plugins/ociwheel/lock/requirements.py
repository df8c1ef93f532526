"""Hash-pinned ``requirements.txt`` locks, as pip-tools and uv write them.

The format is the one of pip's documentation, "Requirements File Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ociwheel.errors import ErrorCollector, LockError
from ociwheel.lock.entries import (
    WITH_HASHES,
    Entry,
    LockedFile,
    artifact_name,
    merge,
    sha256_of,
    unusable,
    version_of,
)
from ociwheel.lock.sources import OTHER_SYSTEMS, Source, without_credentials
from ociwheel.notes import note
from ociwheel.requirement import parse_requirement
from ociwheel.wording import brief

# Each looks back for the start of its white space: trying from every space of it is quadratic.
_COMMENT = re.compile(r"(?:^|(?<!\s)\s++)#.*$")
_OPTION = re.compile(r"(?<!\s)\s++(?=--?[A-Za-z])")
_HASH = re.compile(r"--hash(?:=|\s++)(\S++)\s*+")
_MOST_NOTES = 20
_REFUSED = {
    "-r": "includes another file",
    "--requirement": "includes another file",
    "-c": "names a file of constraints",
    "--constraint": "names a file of constraints",
    "-e": "is an editable requirement",
    "--editable": "is an editable requirement",
}


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line without comments, joined with its continuations, and its first line's number."""
    start, parts = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            # As pip does: a comment line ends a continuation.
            line, continued = "", False  # noqa: PLW2901
        else:
            continued = line.endswith("\\")
            line = line[:-1] if continued else line  # noqa: PLW2901
        start = start or number
        if "#" in line:
            line = _COMMENT.sub("", line)  # noqa: PLW2901
        parts += f" {line}" if parts else line
        if continued:
            continue
        if parts.strip():
            yield start, parts.strip()
        start, parts = 0, ""
    if parts.strip():
        yield start, parts.strip()


def _refuse_option(line: str, where: str) -> str:
    """Raise for an option that changes what is locked; return a note of one that does not."""
    option = brief(re.split(r"[\s=]", line, maxsplit=1)[0])
    for name, what in _REFUSED.items():
        if option == name or (len(name) == 2 and not option.startswith("--") and option.startswith(name)):
            raise LockError(
                f"{what}, a lock must be complete in itself: {brief(line)}",
                where=where,
                hint="lock again into one file with `uv pip compile --generate-hashes` or `pip-compile "
                "--generate-hashes`",
            )
    return f"{where}: {option} is ignored: the machine says where to download from"


def _pinned_version(requirement: Requirement) -> str | None:
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1:
        return None
    only = specifiers[0]
    pinned = only.operator in ("==", "===") and not only.version.endswith(".*")
    return only.version if pinned else None


def _hashes(options: list[str], text: str, where: str, notes: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    others: list[str] = []
    for option in options:
        match = _HASH.fullmatch(option)
        if not match:
            name = re.split(r"[\s=]", option, maxsplit=1)[0]
            notes.append(f"{where}: {name} of {brief(text)} is ignored")
            continue
        algorithm, _, digest = match[1].partition(":")
        usable = sha256_of(algorithm, digest)
        if usable:
            found[usable] = None
        else:
            others.append(algorithm)
    if found:
        return tuple(found)
    if others:
        raise LockError(
            f"has no usable SHA-256 hash, only {', '.join(sorted(set(others)))}: {brief(text)}",
            where=where,
            hint=WITH_HASHES,
        )
    raise LockError(f"has no hash: {brief(text)}", where=where, hint=WITH_HASHES)


def _direct(requirement: Requirement, url: str, options: list[str], where: str, notes: list[str]) -> Entry:
    """Return the entry of a file at a URL; what comes from elsewhere says too little of itself here."""
    name, marker = str(canonicalize_name(requirement.name)), requirement.marker
    filename = artifact_name(url)
    version = version_of(filename) if filename else None
    if filename is None or version is None or url.startswith(("git+", *OTHER_SYSTEMS)):
        fault = LockError(
            f"is pinned to a URL that does not tell its version: {brief(f'{name} @ {url}')}",
            where=where,
            hint="lock it with Pex or uv (`uv.lock`), whose locks say its version and what it requires",
        )
        return unusable(name, "0", fault, str(marker) if marker else None)
    plain = url.partition("#")[0]
    return Entry(
        name=name,
        version=version,
        marker=str(marker) if marker else None,
        files=tuple(LockedFile(digest, filename) for digest in _hashes(options, name, where, notes)),
        where=where,
        source=Source("url", without_credentials(plain)),
    )


def _entry(line: str, where: str, notes: list[str]) -> Entry:
    text, *options = _OPTION.split(line)
    text = text.strip()
    try:
        requirement = parse_requirement(text)
    except InvalidRequirement as e:
        url = "://" in text or text.startswith((".", "/"))
        what = "is a URL or path, only index packages are supported" if url else "is no requirement"
        reason = "" if url else f" ({str(e).splitlines()[0]})"
        raise LockError(f"{what}: {brief(text)}{reason}", where=where, hint=WITH_HASHES) from e
    if requirement.url:
        return _direct(requirement, requirement.url, options, where, notes)
    version = _pinned_version(requirement)
    if version is None:
        raise LockError(f"is not pinned to one version: {brief(text)}", where=where, hint=WITH_HASHES)
    return Entry(
        name=canonicalize_name(requirement.name),
        version=version,
        marker=str(requirement.marker) if requirement.marker else None,
        files=tuple(LockedFile(digest) for digest in _hashes(options, text, where, notes)),
        where=where,
    )


def parse(text: str, label: str) -> tuple[Entry, ...]:
    """Return the entries of a requirements lock.

    :param label: the lockfile's name for messages.
    :raises LockError: every line that cannot be used, together.
    """
    errors = ErrorCollector()
    entries: list[Entry] = []
    notes: list[str] = []
    for number, line in logical_lines(text):
        if errors.full:
            break
        where = f"{label}:{number}"
        try:
            if line.startswith("-"):
                notes.append(_refuse_option(line, where))
            else:
                entries.append(_entry(line, where, notes))
        except LockError as e:
            errors.add(e)
    for ignored in notes[:_MOST_NOTES]:
        note(ignored)
    if len(notes) > _MOST_NOTES:
        note(f"{label}: {len(notes) - _MOST_NOTES} more options are ignored")
    errors.raise_if_any()
    return merge(entries)
