"""The build lock: which versions, and which files of them, build each sdist (``<resolve>.build.lock``).

Pure: what is on the index and what pip resolved come in as values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from ociwheel.documents import check_schema, schema
from ociwheel.errors import LockError
from ociwheel.fetch.simple_api import LONGEST_NAME, IndexFile
from ociwheel.reading import Value, failing
from ociwheel.remedies import Remedy
from ociwheel.wording import quoted

# PEP 508 names; versions as PEP 440 and the projects of before it write them.
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}==[A-Za-z0-9.!+_-]{1,200}")
_MINOR = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")
_WHEEL = re.compile(r"[^/\\\0]{1,251}\.whl")
# Crates: names as the registry takes them, versions as Semantic Versioning writes them.
_CRATE = re.compile(r"[A-Za-z0-9_-]{1,64} [0-9][0-9A-Za-z.+-]{0,100}")
# The machines that build: wheels for others are not worth a line in the lock.
_BUILD_MACHINES = ("x86_64", "aarch64", "arm64", "universal2")


@dataclass(frozen=True, order=True)
class Pin:
    """One build requirement at one version."""

    name: str
    version: str

    def __str__(self) -> str:
        """Return the pin as a requirement."""
        return f"{self.name}=={self.version}"

    @staticmethod
    def parse(text: str) -> Pin:
        """Return the pin that a requirement ``name==version`` is."""
        name, _, version = text.partition("==")
        return Pin(canonicalize_name(name), version)


@dataclass(frozen=True)
class BuildEnvironment:
    """The pins of one sdist under one Python."""

    sdist: str
    """``name==version``."""
    sha256: str
    python: str
    pins: tuple[Pin, ...]
    crates: tuple[str, ...] = ()
    """Crates, each ``name version``, that its ``Cargo.lock`` names and it does not bring."""

    def to_json(self) -> dict[str, Any]:
        """Return the item of ``environments``."""
        pins = [str(pin) for pin in self.pins]
        row = {"sdist": self.sdist, "sha256": self.sha256, "python": self.python, "pins": pins}
        return {**row, "crates": list(self.crates)} if self.crates else row


@dataclass(frozen=True)
class BuildLock:
    """A whole build lock."""

    environments: tuple[BuildEnvironment, ...] = ()
    files: Mapping[str, tuple[Mapping[str, Any], ...]] | None = None
    """Pin: its wheels, each ``filename``, ``sha256`` and perhaps ``size``."""
    crates: Mapping[str, str] = field(default_factory=dict)
    """Crate, ``name version``: the SHA-256 of its ``.crate`` file."""

    @staticmethod
    def from_json(value: Any, where: str) -> BuildLock:
        """Return the lock that a JSON document holds.

        :raises LockError: it is no build lock.
        """
        return BuildLock.read(Value(value, "", failing(LockError, where)))

    @staticmethod
    def read(document: Value) -> BuildLock:
        """Return the lock that a document holds; what is wrong with it is an error of the document's."""
        check_schema(document, "build-lock")
        return BuildLock.read_rows(document)

    @staticmethod
    def read_rows(document: Value) -> BuildLock:
        """Return the lock of a document that need not say of what kind it is."""
        rows = tuple(_environment(row) for row in document.at("environments").items())
        files = {
            _pin(pin, listed): tuple(map(_file, listed.items()))
            for pin, listed in document.at("files").members().items()
        }
        crates = document.optional("crates", Value.members) or {}
        hashes = {_crate(name, value): value.sha256() for name, value in crates.items()}
        for number, row in enumerate(rows):
            for crate in sorted(set(row.crates) - hashes.keys()):
                raise document.at("environments").error(f"[{number}] names {crate}, which `crates` has not")
        return BuildLock(rows, files, hashes)

    def renewed(
        self, made: BuildLock, pythons: Iterable[str], minors: Sequence[str] | None, failed: Collection[str]
    ) -> BuildLock:
        """Return the lock with the rows of some Pythons made anew.

        :param made: the new rows, with their files and crates.
        :param pythons: the Pythons whose rows are made anew.
        :param minors: the Pythons whose rows may stay; ``None``: all.
        :param failed: sdists, ``name==version``, of which there is no new row: what they had stays.
        """
        anew = set(pythons)
        there = {(row.sdist, row.python) for row in made.environments}
        kept = [
            row
            for row in self.environments
            if (row.python not in anew or row.sdist in failed)
            and (minors is None or row.python in minors)
            and (row.sdist, row.python) not in there
        ]
        staying = {str(pin) for row in kept for pin in row.pins}
        files = dict(made.files or {})
        for pin in staying & (self.files or {}).keys():
            both = [*(self.files or {})[pin], *files.get(pin, ())]
            by_name = {file["filename"]: file for file in both}
            files[pin] = tuple(by_name[name] for name in sorted(by_name))
        rows = sorted([*kept, *made.environments], key=lambda r: (r.sdist, _version_key(r.python)))
        return BuildLock(tuple(rows), files, {**self.crates, **made.crates})


