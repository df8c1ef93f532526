"""What an image is, as its files say: its Python and where that is, its libc, what a service finds in it.

Nothing of the image is run, and nothing is taken from labels or variables where files say it.
"""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ociwheel.base.image_files import ImageFiles
from ociwheel.elf.facts import ElfFacts, machine_name
from ociwheel.elf.reader import read_facts
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry
from ociwheel.formats.layers import LayerStack
from ociwheel.platforms import Platform

# execvp(3): where programs are found when PATH is not set; and where official images have theirs.
_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
_PROGRAM = re.compile(r"python(3\.(\d+))")
_CERTIFICATES = ("etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/cert.pem")
# The first line that glibc's libc.so.6 prints when it is run.
_GLIBC_BANNER = re.compile(rb"stable release version (\d+\.\d+)")
_GLIBC_VERSION = re.compile(r"GLIBC_(\d+)\.(\d+)")
_APK_MUSL = re.compile(rb"^P:musl\n(?:[A-Z]:.*\n)*?V:(\d+\.\d+\.\d+)", re.MULTILINE)
# musl's loader has its version as a string of its own, printed by "Version %s".
_MUSL_VERSION = re.compile(rb"\x00(1\.[0-9]\.\d{1,2})(?:-git-[\w-]+)?\x00")
_MOST_SCANNED = 256 << 20
"""Bytes of a file that is looked through: a Python linked statically has 30 MB."""


@dataclass(frozen=True)
class BaseImage:
    """One platform of a base image."""

    python: str
    """Full version, ``3.11.2``."""
    interpreter: str
    """Absolute path of its program, ``/usr/local/bin/python3.11``."""
    stdlib: str
    """Absolute path of the standard library."""
    libc: str
    libc_version: str
    certificates: str | None
    """Absolute path of the bundle of certificate authorities."""
    nonroot: bool
    """Whether there is a user of that name."""

    def to_json(self) -> dict[str, Any]:
        """Return it as a lock has it."""
        return dict(vars(self))


@dataclass(frozen=True)
class Program:
    """Where an image's Python is."""

    row: Entry
    """The program's own entry, links followed."""
    folder: str
    """The folder of the program, without leading slash."""
    minor: str
    """``3.11``."""
    stdlib: str
    """The folder of the standard library, without leading slash."""


def learn(image: ImageFiles, platform: Platform, path: str | None, where: str) -> BaseImage:
    """Look at an image.

    :param path: the variable ``PATH`` of its configuration.
    :param where: its name, for messages.
    :raises BaseError: it has no Python, one of another platform, or an unknown libc.
    """
    files = image.filesystem
    program = find_python(files, path, where)
    shared = [row for row in _libraries(files, f"libpython{program.minor}.so", program) if row]
    contents = _read(image, [program.row, *shared, *_system_files(files, platform)])
    facts = contents.facts(program.row)
    if facts is None:
        raise BaseError(f"/{program.row.path} is no program", where=where)
    if (facts.machine, facts.elf_class) != (platform.elf_machine, platform.elf_class):
        raise BaseError(
            f"its Python is for {machine_name(facts.machine, facts.elf_class)}, not for {platform.oci}",
            where=where,
            hint="the image was put together wrongly: tell its makers, or choose another",
        )
    libc, libc_version = _libc(files, platform, facts, contents, where)
    passwd = files.file("etc/passwd")
    users = contents.data(passwd).decode(errors="replace").splitlines() if passwd else []
    return BaseImage(
        python=_version(program.minor, [contents.data(row) for row in (program.row, *shared)], where),
        interpreter=f"/{program.folder}/python{program.minor}",
        stdlib=f"/{program.stdlib}",
        libc=libc,
        libc_version=libc_version,
        certificates=next((f"/{p}" for p in _CERTIFICATES if files.file(p)), None),
        nonroot=any(line.startswith("nonroot:") for line in users),
    )


def find_python(files: LayerStack, path: str | None, where: str) -> Program:
    """Return the Python that a container of the image would start.

    :param path: the variable ``PATH``; the usual folders are looked through in any case.
    :raises BaseError: there is none.
    """
    seen = []
    for folder in dict.fromkeys((*(path or "").split(":"), *_PATH)):
        if not folder.startswith("/"):
            continue
        for name in ("python3", "python", *_programs_in(files, folder)):
            row = files.file(f"{folder}/{name}")
            match = _PROGRAM.fullmatch(posixpath.basename(row.path)) if row else None
            if row is None or match is None:
                continue
            seen.append(f"/{row.path}")
            real = posixpath.dirname(row.path)
            prefix = posixpath.dirname(real)
            for lib in ("lib", "lib64"):
                stdlib = "/".join(part for part in (prefix, lib, f"python{match[1]}") if part)
                if files.file(f"{stdlib}/os.py"):
                    return Program(row, real, match[1], stdlib)
    raise BaseError(
        "it has no Python with a standard library",
        where=where,
        details=[f"without one: {place}" for place in dict.fromkeys(seen)],
        hint="choose an image that has Python, such as python:3.11-slim, or name the folder of its Python in "
        "PATH of the image's configuration",
    )


