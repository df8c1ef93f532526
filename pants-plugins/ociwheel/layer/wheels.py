"""Installing wheels into a layer, with the ``installer`` library doing what the specification says.

Specification: the binary distribution format of packaging.python.org. This module is the
destination of an installation (entries instead of files) and a stricter source.
"""

from __future__ import annotations

import base64
import email.parser
import hashlib
import os
import posixpath
import stat
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from installer import install
from installer.destinations import WheelDestination
from installer.records import Hash, RecordEntry
from installer.sources import WheelContentElement, WheelFile
from installer.utils import Scheme, construct_record_file
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from ociwheel.elf.facts import ELF_MAGIC
from ociwheel.errors import ErrorCollector, LayerError
from ociwheel.formats.entries import Content, Entry
from ociwheel.formats.guard import Guard
from ociwheel.formats.times import CONSTANT, of_content
from ociwheel.formats.zip import check_sizes
from ociwheel.layer.exclude import excluded
from ociwheel.layer.import_time import Read
from ociwheel.layer.left_out import LeftOut
from ociwheel.layer.opened import OpenedNames, opened_names
from ociwheel.layer.prefer import hint, ranks
from ociwheel.layer.script import Script
from ociwheel.layer.spool import Slice, Spool
from ociwheel.layer.venv import Venv, compile_entries
from ociwheel.target import Target

INSTALLER = b"ociwheel\n"
_CHUNK_BYTES = 1 << 18
_ENCRYPTED = 0x1
# What installer says of a RECORD that lacks something; every installer takes such a wheel.
_RECORD_GAPS = ("is not mentioned in RECORD", "is not included in RECORD", "incorrectly contain")


@dataclass(frozen=True)
class Options:
    """How wheels are installed."""

    target: Target
    venv: Venv
    excludes: Sequence[str]
    tag: str | None
    """Cache tag of the bytecode to add, ``None`` for none."""
    checked: bool = False
    """Whether the interpreter shall compare sources before it takes their bytecode."""
    strip: bool = True
    """Whether debug information is left out of ELF files."""


@dataclass(frozen=True)
class InstalledWheel:
    """What one wheel puts into a layer."""

    content: Content
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]
    opened: OpenedNames | None = None
    requires: tuple[str, ...] = ()
    """``Requires-Dist`` of its metadata."""


def install_wheel(wheel: Path, spool: Spool, options: Options, left_out: LeftOut) -> InstalledWheel:
    """Install one wheel.

    :param left_out: is told what is not installed.
    :raises LayerError: the wheel does not fit the target, is damaged, or tries to write elsewhere.
    """
    content = content_of(wheel, options.target)
    origin = content.origin
    try:
        with zipfile.ZipFile(wheel) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bytecode that is not installed, which is counted below
            _check_members(archive, wheel.name)
            check_sizes(archive, wheel.stat().st_size, Guard(wheel.name, LayerError))
            source = _Wheel(archive, wheel.name)
            gaps = source.record_gaps()
            destination = _Destination(spool, options, origin, left_out)
            for info in archive.infolist():
                if "__pycache__" in info.filename.split("/")[:-1] and not info.is_dir():
                    left_out.add(origin, "bytecode", info.file_size)
            install(source, destination, {"INSTALLER": INSTALLER})
            source.raise_if_damaged()
    except LayerError:
        raise
    # A hostile wheel makes installer and zipfile raise nearly anything, AssertionError included.
    except Exception as e:
        raise LayerError(f"the wheel cannot be installed: {_one_line(e, wheel)}", where=wheel.name) from e
    entries = destination.entries()
    notes = (*gaps, *destination.notes)
    opened = opened_names(_sources(entries, options.venv), options.venv.site_packages)
    return InstalledWheel(content, entries, notes, opened, _requires(entries))


def _requires(entries: Sequence[Entry]) -> tuple[str, ...]:
    metadata = next((e for e in entries if e.path.endswith(".dist-info/METADATA")), None)
    if metadata is None:
        return ()
    with metadata.open() as stream:
        headers = email.parser.BytesHeaderParser().parse(stream)
    return tuple(" ".join(str(text).split()) for text in headers.get_all("Requires-Dist") or ())


def _sources(entries: Sequence[Entry], venv: Venv) -> dict[str, Read]:
    site = f"{venv.site_packages}/"
    return {e.path.removeprefix(site): partial(_read, e) for e in entries if e.path.endswith(".py")}


def _read(entry: Entry) -> bytes:
    with entry.open() as stream:
        return stream.read()


