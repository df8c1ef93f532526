"""What ``ldconfig`` leaves: the loader's cache, and a program that prints it.

``ctypes.util.find_library`` asks ``/sbin/ldconfig -p``, so that without both it finds nothing. Debian's own
program is in libc-bin, of which nothing else is needed.

Format: glibc's sysdeps/generic/dl-cache.h, ``struct cache_file_new`` (``glibc-ld.so.cache1.1``): a header,
entries in descending order of names as ``_dl_cache_libcmp`` compares them, and the strings they point at.
"""

from __future__ import annotations

import posixpath
import re
import struct
from dataclasses import dataclass

from ociwheel.elf.facts import ElfFacts
from ociwheel.elf.tree import ImageTree
from ociwheel.platforms import Platform

CACHE = "etc/ld.so.cache"
PROGRAM = "usr/sbin/ldconfig"
_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = "20sIIB3xI12x"
_ENTRY = "iIIIQ"
_LITTLE_ENDIAN, _BIG = 2, 3
_ELF_LIBC6 = 0x0003
_NUMBER = re.compile(r"(\d+)")

# Prints the cache as `ldconfig -p` does, in the words that ctypes.util looks for.
_SOURCE = """\
#!/usr/bin/python{minor} -IS
# Prints {cache}, for ctypes.util.find_library. Install Debian's libc-bin for ldconfig itself.
import struct
import sys

NAMES = {{0x0303: "libc6,x86-64", 0x0A03: "libc6,AArch64", 0x0903: "libc6,hard-float", 0x0403: "libc6,64bit",
         0x0503: "libc6,64bit", 0x0003: "libc6"}}
if sys.argv[1:] not in (["-p"], ["--print-cache"]):
    sys.exit("ldconfig: this image has no more of it than -p; Debian's libc-bin has the rest")
with open("/{cache}", "rb") as file:
    data = file.read()
order = ">" if sys.byteorder == "big" else "<"
count = struct.unpack_from(order + "I", data, 20)[0]
print(f"{{count}} libs found in cache `/{cache}'")
for number in range(count):
    flags, key, value = struct.unpack_from(order + "iII", data, 48 + 24 * number)
    name, path = (data[at:data.index(0, at)].decode() for at in (key, value))
    print(f"\\t{{name}} ({{NAMES.get(flags, 'libc6')}}) => {{path}}")
"""


@dataclass(frozen=True)
class Library:
    """One entry of the cache."""

    name: str
    path: str
    """Absolute."""


def libraries(tree: ImageTree, platform: Platform) -> tuple[Library, ...]:
    """Return the libraries in the folders where the loader looks without being told, by their names.

    :param tree: the base's.
    """
    folders = [f"usr/lib/{platform.triplet}", "usr/lib64", "usr/lib"]
    found: dict[str, Library] = {}
    by_folder: dict[str, set[str]] = {folder: set() for folder in folders}
    for facts in tree.elf.values():
        if (facts.machine, facts.elf_class) != (platform.elf_machine, platform.elf_class):
            continue
        for name in _names(facts):
            for folder, names in by_folder.items():
                if tree.find_elf(f"{folder}/{name}") == facts:
                    names.add(name)
    for folder, names in by_folder.items():
        for name in names:
            found.setdefault(name, Library(name, f"/{folder.removeprefix('usr/')}/{name}"))
    return tuple(found[name] for name in sorted(found))


def _names(facts: ElfFacts) -> set[str]:
    own = posixpath.basename(facts.path)
    if facts.soname:
        return {facts.soname}
    return {own} if facts.interp is None and own.startswith(("lib", "ld-")) and ".so" in own else set()


def cache_bytes(found: tuple[Library, ...], platform: Platform) -> bytes | None:
    """Return the cache; ``None`` for a machine whose flags are not known."""
    if platform.ld_cache_flag is None:
        return None
    order = ">" if platform.endian == "big" else "<"
    ordered = sorted(found, key=lambda library: _rank(library.name), reverse=True)
    start = struct.calcsize("<" + _HEADER) + len(ordered) * struct.calcsize("<" + _ENTRY)
    entries, strings = b"", b""
    for library in ordered:
        key = start + len(strings)
        strings += library.name.encode() + b"\0"
        value = start + len(strings)
        strings += library.path.encode() + b"\0"
        entries += struct.pack(order + _ENTRY, _ELF_LIBC6 | platform.ld_cache_flag, key, value, 0, 0)
    flags = _LITTLE_ENDIAN if order == "<" else _BIG
    header = struct.pack(order + _HEADER, _MAGIC, len(ordered), len(strings), flags, 0)
    return header + entries + strings


def _rank(name: str) -> list[tuple[int, int | str]]:
    """Return a key that orders names as ``_dl_cache_libcmp``: numbers by value, above other characters."""
    parts: list[tuple[int, int | str]] = []
    for part in _NUMBER.split(name):
        if part.isdecimal():
            parts.append((1, int(part)))
        else:
            parts += [(0, character) for character in part]
    return parts


def program(minor: str) -> bytes:
    """Return the program that prints the cache.

    :param minor: of the base's Python, ``3.11``.
    """
    return _SOURCE.format(minor=minor, cache=CACHE).encode()
