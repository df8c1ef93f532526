"""The doors of ELF files."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

from ociwheel_testing.elf_writer import Elf, elf_bytes

from ociwheel.elf.reader import read_facts
from ociwheel.elf.strip import without_debug
from tests.fuzz.harness import Door

_INTERP = "/lib64/ld-linux-x86-64.so.2"


def _seeds() -> Sequence[bytes]:
    return [
        elf_bytes(Elf()),
        elf_bytes(Elf(machine=62, needed=["libc.so.6", "libm.so.6"], interp=_INTERP)),
        elf_bytes(Elf(soname="libc.so.6", defined_versions=["GLIBC_2.2.5", "GLIBC_2.36"])),
    ]


def _facts(data: bytes, folder: Path) -> None:
    read_facts(io.BytesIO(data), "lib.so", "fuzz 1", note=lambda _: None)


def _strip(data: bytes, folder: Path) -> None:
    stripped = without_debug(io.BytesIO(data))
    while stripped and stripped.read(1 << 16):
        pass


def _make(rng: random.Random) -> bytes:
    """Return a file with numbers of its headers and tables changed, which random bytes rarely hit."""
    value = bytearray(rng.choice(list(_seeds())))
    for _ in range(rng.randrange(1, 6)):
        size = rng.choice((2, 4, 8))
        at = rng.randrange(0, max(1, len(value) - size), 2)
        number = rng.choice(
            (0, 1, 8, 64, 0x3FF, 0xFFFE, len(value), len(value) - 8, (1 << 31) - 1, (1 << 64) - 1)
        )
        value[at : at + size] = (number & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    return bytes(value)


DOORS = (Door("elf-facts", _facts, _seeds, _make), Door("elf-strip", _strip, _seeds, _make))