def merge(installed: Sequence[InstalledWheel], prefer: Sequence[str] = ()) -> list[Entry]:
    """Return the entries of all wheels, the same file of two wheels once.

    :param prefer: names of the distributions whose files win over others', first first.
    :raises LayerError: two wheels with different files for one path, or one distribution twice.
    """
    errors = ErrorCollector()
    names: dict[str, Content] = {}
    merged: dict[str, Entry] = {}
    rank = ranks(prefer)
    last = len(rank)
    installed = sorted(installed, key=lambda wheel: rank.get(wheel.content.name, last))
    for wheel in installed:
        other = names.setdefault(wheel.content.name, wheel.content)
        if other is not wheel.content:
            errors.add(
                LayerError(
                    f"{other.name} is there in two versions: {other.version} and {wheel.content.version}"
                )
            )
            continue
        for entry in wheel.entries:
            first = merged.setdefault(entry.path, entry)
            # Bytecode differs when its source does, which is said already.
            if first is entry or "/__pycache__/" in entry.path:
                continue
            if first.sha256 != entry.sha256 and first.origin.partition(" ")[0] not in rank:
                errors.add(
                    LayerError(
                        f"{first.origin} and {entry.origin} have different files for /{entry.path}",
                        hint=hint(first.origin.partition(" ")[0]),
                    )
                )
    errors.raise_if_any()
    return list(merged.values())


def content_of(wheel: Path, target: Target) -> Content:
    """Return what a wheel is by its name.

    :raises LayerError: that is no wheel's name, or it does not fit the target.
    """
    try:
        name, version, _, wheel_tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as e:
        raise LayerError(f"not the name of a wheel: {e}", where=wheel.name) from e
    if wheel_tags.isdisjoint(target.tags):
        raise LayerError(
            f"the wheel does not fit {target.platform.oci} with Python {target.python_minor} and "
            f"{target.libc_title}",
            where=wheel.name,
        )
    return Content("wheel", name, str(version))


def _check_members(archive: zipfile.ZipFile, where: str) -> None:
    errors = ErrorCollector()
    seen: set[str] = set()
    for info in archive.infolist():
        name = info.orig_filename
        mode = info.external_attr >> 16
        problem = None
        if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
            problem = "is not a path inside the wheel"
        elif name in seen:
            problem = "comes twice"
        elif info.flag_bits & _ENCRYPTED:
            problem = "is encrypted"
        elif stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            problem = "is a link or a special file"
        if problem:
            errors.add(LayerError(f"the member {name!r} {problem}", where=where))
        seen.add(name)
    errors.raise_if_any()


def _one_line(error: Exception, wheel: Path) -> str:
    issues = getattr(error, "issues", None)
    # installer names the file as it was opened, a path of this machine.
    text = ("; ".join(issues) if issues else str((error.args or ("",))[-1])).replace(str(wheel), wheel.name)
    return f"{type(error).__name__.lstrip('_')}: {text}" if text else type(error).__name__


class _Checked:
    """A stream that hashes what is read from it."""

    def __init__(self, stream: BinaryIO, algorithm: str) -> None:
        self._stream = stream
        self.hash = hashlib.new(algorithm)
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self.hash.update(data)
        self.size += len(data)
        return data