def _programs_in(files: LayerStack, folder: str) -> list[str]:
    """Return names such as ``python3.11`` in a folder, the highest version first."""
    real = files.resolve(folder)
    if real is None:
        return []
    rows = [p.rpartition("/")[2] for p in files.entries if p.startswith(f"{real}/python3.")]
    found = [(int(match[2]), name) for name in rows if (match := _PROGRAM.fullmatch(name))]
    return [name for _, name in sorted(found, reverse=True)]


def _libraries(files: LayerStack, stem: str, program: Program) -> Iterator[Entry | None]:
    folder = posixpath.dirname(program.stdlib)
    names = [path for path in files.entries if path.startswith(folder) and f"/{stem}" in path]
    yield from (files.file(path) for path in sorted(names))


def _system_files(files: LayerStack, platform: Platform) -> Iterator[Entry]:
    """Yield what tells libc and users, where it is there."""
    names = [f"{folder}/libc.so.6" for folder in platform.loader_folders]
    names += [path for path in files.entries if re.fullmatch(r"(?:usr/)?lib/ld-musl-[^/]+\.so\.1", path)]
    for name in (*names, "lib/apk/db/installed", "etc/passwd"):
        row = files.file(name)
        if row is not None:
            yield row


@dataclass(frozen=True)
class _Contents:
    """What was read of some files, by the source of their entries."""

    elf: Mapping[object, ElfFacts | None]
    starts: Mapping[object, bytes]

    def facts(self, row: Entry) -> ElfFacts | None:
        """Return the ELF facts of a file."""
        return self.elf.get(row.source)

    def data(self, row: Entry) -> bytes:
        """Return the start of a file's content."""
        return self.starts.get(row.source, b"")


def _read(image: ImageFiles, rows: list[Entry]) -> _Contents:
    elf: dict[object, ElfFacts | None] = {}
    contents: dict[object, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="ociwheel-image-") as scratch:
        for key, path in image.extract(rows, Path(scratch)).items():
            elf[key] = read_facts(path, path.name, "the base image")
            with path.open("rb") as file:
                contents[key] = file.read(_MOST_SCANNED)
    return _Contents(elf, contents)


def _libc(
    files: LayerStack,
    platform: Platform,
    python: ElfFacts,
    contents: _Contents,
    where: str,
) -> tuple[str, str]:
    """Return the libc that Python is linked with, and its version."""
    if python.interp is None:
        raise BaseError("its Python is linked statically, so that it can load no extension", where=where)
    if "/ld-musl-" in python.interp:
        database, loader = files.file("lib/apk/db/installed"), files.file(python.interp)
        match = _APK_MUSL.search(contents.data(database)) if database else None
        match = match or (_MUSL_VERSION.search(contents.data(loader)) if loader else None)
        if match is None:
            raise BaseError(f"its musl does not tell its version: {python.interp}", where=where)
        return "musl", ".".join(match[1].decode().split(".")[:2])
    for folder in platform.loader_folders:
        row = files.file(f"{folder}/libc.so.6")
        if row is None:
            continue
        banner = _GLIBC_BANNER.search(contents.data(row))
        if banner:
            return "glibc", banner[1].decode()
        library = contents.facts(row)
        versions = [_GLIBC_VERSION.fullmatch(v) for v in (library.defined_versions if library else ())]
        numbers = [(int(m[1]), int(m[2])) for m in versions if m]
        if numbers:
            return "glibc", "{}.{}".format(*max(numbers))
    raise BaseError(f"it has no libc for its Python, whose loader is {python.interp}", where=where)


def _version(minor: str, binaries: list[bytes], where: str) -> str:
    """Return the full version, which CPython has as a string of its own (``PY_VERSION``).

    A linker may make it the end of a longer one, such as a path with the version: then all such ends agree.
    """
    text = rb"(" + re.escape(minor.encode()) + rb"\.\d{1,2})(?:(?:a|b|rc)\d+)?\+?\x00"
    for data in binaries:
        match = re.search(rb"\x00" + text, data)
        ends = {found[1] for found in re.finditer(rb"(?<![\d.])" + text, data)}
        if match or len(ends) == 1:
            return (match[1] if match else ends.pop()).decode()
    raise BaseError(f"its Python {minor} does not tell its full version", where=where)


def base_path(image: Mapping[str, Any]) -> str | None:
    """Return ``PATH`` of a resolved image's configuration."""
    value = image.get("env", {}).get("PATH")
    return value if isinstance(value, str) else None
