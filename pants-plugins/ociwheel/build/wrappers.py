"""The folder of programs that a build finds first on its PATH: compilers, binutils, ``*-config``."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ociwheel.build import compiler, pkgconfig
from ociwheel.build.leniency import gcc_version, lenient_flags
from ociwheel.documents import read_json
from ociwheel.errors import UsageError
from ociwheel.platforms import platform
from ociwheel.target import Target

# Each under its plain name and with the triplet that autoconf and Debian put before it.
_BINUTILS = {"ar": "ar", "ranlib": "ranlib", "ld": "ld.lld", "ld.lld": "ld.lld", "objcopy": "objcopy"}
_C_NAMES = ("cc", "gcc", "clang")
_CXX_NAMES = ("c++", "g++", "clang++")
# `NAME-config` programs of -dev packages are programs or scripts of the target; these answer from
# the sysroot's pkg-config file of that name instead.
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
    """Where the compiler, its runtime and the sysroot are."""

    zig: Path
    runtime: Path
    sysroot: Path
    target: Target


def write_wrappers(toolchain: Toolchain, python: Path, binaries: Path, build_root: Path) -> Path:
    """Write the programs to ``binaries``.

    :param python: the interpreter that runs the wrappers.
    :param build_root: the folder of this build, left out of what is compiled.
    :returns: the file to which the compilers append the sources they compile.
    """
    binaries.mkdir(parents=True)
    settings = binaries.parent / "compiler.json"
    log = binaries.parent / "compiled.log"
    triplet = toolchain.target.platform.triplet
    zig = (toolchain.zig / "zig").absolute()
    config = _configuration(toolchain, binaries / "ld.lld", build_root, log)
    settings.write_text(json.dumps(dataclasses.asdict(config)), encoding="utf-8")
    run_compiler = [str(python), "-I", "-S", compiler.__file__, str(settings)]
    for names, tool in ((_C_NAMES, "cc"), (_CXX_NAMES, "c++")):
        write_program(binaries, _with_triplet(names, triplet), [*run_compiler, tool])
    for name, tool in _BINUTILS.items():
        write_program(binaries, _with_triplet([name], triplet), [str(zig), tool])
    write_program(binaries, _with_triplet(["strip", "nm"], triplet), ["true"])
    pkg_config = [str(python), "-I", "-S", pkgconfig.__file__, str(toolchain.sysroot.absolute()), triplet]
    write_program(binaries, _with_triplet(["pkg-config", "pkgconf"], triplet), [*pkg_config, "pkg-config"])
    for name, module in _CONFIG_PROGRAMS.items():
        write_program(binaries, [name], [*pkg_config, name, module])
    return log


def write_host_compiler(
    toolchain: Toolchain, runtime: Path, python: Path, binaries: Path, *, name: str, link: Iterable[str]
) -> None:
    """Write a C compiler for the machine that builds, for what a build runs on it.

    :param runtime: what the ``zig-libc`` step made for that machine.
    :param link: arguments of the linker, before all others.
    """
    description = read_json(runtime / "toolchain.json")
    target = dataclasses.replace(toolchain.target, platform=platform(description["platform"]))
    # No sysroot: all that such a program has is the C library.
    host = Toolchain(toolchain.zig, runtime, runtime / "none", target)
    settings = binaries.parent / f"{name}.json"
    config = _configuration(host, binaries / "ld.lld", binaries.parent, Path())
    config = dataclasses.replace(config, log="", dynamic_linker=None, link=tuple(link))
    settings.write_text(json.dumps(dataclasses.asdict(config)), encoding="utf-8")
    write_program(binaries, [name], [str(python), "-I", "-S", compiler.__file__, str(settings), "cc"])


def _configuration(toolchain: Toolchain, linker: Path, build_root: Path, log: Path) -> compiler.Configuration:
    description = read_json(toolchain.runtime / "toolchain.json")
    row = toolchain.target.platform
    if description.get("platform") != row.oci:
        raise UsageError(
            f"the compiler's runtime is for {description.get('platform')}, not for {row.oci}",
            where=str(toolchain.runtime),
        )
    zig, sysroot = toolchain.zig.absolute(), toolchain.sysroot.absolute()
    mapped = {build_root: "/build", sysroot: "/sysroot", zig: "/zig", toolchain.runtime.absolute(): "/zig"}
    maps = [f"-ffile-prefix-map={path}={name}" for path, name in _resolved(mapped)]
    return compiler.Configuration(
        zig=str(zig / "zig"),
        linker=str(linker),
        flags=(*description["flags"], f"--sysroot={sysroot}", *maps),
        c=tuple(word.replace("{zig}", str(zig / "lib")) for word in description["c"]),
        cxx=None
        if description["cxx"] is None
        else tuple(word.replace("{zig}", str(zig / "lib")) for word in description["cxx"]),
        sysroot=str(sysroot),
        triplet=row.triplet,
        runtime=str((toolchain.runtime / "lib").absolute()),
        libraries=tuple(description["libraries"]),
        dynamic_linker=description["dynamic_linker"],
        kept_roots=(str(build_root),),
        lenient=lenient_flags(gcc_version(sysroot, toolchain.target)),
        log=str(log),
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


def write_program(binaries: Path, names: Iterable[str], command: Iterable[str]) -> None:
    """Write a script that runs a command with its own arguments added, under several names."""
    # Build systems split $CC at spaces, so the folder is on the PATH and these are called by name.
    text = f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'
    for name in names:
        path = binaries / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


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
