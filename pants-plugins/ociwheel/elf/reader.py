"""Reads :class:`ElfFacts` from headers and dynamic sections only.

Apart from them, because the library that reads ELF takes longer to load than most steps take altogether.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_E_MACHINE
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.segments import InterpSegment

from ociwheel.elf.facts import ELF_MAGIC, MOST_SECTIONS, ElfFacts
from ociwheel.formats.metered import Meter, Metered
from ociwheel.wording import said_by

MOST_ENTRIES = 10_000
_WEAK = 0x2  # VER_FLG_WEAK
_BASE = 0x1  # VER_FLG_BASE: the file itself, not a version
# Alpine's loader is a file of that name, Debian's a link to libc.so.
_MUSL_FILE = re.compile(r"ld-musl-[^/]+\.so\.1|libc\.musl-[^/]+\.so\.1|libc\.so")
_MUSL_TITLE = b"musl libc ("
_MUSL_VERSION = re.compile(rb"(?<=\0)(\d+\.\d+\.\d+)(?:-git[\w.-]*)?(?=\0)")
_MOST_STRINGS = 16 << 20


def read_facts(
    file: BinaryIO | Path,
    path_in_image: str,
    origin: str,
    *,
    note: Callable[[str], None] | None = None,
    meter: Meter | None = None,
) -> ElfFacts | None:
    """Read the facts of one file.

    :param file: a path, or a seekable stream at any position; it is not closed.
    :param note: is told of a file that starts like ELF but is damaged: test data of some package,
        most often, so no error. Without one, standard error is.
    :param meter: bounds the work for all files of an archive.
    :returns: ``None`` when the file is not ELF, or damaged.
    """
    if isinstance(file, Path):
        with file.open("rb") as stream:
            return read_facts(stream, path_in_image, origin, note=note, meter=meter)
    file.seek(0)
    if file.read(len(ELF_MAGIC)) != ELF_MAGIC:
        return None
    try:
        return _parse(Metered(file, meter), path_in_image, origin)
    except Exception as e:  # noqa: BLE001 (pyelftools raises whatever the damage leads to)
        if meter and meter.is_empty:
            return None
        (note or _to_stderr)(f"{path_in_image} ({origin}) is a damaged ELF file, not audited: {_brief(e)}")
        return None


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"note: {text}\n")


def _brief(error: Exception) -> str:
    text = said_by(error)
    name = type(error).__name__
    return name if text == name else f"{name}: {text}"


def _parse(file: Any, path: str, origin: str) -> ElfFacts:
    elf = ELFFile(file)
    if elf.num_sections() > MOST_SECTIONS or elf.num_segments() > MOST_SECTIONS:
        raise ValueError("too many sections or segments")
    tags: dict[str, list[str]] = {"DT_NEEDED": [], "DT_SONAME": [], "DT_RPATH": [], "DT_RUNPATH": []}
    attributes = {"DT_NEEDED": "needed", "DT_SONAME": "soname", "DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}
    interp, relr = None, False
    for segment in elf.iter_segments():
        if isinstance(segment, InterpSegment):
            interp = _text(segment.get_interp_name())
        elif isinstance(segment, DynamicSegment):
            for number, tag in enumerate(segment.iter_tags()):
                if number > MOST_ENTRIES:
                    raise ValueError("too many dynamic entries")
                name = tag.entry.d_tag
                relr |= name == "DT_RELR"
                if name in attributes:
                    tags[name].append(_text(getattr(tag, attributes[name])))
    needed_versions, defined_versions = _versions(elf)
    return ElfFacts(
        path=path,
        machine=_number(elf.header["e_machine"]),
        elf_class=int(elf.elfclass),
        soname=tags["DT_SONAME"][0] if tags["DT_SONAME"] else None,
        needed=tuple(tags["DT_NEEDED"]),
        rpath=_search_path(tags["DT_RPATH"]),
        runpath=_search_path(tags["DT_RUNPATH"]),
        interp=interp,
        needed_versions=needed_versions,
        defined_versions=defined_versions,
        origin=origin,
        module=_is_module(elf, path),
        relr=relr,
        musl=_musl(elf, path),
    )


def _musl(elf: Any, path: str) -> str | None:
    """Return the version of musl that a file is: ``ld-musl-x86_64.so.1 --help`` tells it (ldso/dynlink.c)."""
    strings = elf.get_section_by_name(".rodata") if _MUSL_FILE.fullmatch(path.rpartition("/")[2]) else None
    if strings is None or strings.data_size > _MOST_STRINGS:
        return None
    data = strings.data()
    found = _MUSL_VERSION.search(data) if _MUSL_TITLE in data else None
    return found[1].decode() if found else None


def _is_module(elf: Any, path: str) -> bool:
    """Tell whether a file has ``PyInit_<name>``: looked for among the names of its dynamic symbols."""
    name = path.rpartition("/")[2]
    if not name.endswith(".so"):
        return False
    names = elf.get_section_by_name(".dynstr")
    wanted = b"\0PyInit_" + name.partition(".")[0].encode() + b"\0"
    return names is not None and wanted in names.data()


def _versions(elf: Any) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the versions that the file needs, by library, and those it defines."""
    needed: dict[str, tuple[str, ...]] = {}
    defined: list[str] = []
    for section in elf.iter_sections():
        if not isinstance(section, GNUVerDefSection | GNUVerNeedSection):
            continue
        if section.num_versions() > MOST_ENTRIES:
            raise ValueError("too many symbol versions")
        for version, parts in section.iter_versions():
            count = version.entry["vd_cnt" if isinstance(section, GNUVerDefSection) else "vn_cnt"]
            if count > MOST_ENTRIES:
                raise ValueError("too many symbol versions")
            names = []
            for part in parts:
                names.append(part)
                if isinstance(section, GNUVerDefSection):
                    break  # what follows are the versions that this one inherits
            if isinstance(section, GNUVerDefSection):
                if not version.entry["vd_flags"] & _BASE:
                    defined += [_text(p.name) for p in names]
            else:
                wanted = {_text(p.name) for p in names if not p.entry["vna_flags"] & _WEAK}
                library = _text(version.name)
                needed[library] = tuple(sorted(wanted.union(needed.get(library, ()))))
    return {k: v for k, v in needed.items() if v}, tuple(sorted(set(defined)))


def _number(machine: object) -> int:
    """Return ``e_machine`` as a number, which pyelftools gives as a name where it knows one."""
    return machine if isinstance(machine, int) else int(ENUM_E_MACHINE[str(machine)])


def _search_path(values: list[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":") if part)


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    if "\0" in text or "\ufffd" in text:
        raise ValueError("a name that is not UTF-8")
    return text