class _Wheel(WheelFile):
    """Checks content against RECORD while it is read, not in a pass of its own."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        super().__init__(archive)
        self._errors = ErrorCollector()
        self._where = name

    def record_gaps(self) -> tuple[str, ...]:
        """Check that RECORD can be read, and return what it lacks.

        :raises LayerError: it is worse than that.
        """
        try:
            self.validate_record(validate_contents=False)
        except self.validation_error as e:
            issues = [issue.replace(f"In {self._zipfile.filename}, ", "") for issue in e.issues]
            if not all(any(gap in issue for gap in _RECORD_GAPS) for issue in issues):
                raise
            more = f", and {len(issues) - 1} gaps more" if len(issues) > 1 else ""
            return (f"{self._where}: {issues[0]}{more}",)
        return ()

    def get_contents(self) -> Iterator[WheelContentElement]:
        for (path, digest, size), stream, executable in super().get_contents():
            if not digest:  # RECORD itself, and what it has no hash of
                yield (path, digest, size), stream, executable
                continue
            algorithm, _, value = digest.partition("=")
            checked = _Checked(stream, algorithm)
            yield (path, digest, size), cast(BinaryIO, checked), executable
            while checked.read(_CHUNK_BYTES):  # what the destination did not want
                pass
            found = base64.urlsafe_b64encode(checked.hash.digest()).decode().rstrip("=")
            if found != value.rstrip("=") or str(checked.size) != size:
                self._errors.add(
                    LayerError(f"{path} is not what RECORD says (hash or size differs)", where=self._where)
                )

    def raise_if_damaged(self) -> None:
        """Raise a LayerError when content differed from RECORD."""
        self._errors.raise_if_any()


class _Destination(WheelDestination):
    """Collects entries where installer would write files."""

    def __init__(self, spool: Spool, options: Options, origin: str, left_out: LeftOut) -> None:
        self._left_out = left_out
        self._spool = spool
        self._options = options
        self._origin = origin
        self._entries: dict[str, Entry] = {}
        venv = options.venv
        self._folders: dict[str, str] = {
            "purelib": venv.site_packages,
            "platlib": venv.site_packages,
            "scripts": f"{venv.prefix}/bin",
            "data": venv.prefix,
        }
        self.notes: tuple[str, ...] = ()

    def entries(self) -> tuple[Entry, ...]:
        """Return what was installed."""
        return tuple(self._entries.values())

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:
        """Add a generated script."""
        del section  # graphical and console scripts are the same on Linux
        made = self._options.venv.entry_script(name, module, attr, self._origin)
        with made.open() as stream:
            return self._add(made.path, name, self._spool.add(stream), executable=True)

    def write_file(
        self,
        scheme: Scheme,
        path: str | os.PathLike[str],
        stream: BinaryIO,
        is_executable: bool,
    ) -> RecordEntry:
        """Add a file of the wheel, unless a rule leaves it out."""
        path = os.fspath(path)
        folder = self._folders.get(scheme)
        if folder is None or excluded(path, self._options.excludes):
            rule = "headers" if folder is None else "exclude"
            self._left_out.add(
                self._origin, rule, sum(map(len, iter(lambda: stream.read(_CHUNK_BYTES), b"")))
            )
            return RecordEntry(path, None, None)
        if scheme == "scripts":
            part = self._spooled(Script(stream, self._options.venv.python))
            return self._add(f"{folder}/{path}", path, part, executable=True)
        return self._add(f"{folder}/{path}", path, self._spooled(stream), executable=is_executable)

    def _spooled(self, stream: BinaryIO | Script) -> Slice:
        """Spool a file of the wheel, without its debug information."""
        part = self._spool.add(stream)
        if not self._options.strip or not part.head.startswith(ELF_MAGIC):
            return part
        from ociwheel.elf.strip import without_debug  # noqa: PLC0415  loads slowly; most wheels hold no ELF file

        self._spool.flush()
        with part.open() as file:
            stripped = without_debug(file)
            if stripped is None:
                return part
            smaller = self._spool.add(stripped)
            self._left_out.add(self._origin, "debug-sections", part.size - smaller.size)
            return smaller

    def finalize_installation(self, scheme: Scheme, record_file_path: str, records: object) -> None:
        """Add bytecode, and the RECORD of what the layer holds."""
        del scheme
        self._spool.flush()
        kept = [
            (where, record)
            for where, record in cast(list[tuple[Scheme, RecordEntry]], records)
            if where in self._folders and f"{self._folders[where]}/{record.path}" in self._entries
        ]
        if self._options.tag:
            site = self._options.venv.site_packages + "/"
            modules = [e for e in self._entries.values() if e.path.startswith(site)]
            compiled = compile_entries(modules, self._spool, self._options.tag, checked=self._options.checked)
            self.notes = compiled.notes
            for entry in compiled.entries:
                self._entries[entry.path] = entry
                # PEP 376 and the wheel specification: generated bytecode may have no hash.
                kept.append((Scheme("purelib"), RecordEntry(entry.path.removeprefix(site), None, None)))
        kept.append((Scheme("purelib"), RecordEntry(record_file_path, None, None)))
        with construct_record_file(_unique(kept), self._prefix) as stream:
            part = self._spool.add(stream)
        self._spool.flush()
        path = f"{self._folders['purelib']}/{record_file_path}"
        self._add(path, record_file_path, part, executable=False)
        # Made here, and different in every image that has another bytecode.
        self._entries[path] = replace(self._entries[path], mtime=CONSTANT)

    def _prefix(self, scheme: str) -> str | None:
        site = self._options.venv.site_packages
        folder = self._folders[scheme]
        return None if folder == site else posixpath.relpath(folder, site) + "/"

    def _add(self, path: str, record_path: str, part: Slice, *, executable: bool) -> RecordEntry:
        mode = 0o755 if executable else 0o644
        self._entries[path] = Entry(
            path,
            "file",
            mode,
            source=part,
            origin=self._origin,
            mtime=of_content(part.sha256),
            sha256=part.sha256,
        )
        value = base64.urlsafe_b64encode(bytes.fromhex(part.sha256)).decode().rstrip("=")
        return RecordEntry(record_path, Hash("sha256", value), part.size)


def _unique(records: list[tuple[Scheme, RecordEntry]]) -> list[tuple[Scheme, RecordEntry]]:
    """Return records once each: a file that installer adds may replace one that the wheel has."""
    return list({("lib" if s in {"purelib", "platlib"} else s, r.path): (s, r) for s, r in records}.values())
