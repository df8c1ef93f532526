"""What a built wheel must be, whatever the backend's exit code says."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from ociwheel.build.own_paths import mentions
from ociwheel.elf.facts import ElfFacts
from ociwheel.elf.reader import read_facts
from ociwheel.errors import BuildError, ErrorCollector
from ociwheel.fetch.metadata import read_metadata
from ociwheel.remedies import Remedy
from ociwheel.target import Target

_EXTENSION_FAILED = re.compile(r"""building\ extension\ "(?P<name>[^"]+)"\ failed""", re.VERBOSE)
_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?")


@dataclass(frozen=True)
class BuiltWheel:
    """A wheel with what was read of it."""

    path: Path
    tags: tuple[str, ...]
    elf: tuple[ElfFacts, ...]
    requires: tuple[str, ...] = ()
    """`Requires-Dist` of its metadata."""

    def to_json(self) -> dict[str, Any]:
        """Return what a ``build`` document says of it."""
        data = self.path.read_bytes()
        return {
            "filename": self.path.name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "tags": list(self.tags),
            "elf": [fact.to_json() for fact in self.elf],
            "requires_dist": list(self.requires),
        }


def read_wheel(wheel: Path, name: str, version: str) -> BuiltWheel:
    """Read the tags and ELF files of a wheel.

    :raises BuildError: the file name is that of no wheel, or of another project or version.
    """
    try:
        found, found_version, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as e:
        raise BuildError(f"the backend made a file that is no wheel: {e}", where=f"{name} {version}") from e
    if found != canonicalize_name(name) or str(found_version) != version:
        raise BuildError(
            f"the backend made {found} {found_version}",
            where=f"{name} {version}",
            hint="compare the version in the lockfile with what the sdist says of itself",
        )
    facts = []
    with zipfile.ZipFile(wheel) as archive:
        for entry in sorted(archive.namelist()):
            with archive.open(entry) as file:
                if file.read(4) != b"\x7fELF":
                    continue
            fact = read_facts(io.BytesIO(archive.read(entry)), entry, f"{name} {version}")
            facts += [fact] if fact else []
    return BuiltWheel(wheel, tuple(sorted(map(str, tags))), tuple(facts), read_metadata(wheel).requires_dist)


def check_wheel(
    wheel: BuiltWheel, target: Target, where: str, forbidden: Iterable[str], output: Sequence[str]
) -> None:
    """Check tags, ELF files and embedded paths.

    :param where: package and platform, for messages.
    :param forbidden: folders of this build, which may not stand in any file.
    :param output: lines that the backend printed.
    :raises BuildError: all that is wrong.
    """
    errors = ErrorCollector()
    if not any(str(tag) in wheel.tags for tag in target.tags):
        errors.add(
            BuildError(
                f"the wheel is for {', '.join(wheel.tags)}, which {target.platform.oci} with Python "
                f"{target.python_minor} does not take",
                where=where,
            )
        )
    for fact in wheel.elf:
        _check_elf(fact, target, where, errors)
    for entry, folder in _embedded(wheel.path, tuple(forbidden)):
        errors.add(
            BuildError(
                f"{entry} holds a path of the build ({folder}), so that no two builds are the same",
                where=where,
            )
        )
    for line in output:
        if match := _EXTENSION_FAILED.search(line):
            errors.add(
                BuildError(
                    f"the extension {match['name']} did not compile, and the build went on without it",
                    where=where,
                    details=_around(output, line),
                )
            )
    errors.raise_if_any()


def check_not_dropped(wheel: BuiltWheel, sources: Sequence[str], compiled: int, where: str) -> None:
    """Check that what there is to compile was compiled: some projects fall back to pure Python in silence.

    :param sources: the sdist's files to compile, see :func:`ociwheel.sdist.unpack.native_sources`.
    :param compiled: how many source files the compiler was called for.
    :raises BuildError: the wheel has no ELF file although there is something to compile.
    """
    if wheel.elf or not sources:
        return
    shown = list(sources[:5]) + (["…"] if len(sources) > 5 else [])
    called = f"the compiler was called for {compiled} files" if compiled else "the compiler was never called"
    raise BuildError(
        f"the sdist has code to compile, but the wheel holds no compiled file ({called})",
        where=where,
        details=[f"to compile: {', '.join(shown)}"],
        hint=Remedy("mark-pure"),
    )


def _check_elf(fact: ElfFacts, target: Target, where: str, errors: ErrorCollector) -> None:
    if (fact.machine, fact.elf_class) != (target.platform.elf_machine, target.platform.elf_class):
        errors.add(
            BuildError(
                f"{fact.path} is compiled for ELF machine {fact.machine} ({fact.elf_class} bits), not for "
                f"{target.platform.elf_machine} ({target.platform.elf_class} bits) of {target.platform.oci}",
                where=where,
                hint=Remedy("set-compiler-variable"),
            )
        )
        return
    for library, versions in fact.needed_versions.items():
        for version in versions:
            match = _GLIBC.fullmatch(version)
            if match and (int(match[1]), int(match[2])) > target.libc_version:
                errors.add(
                    BuildError(
                        f"{fact.path} needs {version} of {library}, the base has glibc "
                        f"{target.libc_version[0]}.{target.libc_version[1]}",
                        where=where,
                    )
                )


def _embedded(wheel: Path, folders: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    patterns = [mentions(folder) for folder in folders]
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            data = archive.read(name)
            for pattern in patterns:
                if found := pattern.search(data):
                    yield name, _printable(data[found.start() : found.start() + 200])
                    break


def _printable(data: bytes) -> str:
    """Return the path that bytes begin with."""
    return re.split(r"[^ -~]|[\"'\s]", data.decode("latin-1"), maxsplit=1)[0]


def _around(output: Sequence[str], line: str) -> Sequence[str]:
    at = output.index(line)
    return output[max(0, at - 15) : at + 1]
