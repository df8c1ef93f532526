from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel.base.gcc import write_gcc
from ociwheel.debian.deb import read_debs
from ociwheel.errors import BaseError
from tests.support.debian import Item, symlink, write_debs

ARM = "arm-linux-gnueabihf"
LIB = f"./usr/lib/gcc-cross/{ARM}/12"
PACKAGES = {
    "g++-12": [Item(f"./usr/bin/{ARM}-g++-12", b"elf", 0o755), Item(f"{LIB}/cc1plus", b"elf", 0o755)],
    "gcc-12": [
        Item(f"./usr/bin/{ARM}-gcc-12", b"elf", 0o755),
        Item(f"./usr/bin/{ARM}-lto-dump-12", b"elf", 0o755),
        Item(f"{LIB}/cc1", b"elf", 0o755),
        Item(f"{LIB}/lto1", b"elf", 0o755),
        Item(f"{LIB}/crtbeginS.o", b"o"),
        Item(f"{LIB}/libasan.a", b"a"),
        Item(f"{LIB}/include/stddef.h", b"h"),
        Item(f"{LIB}/plugin/include/tree.h", b"h"),
        Item("./usr/share/doc/gcc-12/copyright", b""),
    ],
    "binutils": [
        Item(f"./usr/bin/{ARM}-as", b"elf", 0o755),
        Item(f"./usr/bin/{ARM}-objdump", b"elf", 0o755),
        symlink(f"./usr/{ARM}/bin/as", f"../../bin/{ARM}-as"),
        Item("./usr/lib/x86_64-linux-gnu/libbfd-2.40-armhf.so", b"so"),
    ],
    "libmpfr6": [
        Item("./usr/lib/x86_64-linux-gnu/libmpfr.so.6.2.0", b"so"),
        symlink("./usr/lib/x86_64-linux-gnu/libmpfr.so.6", "libmpfr.so.6.2.0"),
    ],
}


def unpack(tmp_path: Path, packages: dict[str, list[Item]]) -> set[str]:
    (tmp_path / "scratch").mkdir()
    write_gcc(read_debs(write_debs(tmp_path / "debs", packages), tmp_path / "scratch"), tmp_path / "gcc")
    return {str(p.relative_to(tmp_path / "gcc")) for p in (tmp_path / "gcc").rglob("*") if not p.is_dir()}


def test_a_compiler_has_what_it_calls_and_loads(tmp_path: Path) -> None:
    assert unpack(tmp_path, PACKAGES) == {
        f"usr/bin/{ARM}-as",
        f"usr/bin/{ARM}-g++-12",
        f"usr/bin/{ARM}-gcc-12",
        f"usr/{ARM}/bin/as",
        f"usr/lib/gcc-cross/{ARM}/12/cc1",
        f"usr/lib/gcc-cross/{ARM}/12/cc1plus",
        f"usr/lib/gcc-cross/{ARM}/12/crtbeginS.o",
        f"usr/lib/gcc-cross/{ARM}/12/include/stddef.h",
        "usr/lib/x86_64-linux-gnu/libbfd-2.40-armhf.so",
        "usr/lib/x86_64-linux-gnu/libmpfr.so.6",
        "usr/lib/x86_64-linux-gnu/libmpfr.so.6.2.0",
    }


def test_one_for_this_machine_finds_its_assembler_and_linker(tmp_path: Path) -> None:
    host = "x86_64-linux-gnu"
    packages = {
        "g++-12": [Item("./usr/bin/g++-12", b"elf", 0o755)],
        "binutils": [
            Item(f"./usr/bin/{host}-as", b"elf", 0o755),
            Item(f"./usr/bin/{host}-ld.bfd", b"elf", 0o755),
            symlink(f"./usr/bin/{host}-ld", f"{host}-ld.bfd"),
            symlink("./usr/bin/ld", f"{host}-ld"),
        ],
    }
    found = unpack(tmp_path, packages)
    assert {f"usr/{host}/bin/as", f"usr/{host}/bin/ld"} <= found
    assert (tmp_path / f"gcc/usr/{host}/bin/ld").resolve().name == f"{host}-ld.bfd"


def test_packages_without_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="the packages have no g"):
        unpack(tmp_path, {"libmpfr6": PACKAGES["libmpfr6"]})
