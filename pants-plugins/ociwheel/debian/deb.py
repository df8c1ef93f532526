"""Reads a binary package, deb(5): an ar archive of a control tarball and a data tarball.

Maintainer scripts are read and never run (:mod:`ociwheel.base.scripts`). File contents go to one numbered
file of a scratch folder for each package, so no name of the archive ever becomes a path on this machine.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ociwheel.errors import BaseError
from ociwheel.formats.ar import ArMember, read_ar
from ociwheel.formats.entries import Entry
from ociwheel.formats.guard import Guard
from ociwheel.formats.limits import MB
from ociwheel.formats.names import is_text
from ociwheel.formats.parts import Part
from ociwheel.formats.streams import open_stream
from ociwheel.formats.tar import TarReader
from ociwheel.platforms import Platform
from ociwheel.wording import quoted

_COMPRESSIONS = ("", ".gz", ".bz2", ".xz", ".zst")
# Texts of the control tarball, and their most bytes: the largest of Debian have a tenth of that.
_TEXTS: Mapping[str, int] = {"control": MB // 4, "md5sums": 8 * MB}
MOST_SCRIPT_BYTES = MB // 4
"""The longest script that is followed; the longest of libc6 has a twentieth of it."""
_SCRIPTS: Mapping[str, int] = {
    "config": MOST_SCRIPT_BYTES,
    "preinst": MOST_SCRIPT_BYTES,
    "postinst": MOST_SCRIPT_BYTES,
    "templates": 4 * MB,
    "triggers": MOST_SCRIPT_BYTES,
}
# Debian Policy 5.6.1, 5.6.8 and 5.6.12, in any case of letters.
_FIELDS = {
    "package": re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,199}"),
    "version": re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~_-]{0,199}"),
    "architecture": re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,49}"),
}


@dataclass(frozen=True)
class Package:
    """A package that was unpacked."""

    name: str
    version: str
    architecture: str
    control: str
    """The text of its control file."""
    md5sums: str
    members: tuple[Entry, ...]
    """What its data tarball holds, paths relative to the root."""
    scripts: Mapping[str, str] = field(default_factory=dict, compare=False)
    """``preinst``, ``postinst``, debconf's ``config`` and ``templates``, ``triggers``: where it has them."""


def read_debs(folder: Path, scratch: Path) -> tuple[Package, ...]:
    """Unpack every package of a folder, in order of name.

    :param scratch: a folder for the contents, which must outlive the result.
    :raises BaseError: there is none, one is there twice, or one is damaged or hostile.
    """
    files = sorted(path for path in folder.rglob("*.deb") if path.is_file()) if folder.is_dir() else []
    if not files:
        raise BaseError("there is no .deb file", where=str(folder))
    numbers = itertools.count()
    packages: dict[str, Package] = {}
    for path in files:
        package = read_deb(path, scratch / str(next(numbers)))
        other = packages.setdefault(package.name, package)
        if other is not package:
            raise BaseError(
                f"two versions of {package.name}: {other.version} and {package.version}", where=str(folder)
            )
    return tuple(packages[name] for name in sorted(packages))


def read_deb(path: Path, contents: Path) -> Package:
    """Unpack one package.

    :param contents: a file that is made for the contents, and must outlive the result.
    :raises BaseError: the file is no package, is damaged, or has a member that must not be unpacked.
    """
    guard = Guard(path.name, BaseError)
    with path.open("rb") as file:
        members = read_ar(file, guard)
        # deb(5): "debian-binary [...] The first member", whose content is "2." and a minor number.
        if not members or members[0].name != "debian-binary" or members[0].open().read(2) != b"2.":
            raise guard.refuse("is no Debian package of format 2")
        texts = _control(_tarball(members, "control", guard))
        fields = _fields(texts.get("control", ""))
        values = [fields.get(key, "") for key in _FIELDS]
        if not all(form.fullmatch(value) for form, value in zip(_FIELDS.values(), values, strict=True)):
            raise guard.refuse("its control file lacks Package, Version or Architecture")
        data = _tarball(members, "data", guard)
        entries = tuple(_data(data, f"{values[0]} {values[1]}", contents, guard))
    name, version, architecture = values
    scripts = {name: text for name, text in texts.items() if name in _SCRIPTS}
    return Package(name, version, architecture, texts["control"], texts.get("md5sums", ""), entries, scripts)


def _tarball(members: tuple[ArMember, ...], stem: str, guard: Guard) -> TarReader:
    found = [member for member in members if member.name.startswith(f"{stem}.tar")]
    if len(found) != 1:
        raise guard.refuse(f"has {len(found)} members {stem}.tar*, not one")
    suffix = found[0].name.removeprefix(f"{stem}.tar")
    if suffix not in _COMPRESSIONS:
        raise guard.refuse(f"is compressed in a way that is not known: {quoted(found[0].name)}")
    return TarReader(open_stream(found[0].open(), found[0].size, guard, suffix=suffix), guard)


def _control(tar: TarReader) -> dict[str, str]:
    texts: dict[str, str] = {}
    for entry in tar:
        if entry.kind == "file" and entry.path in _TEXTS:
            texts[entry.path] = tar.read(_TEXTS[entry.path]).decode(errors="replace")
        elif entry.kind == "file" and entry.path in _SCRIPTS:
            texts[entry.path] = _script(tar, _SCRIPTS[entry.path])
    return texts


def _script(tar: TarReader, most: int) -> str:
    """Return a script; of one that nobody would follow, that it is too long, which is no script."""
    data = bytearray()
    for chunk in tar.chunks():
        data += chunk
        if len(data) > most:
            return f"longer than {most} bytes"
    return data.decode(errors="replace")


def _fields(control: str) -> dict[str, str]:
    """Return the fields of one line of a control file's first paragraph, by name in small letters."""
    found: dict[str, str] = {}
    for line in control.lstrip("\n").split("\n"):
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if colon and not line[0].isspace() and not line.startswith("#"):
            found.setdefault(name.strip().lower(), value.strip())
    return found


def _data(tar: TarReader, origin: str, contents: Path, guard: Guard) -> Iterator[Entry]:
    """Yield the entries of the data tarball.

    :param contents: the file for the contents of all, which can be read when the last was yielded.
    """
    with contents.open("wb") as file:
        for entry in tar:
            if not entry.path:
                continue  # the root itself
            kind = entry.kind
            if kind == "other":
                raise guard.refuse(f"the entry {quoted(entry.path)} is a device or another special file")
            if not (is_text(entry.path) and is_text(entry.target)):
                raise guard.refuse(f"the path of the entry {quoted(entry.path)} is no UTF-8 text")
            source = None
            if kind == "file" and entry.size:
                source = Part(contents, file.tell(), entry.size)
                file.writelines(tar.chunks())
            mode = 0o777 if kind == "symlink" else entry.mode
            yield Entry(entry.path, kind, mode, entry.uid, entry.gid, source, entry.target, origin)


def check_architecture(packages: Iterable[Package], row: Platform) -> None:
    """Refuse packages of another architecture than the target's.

    :raises BaseError: naming them.
    """
    wrong = [
        f"{p.name} {p.version}: {p.architecture}"
        for p in packages
        if p.architecture not in {row.debian, "all"}
    ]
    if wrong:
        raise BaseError(f"these packages are not for {row.oci} ({row.debian}):", details=wrong)