def _environment(row: Value) -> BuildEnvironment:
    return BuildEnvironment(
        row.at("sdist").matching(_PINNED, "name==version"),
        row.at("sha256").sha256(),
        row.at("python").matching(_MINOR, "a minor version such as 3.11"),
        tuple(sorted(Pin.parse(pin.matching(_PINNED, "name==version")) for pin in row.at("pins").items())),
        row.optional("crates", lambda found: tuple(sorted(_crate(c.text(), c) for c in found.items()))) or (),
    )


def _crate(text: str, place: Value) -> str:
    if not _CRATE.fullmatch(text):
        raise place.error(f"expected a crate's name and version, found {quoted(text)}")
    return text


def _pin(text: str, place: Value) -> str:
    if len(text) > LONGEST_NAME or not _PINNED.fullmatch(text):
        raise place.error(f"expected name==version, found {quoted(text)}")
    return text


def _file(value: Value) -> Mapping[str, Any]:
    value.only("filename", "sha256", "size")
    size = value.optional("size", Value.integer)
    found = {
        "filename": value.at("filename").matching(_WHEEL, "the name of a wheel"),
        "sha256": value.at("sha256").sha256(),
    }
    return {**found, **({"size": size} if size is not None else {})}


def _version_key(minor: str) -> tuple[int, ...]:
    return tuple(int(part) for part in minor.split("."))


def render(lock: BuildLock) -> bytes:
    """Return the file's bytes: sorted, one environment, file and crate per line, so that diffs read well."""
    used = {str(pin) for row in lock.environments for pin in row.pins}
    files = {pin: rows for pin, rows in (lock.files or {}).items() if pin in used}
    lines = ["{", f' "schema": {json.dumps(schema("build-lock"))},', ' "environments": [']
    rows = [json.dumps(row.to_json(), ensure_ascii=False) for row in lock.environments]
    lines += [*_listed("  ", rows), " ],", ' "files": {']
    for number, pin in enumerate(sorted(files), 1):
        lines.append(f"  {json.dumps(pin)}: [")
        lines += _listed("   ", [json.dumps(dict(sorted(f.items()))) for f in files[pin]])
        lines.append(f"  ]{',' if number < len(files) else ''}")
    crates = sorted({crate for row in lock.environments for crate in row.crates})
    if crates:
        hashes = [f"{json.dumps(crate)}: {json.dumps(lock.crates[crate])}" for crate in crates]
        lines += [" },", ' "crates": {', *_listed("  ", hashes)]
    return "\n".join([*lines, " }", "}", ""]).encode()


def _listed(indent: str, items: Sequence[str]) -> list[str]:
    return [f"{indent}{item}{',' if n < len(items) else ''}" for n, item in enumerate(items, 1)]


def lockable_files(
    pin: Pin, pythons: Iterable[str], offered: Iterable[IndexFile], machines: Iterable[str] = ()
) -> tuple[Mapping[str, Any], ...]:
    """Return the wheels of a pin that some machine that builds can install, sorted by file name.

    :param pythons: minor versions, ``3.11``.
    :param offered: files of the project, of any version.
    :param machines: further machines than those that build: where builds are emulated.
    :raises LockError: none has a wheel; the message says whether there is an sdist.
    """
    minors, on = tuple(pythons), (*_BUILD_MACHINES, *sorted(machines))
    found: dict[str, Mapping[str, Any]] = {}
    source = False
    for file in offered:
        version = _wheel_version(file.filename, pin.name)
        source = source or (version is None and f"-{pin.version}." in file.filename)
        if version != pin.version or file.sha256 is None or not _fits(file.filename, minors, on):
            continue
        size = {"size": file.size} if file.size is not None else {}
        # Places need not all tell the size: whichever does.
        before = found.get(file.filename, {"filename": file.filename, "sha256": file.sha256})
        found[file.filename] = {**size, **before}
    if not found:
        raise no_wheel(str(pin), source)
    return tuple(found[name] for name in sorted(found))


def no_wheel(requirement: str, has_sdist: bool) -> LockError:
    """Return the error of a build requirement without a wheel."""
    kind = "only an sdist" if has_sdist else "no wheel"
    return LockError(
        f"the build requirement {requirement} has {kind} on the index, and a build requirement is never "
        "built itself",
        hint=Remedy("constrain-build-requirement"),
    )


def _wheel_version(filename: str, name: str) -> str | None:
    try:
        found, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return None
    return str(version) if found == name else None


def _fits(filename: str, minors: Sequence[str], machines: tuple[str, ...]) -> bool:
    tags = parse_tag("-".join(filename.removesuffix(".whl").split("-")[-3:]))
    return any(_fits_tag(t.interpreter, t.abi, t.platform, minor, machines) for t in tags for minor in minors)


def _fits_tag(interpreter: str, abi: str, platform: str, minor: str, machines: tuple[str, ...]) -> bool:
    major, _, number = minor.partition(".")
    own = f"cp{major}{number}"
    if abi == "abi3":
        digits = interpreter.removeprefix("cp3")
        fits_python = interpreter.startswith("cp3") and digits.isdigit() and int(digits) <= int(number)
    else:
        fits_python = interpreter in {own, "py3", f"py{major}{number}"} and abi in {own, "none"}
    on_machine = platform.startswith(("manylinux", "linux_", "macosx")) and platform.endswith(machines)
    return fits_python and (platform == "any" or on_machine)
