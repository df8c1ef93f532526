"""The C and C++ runtime that a sysroot brings: libc, and what its gcc links and includes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_LIB = ("usr/lib", "usr/lib64", "lib", "lib64")
_OF_LIBC = "crti.o"
_OF_GCC = "crtbeginS.o"
_OF_CXX = "libstdc++.so"


@dataclass(frozen=True)
class SysrootRuntime:
    """A runtime: what is compiled with it needs what the base's own gcc would have it need."""

    gcc: Path
    """The folder of the sysroot with the runtime of one version of gcc."""

    @property
    def flags(self) -> tuple[str, ...]:
        """What clang is told, beside ``--sysroot``."""
        return (f"--gcc-install-dir={self.gcc}",)


def gcc_folders(sysroot: Path) -> list[Path]:
    """Return the folders of gcc's runtimes, the newest last: ``usr/lib/gcc/<triplet>/<version>``."""
    found = [p for p in (sysroot / "usr/lib/gcc").glob("*/*") if p.name.partition(".")[0].isdigit()]
    return sorted(found, key=lambda p: ([int(n) for n in p.name.split(".") if n.isdigit()], p.parent.name))


def find_runtime(sysroot: Path, triplet: str) -> SysrootRuntime | None:
    """Return the newest runtime of C and C++ in a sysroot, ``None`` where there is none or only a part.

    :param triplet: Debian's, the folder below ``usr/lib`` where other distributions have none.
    """
    libraries = [sysroot / lib / folder for lib in _LIB for folder in (triplet, "")]
    if not any((folder / _OF_LIBC).is_file() for folder in libraries):
        return None
    for gcc in reversed(gcc_folders(sysroot)):
        if (gcc / _OF_GCC).is_file() and any((f / _OF_CXX).exists() for f in (gcc, *libraries)):
            return SysrootRuntime(gcc)
    return None
