"""What builds call on this machine: make, POSIX's utilities, cargo; and what to do where a build fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable

from slim_python_image.bases import Base, DebianBase, DebPackage, DebPackages
from slim_python_image.products import TargetEnvironment
from slim_python_image.util_rules.sysroot import ProgramsRequest, SysrootRequest

# Asking for a program locks the target's library in its place: this is how a build knows.
RUST_PROGRAMS = {"libstd-rust-dev": "cargo", "libstd-rust-web-dev": "cargo-web"}


HOST_SYSROOT = "libc6-dev"
"""What a lock calls the headers and libraries of what a build compiles for the machine it runs on."""


def taken_together(program: str) -> bool:
    """Tell whether every build with programs has this one, by the name that a lock has it under."""
    return program != HOST_SYSROOT and program not in RUST_PROGRAMS.values()


def without_python(target: TargetEnvironment) -> TargetEnvironment:
    """Return a target for what does not depend on Python, so that bases share it."""
    return replace(target, python="3.11.0")


def host_sysroot(programs: ProgramsRequest | None) -> SysrootRequest | None:
    """Return what programs are linked to that a build compiles and runs on this machine, as cargo does."""
    if programs is None or programs.libraries is None:
        return None
    return SysrootRequest(without_python(programs.target), programs.libraries)


def programs_for(base: Base, builder: Iterable[DebPackage]) -> ProgramsRequest | None:
    """Return the programs for a build: all that are locked, cargo only beside Rust's library."""
    if not isinstance(base, DebianBase):
        return None
    libraries = {package.name for package in builder}
    not_asked = {program for library, program in RUST_PROGRAMS.items() if library not in libraries}
    programs = set(base.programs) - not_asked - {HOST_SYSROOT}
    packages = {package for program in programs for package in base.programs[program]}
    if not packages:
        return None
    linked = base.programs.get(HOST_SYSROOT) if programs & set(RUST_PROGRAMS.values()) else None
    return ProgramsRequest(
        base.interpreter.target,
        DebPackages(tuple(sorted(packages)), base.resolve),
        DebPackages(linked, base.resolve) if linked else None,
    )
