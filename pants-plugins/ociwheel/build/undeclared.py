"""Calls of functions that no header declares and no library has: it compiles, and cannot be imported.

gcc before 14 only warns of a call before a declaration, and what a shared object leaves undefined is looked
for when it is loaded. So an sdist written for a newer library than the base has builds in silence.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from ociwheel.build.checks import BuiltWheel
from ociwheel.elf.facts import ElfFacts
from ociwheel.elf.reader import read_facts
from ociwheel.errors import BuildError
from ociwheel.formats.metered import Metered
from ociwheel.platforms import Platform
from ociwheel.remedies import Remedy

# As clang and gcc say it.
_WARNING = re.compile(
    r"warning: (?:call to undeclared (?:library )?function|implicit declaration of function) "
    r"['\u2018](?P<name>[A-Za-z_]\w{0,200})['\u2019]"
)
_OLDER = (
    "it is made for a newer library than the base has: lock an earlier version, or use one that has a wheel "
    "for this platform"
)
_MOST_SYMBOLS = 200_000
_MOST_LIBRARIES = 200


def check_undeclared(
    wheel: BuiltWheel, sysroot: Path, platform: Platform, where: str, output: Iterable[str]
) -> None:
    """Check that what the compiler was not told of is in some library.

    :param output: what the build printed; without the compiler's warnings, nothing is looked at.
    :raises BuildError: it is in none.
    """
    names = {match["name"] for line in output if (match := _WARNING.search(line))}
    if not names:
        return
    with zipfile.ZipFile(wheel.path) as archive:
        for fact in wheel.elf:
            wanted = names & set(_undefined(io.BytesIO(archive.read(fact.path))))
            found = _absent(wanted, fact, sysroot, platform) if wanted else []
            if found:
                libraries = ", ".join(fact.needed)
                raise BuildError(
                    f"{fact.path} calls {', '.join(found)}, which no header of the base declares and none of "
                    f"its libraries has ({libraries}): it could not be imported",
                    where=where,
                    hint=Remedy.text(_OLDER),
                )


def _absent(wanted: set[str], fact: ElfFacts, sysroot: Path, platform: Platform) -> list[str]:
    """Return the names that no library which a file loads has; none where not all of them are there."""
    folders = [sysroot / name for name in platform.loader_folders]
    # The interpreter has its own functions.
    found = [path for folder in folders for path in folder.glob("libpython3*.so")][:1]
    todo, seen = list(fact.needed), set(fact.needed)
    while todo and len(seen) < _MOST_LIBRARIES:
        name = todo.pop()
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        facts = read_facts(path, name, "the base") if path else None
        if path is None or facts is None:
            return []
        found.append(path)
        todo += [one for one in facts.needed if one not in seen]
        seen.update(facts.needed)
    rest = wanted
    for path in found:
        strings = _strings(path)
        # The end of another name counts: linkers keep it once.
        rest = {name for name in rest if name.encode() + b"\0" not in strings}
    return sorted(rest)


def _elf(file: BinaryIO) -> ELFFile:
    metered: Any = Metered(file)
    return ELFFile(metered)


def _undefined(file: BinaryIO) -> Iterator[str]:
    try:
        section = _elf(file).get_section_by_name(".dynsym")
        if isinstance(section, SymbolTableSection):
            for symbol in islice(section.iter_symbols(), _MOST_SYMBOLS):
                if symbol.entry.st_shndx == "SHN_UNDEF" and symbol.entry.st_info.bind == "STB_GLOBAL":
                    yield str(symbol.name)
    except Exception:  # noqa: BLE001 (pyelftools raises whatever the damage leads to; the audit tells of it)
        return


def _strings(path: Path) -> bytes:
    with path.open("rb") as file:
        section = _elf(file).get_section_by_name(".dynstr")
        return bytes(section.data()) if section else b""
