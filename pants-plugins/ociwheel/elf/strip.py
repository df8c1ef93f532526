"""Leaves debug information out of ELF files, as ``strip --strip-debug`` does: DWARF is never loaded.

Prebuilt wheels often have it: 12 of the 14 MB of uvloop's module are DWARF. Binutils and LLVM would have
to be content for each machine that builds; what they do beyond this, such as moving segments or rewriting
symbols, is what has broken files that ``patchelf`` had touched. Here all that is loaded stays where it is,
byte for byte, and a file that is in any way unusual is left as it is.

Format: System V gABI, chapters 4 (object files) and 5 (program loading).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO, cast

from elftools.elf.elffile import ELFFile

from ociwheel.elf.facts import ELF_MAGIC, MOST_SECTIONS
from ociwheel.formats.metered import Metered

_DEBUG = (".debug_", ".zdebug_", ".gdb_index")
_SHF_ALLOC = 0x2
_SHF_INFO_LINK = 0x40
_CHUNK_BYTES = 1 << 18
_PAGE_BYTES = 4096
# gABI, "ELF Header": e_shoff, by class; and where sections' offsets are aligned to.
_E_SHOFF = {32: (0x20, "I"), 64: (0x28, "Q")}


@dataclass(frozen=True)
class _Part:
    """Bytes of the new file: some that are given, or a part of the old one."""

    data: bytes = b""
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class _Section:
    """A section header, and where its content lies."""

    number: int
    name: str
    header: Any
    start: int
    end: int

    @property
    def is_debug(self) -> bool:
        return self.name.startswith(_DEBUG)

    @property
    def is_loaded(self) -> bool:
        return bool(self.header["sh_flags"] & _SHF_ALLOC)

    @property
    def belongs_to(self) -> frozenset[int]:
        """The sections that it says something about (gABI, "sh_link and sh_info Interpretation")."""
        header = self.header
        # What sh_info is else is no section: a symbol table's first global symbol.
        linked = header["sh_flags"] & _SHF_INFO_LINK or header["sh_type"] in {"SHT_REL", "SHT_RELA"}
        return frozenset({header["sh_link"], header["sh_info"]} if linked else {header["sh_link"]})


class Stripped:
    """The new file as a stream; nothing of it is held in memory but headers.

    :param file: the old one, seekable; it is not closed.
    """

    def __init__(self, file: BinaryIO, parts: Sequence[_Part]) -> None:
        self._file = file
        self._chunks = self._read_parts(parts)
        self._rest = b""

    def _read_parts(self, parts: Sequence[_Part]) -> Iterator[bytes]:
        for part in parts:
            if part.data:
                yield part.data
            self._file.seek(part.start)
            left = part.end - part.start
            while left > 0:
                chunk = self._file.read(min(left, _CHUNK_BYTES))
                if not chunk:
                    raise EOFError("the file became shorter")
                left -= len(chunk)
                yield chunk

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        if not self._rest:
            self._rest = next(self._chunks, b"")
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def without_debug(file: BinaryIO) -> Stripped | None:
    """Return a file without its debug information.

    Sections keep their numbers: the headers of those left out are inactive (``SHT_NULL``). Symbol
    tables stay.

    :param file: a seekable stream.
    :returns: ``None`` where there is none, or where it cannot be left out without moving anything else.
    """
    file.seek(0)
    if file.read(len(ELF_MAGIC)) != ELF_MAGIC:
        return None
    size = file.seek(0, io.SEEK_END)
    try:
        parts = _plan(file, Metered(file), size)
    except Exception:  # noqa: BLE001 (pyelftools raises whatever damage leads to; the audit tells of it)
        return None
    return Stripped(file, parts) if parts else None


def _plan(file: BinaryIO, metered: Metered, size: int) -> list[_Part]:
    """Return the parts of the new file; none where the old one is to stay."""
    elf: Any = ELFFile(cast(BinaryIO, metered))
    table, entry, count = elf.header["e_shoff"], elf.header["e_shentsize"], elf.header["e_shnum"]
    if elf.header["e_type"] not in {"ET_DYN", "ET_EXEC"} or not 0 < count < MOST_SECTIONS:
        return []
    if entry != elf.structs.Elf_Shdr.sizeof():
        return []
    sections = list(_sections(elf, count))
    kept = [section for section in sections if not section.is_debug]
    debug = frozenset(section.number for section in sections if section.is_debug)
    loaded = _end_of_what_is_loaded(elf, sections)
    ends = [section.end for section in sections]
    moved = sorted((one for one in kept if one.start >= loaded and one.end > one.start), key=_start)
    if (
        len(kept) == len(sections)
        or any(one.is_debug and (one.is_loaded or one.start < loaded) for one in sections)
        # Something behind it all, as in programs that carry an archive: they look for it from the end.
        or max(loaded, table + entry * count, *ends) != size
        or table < loaded
        or any(one.belongs_to & debug for one in kept)
        or any(one.header["sh_addralign"] > _PAGE_BYTES for one in moved)
        or any(second.start < first.end for first, second in pairwise(moved))
    ):
        return []
    return _parts(file, elf, sections, moved, loaded)


def _sections(elf: Any, count: int) -> Iterator[_Section]:
    for number in range(count):
        section = elf.get_section(number)
        header = section.header
        empty = header["sh_type"] in {"SHT_NOBITS", "SHT_NULL"}
        start = header["sh_offset"]
        yield _Section(number, section.name, header, start, start + (0 if empty else header["sh_size"]))


def _start(section: _Section) -> int:
    return section.start


def _end_of_what_is_loaded(elf: Any, sections: Sequence[_Section]) -> int:
    """Return the offset behind headers, segments and sections that are part of the memory image."""
    header = elf.header
    segments = [s.header["p_offset"] + s.header["p_filesz"] for s in elf.iter_segments()]
    program_headers: int = header["e_phoff"] + header["e_phentsize"] * header["e_phnum"]
    loaded = [one.end for one in sections if one.is_loaded]
    return int(max([header["e_ehsize"], program_headers, *segments, *loaded]))


def _parts(
    file: BinaryIO, elf: Any, sections: Sequence[_Section], moved: Sequence[_Section], loaded: int
) -> list[_Part]:
    offsets: dict[int, int] = {}
    parts: list[_Part] = []
    at = loaded
    for section in moved:
        at += _pad(parts, at, max(1, section.header["sh_addralign"]))
        offsets[section.number] = at
        parts.append(_Part(start=section.start, end=section.end))
        at += section.end - section.start
    at += _pad(parts, at, elf.elfclass // 8)
    table = b"".join(_header(elf, section, offsets) for section in sections)
    where, kind = _E_SHOFF[elf.elfclass]
    address = struct.pack(("<" if elf.little_endian else ">") + kind, at)
    file.seek(0)
    head = file.read(where) + address
    return [_Part(head), _Part(start=len(head), end=loaded), *parts, _Part(table)]


def _pad(parts: list[_Part], at: int, alignment: int) -> int:
    """Add zeros up to a multiple of ``alignment``; return how many."""
    missing = -at % alignment
    if missing:
        parts.append(_Part(bytes(missing)))
    return missing


def _header(elf: Any, section: _Section, offsets: dict[int, int]) -> bytes:
    if section.is_debug:
        return bytes(elf.structs.Elf_Shdr.sizeof())  # SHT_NULL is 0, and so is all else
    header = elf.structs.Elf_Shdr.parse(elf.structs.Elf_Shdr.build(section.header))
    header["sh_offset"] = offsets.get(section.number, section.start)
    return bytes(elf.structs.Elf_Shdr.build(header))
