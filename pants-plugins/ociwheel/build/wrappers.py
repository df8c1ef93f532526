"""The folder of programs that a build finds first on its PATH: compilers, binutils, ``*-config``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ociwheel.base.sysroot_runtime import SysrootRuntime, find_runtime
from ociwheel.build import config_program, pkgconfig
from ociwheel.build.compiler_settings import (
    Configuration,
    Gcc,
    ZigRuntime,
    write_compiler,
    write_settings,
)
from ociwheel.build.leniency import gcc_version, lenient_flags
from ociwheel.build.scripts import write_program
from ociwheel.build.target_programs import write_without_checks
from ociwheel.documents import read_json
from ociwheel.errors import BuildError, UsageError
from ociwheel.platforms import Platform
from ociwheel.remedies import Remedy
from ociwheel.target import Target

# Each under its plain name and with the triplet that autoconf and Debian put before it.
_BINUTILS = {"ar": "ar", "ranlib": "ranlib", "ld": "ld.lld", "ld.lld": "ld.lld", "objcopy": "objcopy"}
_C_NAMES = ("cc", "gcc", "clang")
_CXX_NAMES = ("c++", "g++", "clang++")
# `NAME-config` programs that builds ask for, and the pkg-config modules that know what they know where the
# sysroot has no such program, or one that only the target runs.
_CONFIG_PROGRAMS = {
    "pg_config": "libpq",
    "xml2-config": "libxml-2.0",
    "xslt-config": "libxslt",
    "curl-config": "libcurl",
    "freetype-config": "freetype2",
    "libpng-config": "libpng",
    "mysql_config": "libmariadb",
    "mariadb_config": "libmariadb",
    "krb5-config": "krb5-gssapi",
    "icu-config": "icu-i18n",
}


WANTS_CXX = "wants-cxx"
"""The file beside the log of compiled sources that says: this build needs libc++."""


@dataclass(frozen=True)
class Toolchain:
    """Where the compiler and the sysroot are."""

    zig: Path
    sysroot: Path
    target: Target
    zig_runtime: Path | None = None
    """What the ``zig-libc`` step made, for a sysroot without a runtime of its own."""
    gcc: Path | None = None
    """What the ``gcc`` step made, where Debian's own compiles."""


def write_wrappers(toolchain: Toolchain, python: Path, binaries: Path, build_root: Path) -> Path:
    """Write the programs to ``binaries``.

    :param python: the interpreter that runs the wrappers.
    :param build_root: the folder of this build, left out of what is compiled.
    :returns: the file to which the compilers append the sources they compile.
    """
    binaries.mkdir(parents=True)
    settings = binaries.parent / "compiler.settings"
    log = binaries.parent / "compiled.log"
    triplet = toolchain.target.platform.triplet
    zig = (toolchain.zig / "zig").absolute()
    config = _configuration(toolchain, binaries / "ld.lld", build_root, log)
    write_settings(config, settings)
    run_compiler = [str(python), "-I", "-S", str(write_compiler(binaries.parent)), str(settings)]
    for names, tool in ((_C_NAMES, "cc"), (_CXX_NAMES, "c++")):
        write_program(binaries, _with_triplet(names, triplet), [*run_compiler, tool])
    for name, tool in _BINUTILS.items():
        write_program(binaries, _with_triplet([name], triplet), [str(zig), tool])
    write_program(binaries, _with_triplet(["strip", "nm"], triplet), ["true"])
    pkg_config = [str(python), "-I", "-S", pkgconfig.__file__, str(toolchain.sysroot.absolute()), triplet]
    write_program(binaries, _with_triplet(["pkg-config", "pkgconf"], triplet), pkg_config)
    _write_config_programs(toolchain, python, binaries)
    write_without_checks(binaries, python.parent)
    return log


def _write_config_programs(toolchain: Toolchain, python: Path, binaries: Path) -> None:
    """Write the ``*-config`` programs that the sysroot has, and those that builds ask for by name."""
    sysroot, triplet = toolchain.sysroot.absolute(), toolchain.target.platform.triplet
    # What was built for the image, as Python in images of Docker's, comes first on a PATH.
    own = {
        path.name: path
        for folder in ("usr/bin", "usr/local/bin")
        for path in sorted((sysroot / folder).glob("*config*"))
        if path.is_file()
    }
    pkg_config = binaries / f"{triplet}-pkg-config"
    for name in sorted({*own, *_CONFIG_PROGRAMS} - {"pkg-config", "pkgconf"}):
        path, module = own.get(name), _CONFIG_PROGRAMS.get(name, "-")
        command = [
            python,
            "-I",
            "-S",
            config_program.__file__,
            sysroot,
            triplet,
            pkg_config,
            path or "-",
            module,
        ]
        write_program(binaries, [name], map(str, command))


def write_host_compiler(
    toolchain: Toolchain,
    host: Platform,
    sysroot: Path,
    python: Path,
    binaries: Path,
    *,
    name: str,
    link: Iterable[str],
) -> None:
    """Write a C compiler for the machine that builds, for what a build runs on it.

    :param host: that machine.
    :param sysroot: its libc and gcc's runtime.
    :param link: arguments of the linker, before all others.
    """
    target = dataclasses.replace(toolchain.target, platform=host, libc="glibc")
    settings = binaries.parent / f"{name}.settings"
    config = _configuration(
        Toolchain(toolchain.zig, sysroot, target), binaries / "ld.lld", binaries.parent, Path()
    )
    config = dataclasses.replace(config, log="", link=tuple(link))
    write_settings(config, settings)
    program = str(write_compiler(binaries.parent))
    write_program(binaries, [name], [str(python), "-I", "-S", program, str(settings), "cc"])


