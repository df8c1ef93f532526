"""Writes tiny ELF shared objects, real enough for readers of their dynamic section.

Formats: System V gABI chapters 4 and 5, LSB core "Symbol Versioning".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_DT = {"needed": 1, "soname": 14, "rpath": 15, "runpath": 29}
_DT_STRTAB, _DT_STRSZ, _DT_RELR, _DT_NULL = 5, 10, 36, 0
_SHT = {
    ".dynstr": 3,
    ".dynamic": 6,
    ".gnu.version_d": 0x6FFFFFFD,
    ".gnu.version_r": 0x6FFFFFFE,
    ".rodata": 1,
    ".shstrtab": 3,
}


@dataclass(frozen=True)
class Elf:
    """What to write."""

    machine: int = 62
    elf_class: int = 64
    soname: str | None = None
    needed: Sequence[str] = ()
    rpath: Sequence[str] = ()
    runpath: Sequence[str] = ()
    interp: str | None = None
    needed_versions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    weak_versions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    defined_versions: Sequence[str] = ()
    big_endian: bool = False
    names: Sequence[str] = ()
    """Names of symbols; there is no table of them."""
    relr: bool = False
    rodata: bytes = b""

    @property
    def order(self) -> str:
        """The byte order, as struct writes it."""
        return ">" if self.big_endian else "<"


class _Strings:
    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        offset = len(self.data)
        self.data += text.encode() + b"\0"
        return offset


def elf_bytes(elf: Elf) -> bytes:
    """Return the bytes of an ELF shared object."""
    wide, order = elf.elf_class == 64, elf.order
    strings = _Strings()
    for name in elf.names:
        strings.add(name)
    tags = [(_DT["needed"], strings.add(name)) for name in elf.needed]
    if elf.soname:
        tags.append((_DT["soname"], strings.add(elf.soname)))
    for key in ("rpath", "runpath"):
        folders = getattr(elf, key)
        if folders:
            tags.append((_DT[key], strings.add(":".join(folders))))
    if elf.relr:
        tags.append((_DT_RELR, 0))
    verneed, verneed_count = _verneed(elf, strings)
    verdef = b"".join(
        _verdef(order, number, name, strings, last=number == len(elf.defined_versions))
        for number, name in enumerate(["BASE", *elf.defined_versions])
        if elf.defined_versions
    )
    interp = elf.interp.encode() + b"\0" if elf.interp else b""
    header_size, segment_size, section_size = (64, 56, 64) if wide else (52, 32, 40)
    segments = 3 if interp else 2
    at = header_size + segments * segment_size
    dynstr_at = at + len(interp)
    dynstr_at += -dynstr_at % 8
    word = f"{order}QQ" if wide else f"{order}II"
    tags += [(_DT_STRTAB, dynstr_at), (_DT_STRSZ, len(strings.data)), (_DT_NULL, 0)]
    dynamic = b"".join(struct.pack(word, *tag) for tag in tags)
    names = _Strings()
    counts = {".gnu.version_r": verneed_count, ".gnu.version_d": len(elf.defined_versions) + 1}
    body = interp.ljust(dynstr_at - at, b"\0")
    sections = [bytes(section_size)]
    dynamic_at = 0
    parts = {
        ".dynstr": strings.data,
        ".dynamic": dynamic,
        ".gnu.version_r": verneed,
        ".gnu.version_d": verdef,
        ".rodata": elf.rodata,
    }
    for name, data in parts.items():
        if not data:
            continue
        offset = at + len(body)
        padding = bytes(-offset % 8)
        offset += len(padding)
        body += padding + data
        dynamic_at = offset if name == ".dynamic" else dynamic_at
        entry = struct.calcsize(word) if name == ".dynamic" else 0
        sections.append(
            _section(
                wide,
                order,
                names.add(name),
                name,
                offset=offset,
                size=len(data),
                info=counts.get(name, 0),
                entry=entry,
            )
        )
    shstrtab = names.add(".shstrtab")
    offset = at + len(body)
    body += names.data
    sections.append(
        _section(
            wide, order, shstrtab, ".shstrtab", offset=offset, size=len(names.data), info=0, entry=0, link=0
        )
    )
    body += bytes(-(at + len(body)) % 8)
    table_at = at + len(body)
    header = struct.pack(
        f"{order}4sBBBB8xHHI" + ("QQQ" if wide else "III") + "IHHHHHH",
        b"\x7fELF", 2 if wide else 1, 2 if elf.big_endian else 1, 1, 0, 3, elf.machine, 1, 0, header_size,
        table_at, 0, header_size, segment_size, segments, section_size, len(sections), len(sections) - 1,
    )  # fmt: skip
    total = table_at + len(sections) * section_size
    program = _segment(wide, order, 1, 0, total) + _segment(wide, order, 2, dynamic_at, len(dynamic))
    if interp:
        program += _segment(wide, order, 3, at, len(interp))
    return header + program + body + b"".join(sections)


def _segment(wide: bool, order: str, kind: int, offset: int, size: int) -> bytes:
    if wide:
        return struct.pack(f"{order}IIQQQQQQ", kind, 5, offset, offset, offset, size, size, 8)
    return struct.pack(f"{order}IIIIIIII", kind, offset, offset, offset, size, size, 5, 8)


def _section(
    wide: bool,
    order: str,
    name: int,
    kind: str,
    *,
    offset: int,
    size: int,
    info: int,
    entry: int,
    link: int = 1,
) -> bytes:
    layout = "IIQQQQIIQQ" if wide else "IIIIIIIIII"
    return struct.pack(order + layout, name, _SHT[kind], 2, offset, offset, size, link, info, 8, entry)


def _verneed(elf: Elf, strings: _Strings) -> tuple[bytes, int]:
    libraries = list(dict.fromkeys((*elf.needed_versions, *elf.weak_versions)))
    result = b""
    for number, library in enumerate(libraries):
        versions = [(v, 0) for v in elf.needed_versions.get(library, ())]
        versions += [(v, 2) for v in elf.weak_versions.get(library, ())]
        more = 16 + 16 * len(versions) if number + 1 < len(libraries) else 0
        result += struct.pack(f"{elf.order}HHIII", 1, len(versions), strings.add(library), 16, more)
        for index, (version, flags) in enumerate(versions):
            after = 16 if index + 1 < len(versions) else 0
            result += struct.pack(f"{elf.order}IHHII", 0, flags, index + 2, strings.add(version), after)
    return result, len(libraries)


def _verdef(order: str, number: int, name: str, strings: _Strings, *, last: bool) -> bytes:
    flags = 1 if number == 0 else 0
    head = struct.pack(f"{order}HHHHIII", 1, flags, number + 1, 1, 0, 20, 0 if last else 28)
    return head + struct.pack(f"{order}II", strings.add(name), 0)
