"""What the compiler of a build (:mod:`ociwheel.build.compiler`) knows of that build, and how it is told."""

from __future__ import annotations

import marshal
import py_compile
from dataclasses import asdict, dataclass
from pathlib import Path

from ociwheel.build import compiler


@dataclass(frozen=True)
class ZigRuntime:
    """A C and C++ runtime that zig made, for a sysroot that has none."""

    folder: str
    """Of start files and libraries."""
    c: tuple[str, ...]
    """Macros and system include folders of C."""
    cxx: tuple[str, ...] | None
    """The same of C++; ``None``: there is no libc++."""
    libraries: tuple[str, ...]
    """File names, in link order."""
    dynamic_linker: str | None
    wants_cxx: str = ""
    """File that is made when C++ is compiled or linked without libc++."""


@dataclass(frozen=True)
class Gcc:
    """Debian's gcc, where it compiles in place of clang."""

    c: str
    cxx: str
    programs: str
    """The folder of its assembler and linker."""
    libraries: str
    """Folders of what it is linked to."""


@dataclass(frozen=True)
class Configuration:
    """What the wrapper knows of the build; written by :func:`write_settings`."""

    zig: str
    """The zig binary."""
    linker: str
    """The script that starts lld."""
    flags: tuple[str, ...]
    """Target, CPU, sysroot, its gcc's runtime and reproducibility flags, before all others."""
    sysroot: str
    triplet: str
    runtime: ZigRuntime | None = None
    gcc: Gcc | None = None
    kept_roots: tuple[str, ...] = ()
    """Folders of the build that stay as they are even below ``/usr``."""
    link: tuple[str, ...] = ()
    """Arguments of every link, before those of the libraries."""
    log: str = ""
    """File that each compilation of a source file is appended to."""
    lenient: tuple[str, ...] = ()
    """What makes warnings of errors that the base's gcc only warns of."""


def write_settings(config: Configuration, path: Path) -> None:
    """Write a configuration in the form that a Python reads fastest; it is the same Python that reads it."""
    path.write_bytes(marshal.dumps(asdict(config)))


def write_compiler(folder: Path) -> Path:
    """Write the compiler to a folder, compiled once and not by each of hundreds of calls; return the file."""
    program = folder / "compiler.pyc"
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(
        compiler.__file__, str(program), dfile="compiler.py", doraise=True, invalidation_mode=mode
    )
    return program
