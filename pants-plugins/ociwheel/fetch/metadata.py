"""Core metadata of an artifact, read from its archive; code of an sdist is never run."""

from __future__ import annotations

import email.parser
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path, PurePosixPath

from ociwheel.errors import FetchError
from ociwheel.formats.filetree import FileTree
from ociwheel.formats.guard import Guard
from ociwheel.formats.streams import open_file
from ociwheel.formats.tar import TarEntry, TarReader
from ociwheel.formats.zip import open_zip
from ociwheel.sdist.static_metadata import from_sources, with_marker

_SECTION = re.compile(r"^\[([^\]:]*)(?::(.*))?\]$")
_SOURCES = ("pyproject.toml", "setup.cfg", "setup.py")
MOST_BYTES = 4 << 20
"""Bytes of one text: metadata beyond that is no metadata."""
_MOST_LINES = 20_000
_BLANK_LINE = re.compile(r"\r?\n\r?\n")


@dataclass(frozen=True)
class Metadata:
    """What of the core metadata a plan needs."""

    requires_python: str | None
    requires_dist: tuple[str, ...]
    reliable: bool = True
    """False: an sdist of before PEP 643 that says nothing; only running its code would tell."""


def parse_metadata(text: str) -> tuple[Metadata, Message]:
    """Return the fields of a METADATA or PKG-INFO file.

    :raises ValueError: it has more of them than anything that is published.
    """
    # The description may follow the fields, and is most of the text.
    fields = _BLANK_LINE.split(text, maxsplit=1)[0]
    if fields.count("\n") > _MOST_LINES:
        raise ValueError(f"it has more than {_MOST_LINES} lines of fields")
    message = email.parser.Parser(policy=email.policy.compat32).parsestr(fields, headersonly=True)

    def values(name: str) -> tuple[str, ...]:
        return tuple(" ".join(str(value).split()) for value in message.get_all(name, []))

    python = values("Requires-Python")
    return Metadata(python[0] if python and python[0] else None, values("Requires-Dist")), message


def parse_requires_txt(text: str) -> Iterator[str]:
    """Yield the requirements of an ``egg-info/requires.txt`` as PEP 508 strings.

    Its sections are ``[extra]``, ``[:marker]`` or ``[extra:marker]``.

    :raises ValueError: there are more of them than anything that is published has.
    """
    conditions: tuple[str, ...] = ()
    size = 0
    for raw in text.splitlines():
        line = raw.strip()
        section = _SECTION.match(line)
        if section:
            extra, condition = section[1], section[2] or ""
            conditions = (condition, f'extra == "{extra}"' if extra else "")
        elif line and not line.startswith("#"):
            requirement = with_marker(line, *conditions)
            size += len(requirement)
            if size > MOST_BYTES:
                raise ValueError(f"its requirements have more than {MOST_BYTES} characters together")
            yield requirement


def _of_wheel(path: Path, guard: Guard) -> Metadata:
    with open_zip(path, guard) as archive:
        for entry in archive.entries:
            folder, _, name = entry.path.partition("/")
            if folder.endswith(".dist-info") and name == "METADATA":
                return parse_metadata(_text(archive.read(entry, MOST_BYTES)))[0]
    raise guard.error("has no METADATA, so it is no wheel", where=guard.where)


def _wanted_in_sdist(name: str) -> bool:
    # Below the top folder: PKG-INFO itself, or setuptools' copy in NAME.egg-info (perhaps in src/).
    parts = PurePosixPath(name).parts
    if len(parts) == 2:
        return parts[1] == "PKG-INFO" or parts[1] in _SOURCES
    own = len(parts) in (3, 4) and parts[-2].endswith(".egg-info")
    return own and parts[-1] in ("PKG-INFO", "requires.txt")


def _members(path: Path, guard: Guard) -> Iterator[tuple[str, bytes]]:
    """Yield the texts of an sdist that tell something."""
    left = 2 * MOST_BYTES
    for name, data in _zip_members(path, guard) if path.name.endswith(".zip") else _tar_members(path, guard):
        left -= len(data)
        if left < 0:
            raise guard.refuse(f"its metadata have more than {2 * MOST_BYTES} bytes together")
        yield name, data


def _zip_members(path: Path, guard: Guard) -> Iterator[tuple[str, bytes]]:
    with open_zip(path, guard) as archive:
        for entry in archive.entries:
            if _wanted_in_sdist(entry.path) and not entry.is_folder and entry.size <= MOST_BYTES:
                yield entry.path, archive.read(entry, MOST_BYTES)


def _tar_members(path: Path, guard: Guard) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        tar = TarReader(open_file(file, guard), guard)
        names: FileTree[TarEntry] = FileTree(lambda e: e.target if e.kind == "symlink" else None, guard)
        links = []
        for entry in tar:
            names.put(entry.path, entry, folder=entry.kind == "dir")
            if entry.kind == "symlink":
                links.append(entry.path)
            if entry.kind == "file" and _wanted_in_sdist(entry.path) and entry.size <= MOST_BYTES:
                yield entry.path, tar.read(MOST_BYTES)
        for link in links:  # an sdist that could not be unpacked is told of now, not when it is built
            names.check_link(link)


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _depth(name: str) -> tuple[int, str]:
    return len(PurePosixPath(name).parts), name


def _of_sdist(path: Path, guard: Guard) -> Metadata:
    members = dict(sorted(_members(path, guard), key=lambda item: _depth(item[0])))
    infos = [data for name, data in members.items() if name.endswith("PKG-INFO")]
    requires = [data for name, data in members.items() if name.endswith("requires.txt")]
    if not infos:
        return Metadata(None, (), reliable=False)
    metadata, message = parse_metadata(_text(infos[0]))
    if metadata.requires_dist:
        return metadata
    if requires:
        lines = tuple(parse_requires_txt(_text(requires[0])))
        return Metadata(metadata.requires_python, lines)
    # PEP 643: from metadata 2.2 on, a field that is absent and not Dynamic is known to be empty.
    version = re.match(r"(\d+)\.(\d+)", str(message.get("Metadata-Version", "")))
    modern = version is not None and (int(version[1]), int(version[2])) >= (2, 2)
    dynamic = {str(value).strip().lower() for value in message.get_all("Dynamic", [])}
    # setuptools writes an egg-info into every sdist, and a requires.txt when there is one to write.
    from_setuptools = any("egg-info" in name for name in members)
    if from_setuptools or (modern and "requires-dist" not in dynamic):
        return metadata
    sources = {PurePosixPath(name).name: _text(data) for name, data in members.items()}
    found = from_sources({name: text for name, text in sources.items() if name in _SOURCES})
    return Metadata(metadata.requires_python, found or (), reliable=found is not None)


def read_metadata(path: Path) -> Metadata:
    """Return the metadata of a wheel or an sdist on disk.

    :raises FetchError: it is no archive, or a wheel without METADATA.
    """
    guard = Guard(path.name, FetchError, prefix="cannot read its metadata: ")
    # What parses the texts of an archive raises as many things as what reads the archive.
    with guard.reading():
        return _of_wheel(path, guard) if path.name.endswith(".whl") else _of_sdist(path, guard)