def _configuration(toolchain: Toolchain, linker: Path, build_root: Path, log: Path) -> Configuration:
    row = toolchain.target.platform
    zig, sysroot = toolchain.zig.absolute(), toolchain.sysroot.absolute()
    runtime = _zig_runtime(toolchain, zig, log)
    mapped = {build_root: "/build", sysroot: "/sysroot", zig: "/zig"}
    if toolchain.zig_runtime:
        mapped[toolchain.zig_runtime.absolute()] = "/zig"
    maps = [f"-ffile-prefix-map={path}={name}" for path, name in _resolved(mapped)]
    return Configuration(
        zig=str(zig / "zig"),
        linker=str(linker),
        flags=(
            *_target_flags(toolchain.target),
            f"--sysroot={sysroot}",
            f"-resource-dir={zig / 'lib'}",
            *(() if runtime else _own_runtime(sysroot, toolchain.target).flags),
            *maps,
        ),
        sysroot=str(sysroot),
        triplet=row.triplet,
        runtime=runtime,
        gcc=_gcc(toolchain),
        kept_roots=(str(build_root),),
        lenient=lenient_flags(gcc_version(sysroot, toolchain.target)),
        log=str(log),
    )


def _gcc(toolchain: Toolchain) -> Gcc | None:
    if toolchain.gcc is None:
        return None
    root = toolchain.gcc.absolute()
    triplet = toolchain.target.platform.triplet
    # The newest; those for the machine that builds may have no triplet in their names.
    found = [
        sorted((root / "usr/bin").glob(pattern), key=lambda path: int(path.name.rpartition("-")[2]))
        for pattern in (f"{triplet}-g++-[0-9]*", "g++-[0-9]*")
    ]
    cxx = next((paths[-1] for paths in found if paths), None)
    if cxx is None:
        raise UsageError(f"there is no g++ for {triplet}", where=str(root))
    libraries = sorted({str(path.parent) for path in (root / "usr/lib").glob("*/libmpfr.so.*")})
    return Gcc(
        c=str(cxx.with_name(cxx.name.replace("g++", "gcc"))),
        cxx=str(cxx),
        programs=f"{root}/usr/{triplet}/bin/",
        libraries=":".join(libraries),
    )


def _target_flags(target: Target) -> tuple[str, ...]:
    """Return what clang is told of a target: its triple, and the oldest machine that it is for."""
    row = target.platform
    triple = row.triplet.replace("gnu", "musl") if target.libc == "musl" else row.triplet
    return (f"--target={triple}", *row.clang_flags)


def _own_runtime(sysroot: Path, target: Target) -> SysrootRuntime:
    found = find_runtime(sysroot, target.platform.triplet)
    if found is None:
        raise BuildError(
            f"the builder for {target.platform.oci} lacks libc6-dev, libgcc-<N>-dev or libstdc++-<N>-dev, "
            "which every wheel is compiled against",
            hint=Remedy("relock-base"),
        )
    return found


def _zig_runtime(toolchain: Toolchain, zig: Path, log: Path) -> ZigRuntime | None:
    if toolchain.zig_runtime is None:
        return None
    description = read_json(toolchain.zig_runtime / "toolchain.json")
    oci = toolchain.target.platform.oci
    if description.get("platform") != oci:
        raise UsageError(
            f"the compiler's runtime is for {description.get('platform')}, not for {oci}",
            where=str(toolchain.zig_runtime),
        )
    c, cxx = (
        tuple(word.replace("{zig}", str(zig / "lib")) for word in description[language] or ())
        for language in ("c", "cxx")
    )
    return ZigRuntime(
        folder=str((toolchain.zig_runtime / "lib").absolute()),
        c=c,
        cxx=None if description["cxx"] is None else cxx,
        libraries=tuple(description["libraries"]),
        dynamic_linker=description["dynamic_linker"],
        wants_cxx=str(log.parent / WANTS_CXX),
    )


def _resolved(mapped: dict[Path, str]) -> Iterable[tuple[Path, str]]:
    """Yield each folder under the name it was given and the one it has behind links."""
    for path, name in mapped.items():
        yield path, name
        if path.resolve() != path:
            yield path.resolve(), name


def _with_triplet(names: Iterable[str], triplet: str) -> list[str]:
    return [n for name in names for n in (name, f"{triplet}-{name}")]


def compiler_environment(target: Target) -> dict[str, str]:
    """Return the variables by which build systems find a compiler, all names on the PATH."""
    row = target.platform
    tools = {
        "CC": "cc",
        "CXX": "c++",
        "AR": "ar",
        "RANLIB": "ranlib",
        "LD": "ld",
        "STRIP": "strip",
        "NM": "nm",
    }
    tools |= {"PKG_CONFIG": "pkg-config", "OBJCOPY": "objcopy"}
    result = {name: f"{row.triplet}-{tool}" for name, tool in tools.items()}
    # autoconf reads the aliases from the environment; two that differ mean: run no test program.
    return {**result, "host_alias": row.autoconf, "build_alias": "x86_64-build-linux-gnu"}
