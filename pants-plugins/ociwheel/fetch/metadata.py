"""Core metadata of an artifact, read from its archive; code of an sdist is never run."""

from __future__ import annotations

import email.parser
import email.policy
import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path, PurePosixPath

from ociwheel.errors import FetchError
from ociwheel.fetch.static_metadata import from_sources, with_marker

_SECTION = re.compile(r"^\[([^\]:]*)(?::(.*))?\]$")
_SOURCES = ("pyproject.toml", "setup.cfg", "setup.py")
_MAX_MEMBER = 16 << 20
"""Bytes: metadata beyond that is no metadata."""


@dataclass(frozen=True)
class Metadata:
    """What of the core metadata a plan needs."""

    requires_python: str | None
    requires_dist: tuple[str, ...]
    reliable: bool = True
    """False: an sdist of before PEP 643 that says nothing; only running its code would tell."""


def parse_metadata(text: str) -> tuple[Metadata, Message]:
    """Return the fields of a METADATA or PKG-INFO file."""
    message = email.parser.Parser(policy=email.policy.compat32).parsestr(text, headersonly=True)

    def values(name: str) -> tuple[str, ...]:
        return tuple(" ".join(str(value).split()) for value in message.get_all(name, []))

    python = values("Requires-Python")
    return Metadata(python[0] if python and python[0] else None, values("Requires-Dist")), message


def parse_requires_txt(text: str) -> Iterator[str]:
    """Yield the requirements of an ``egg-info/requires.txt`` as PEP 508 strings.

    Its sections are ``[extra]``, ``[:marker]`` or ``[extra:marker]``.
    """
    conditions: tuple[str, ...] = ()
    for raw in text.splitlines():
        line = raw.strip()
        section = _SECTION.match(line)
        if section:
            extra, condition = section[1], section[2] or ""
            conditions = (condition, f'extra == "{extra}"' if extra else "")
        elif line and not line.startswith("#"):
            yield with_marker(line, *conditions)


def _wheel_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            parts = PurePosixPath(info.filename).parts
            if len(parts) == 2 and parts[0].endswith(".dist-info") and parts[1] == "METADATA":
                if info.file_size <= _MAX_MEMBER:
                    yield info.filename, archive.read(info)
                return


def _wanted_in_sdist(name: str) -> bool:
    # Below the top folder: PKG-INFO itself, or setuptools' copy in NAME.egg-info (perhaps in src/).
    parts = PurePosixPath(name).parts
    if len(parts) == 2:
        return parts[1] == "PKG-INFO" or parts[1] in _SOURCES
    own = len(parts) in (3, 4) and parts[-2].endswith(".egg-info")
    return own and parts[-1] in ("PKG-INFO", "requires.txt")


def _sdist_members(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if _wanted_in_sdist(info.filename) and info.file_size <= _MAX_MEMBER:
                    yield info.filename, archive.read(info)
        return
    with tarfile.open(path, "r:*") as tar:
        for member in tar:
            if member.isfile() and _wanted_in_sdist(member.name) and member.size <= _MAX_MEMBER:
                file = tar.extractfile(member)
                if file:
                    yield member.name, file.read()


def _depth(name: str) -> tuple[int, str]:
    return len(PurePosixPath(name).parts), name


def _of_sdist(path: Path) -> Metadata:
    members = dict(sorted(_sdist_members(path), key=lambda item: _depth(item[0])))
    infos = [data for name, data in members.items() if name.endswith("PKG-INFO")]
    requires = [data for name, data in members.items() if name.endswith("requires.txt")]
    if not infos:
        return Metadata(None, (), reliable=False)
    metadata, message = parse_metadata(infos[0].decode("utf-8", errors="replace"))
    if metadata.requires_dist:
        return metadata
    if requires:
        lines = tuple(parse_requires_txt(requires[0].decode("utf-8", errors="replace")))
        return Metadata(metadata.requires_python, lines)
    # PEP 643: from metadata 2.2 on, a field that is absent and not Dynamic is known to be empty.
    version = re.match(r"(\d+)\.(\d+)", str(message.get("Metadata-Version", "")))
    modern = version is not None and (int(version[1]), int(version[2])) >= (2, 2)
    dynamic = {str(value).strip().lower() for value in message.get_all("Dynamic", [])}
    # setuptools writes an egg-info into every sdist, and a requires.txt when there is one to write.
    from_setuptools = any("egg-info" in name for name in members)
    if from_setuptools or (modern and "requires-dist" not in dynamic):
        return metadata
    sources = {
        PurePosixPath(name).name: data.decode("utf-8", errors="replace") for name, data in members.items()
    }
    found = from_sources({name: text for name, text in sources.items() if name in _SOURCES})
    return Metadata(metadata.requires_python, found or (), reliable=found is not None)


def read_metadata(path: Path) -> Metadata:
    """Return the metadata of a wheel or an sdist on disk.

    :raises FetchError: it is no archive, or a wheel without METADATA.
    """
    try:
        if not path.name.endswith(".whl"):
            return _of_sdist(path)
        for _, data in _wheel_members(path):
            return parse_metadata(data.decode("utf-8", errors="replace"))[0]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError) as e:
        raise FetchError(f"cannot read its metadata: {e}", where=path.name) from e
    raise FetchError("has no METADATA, so it is no wheel", where=path.name)
