"""zig's own C and C++ runtime for one target: C library stubs, start files, libc++.

It is for targets whose builder has none, as images of Alpine: Debian's packages, and python's full images,
bring the runtime that gcc would link to.

zig compiles these on first use into a cache whose keys hold inodes and paths, so the cache is no
content. Instead a probe program is compiled and linked once, verbosely, and what zig passed to
clang and lld is kept as files and flags. Builds then run clang and lld directly: the same runtime,
no cache, and none of the arguments that ``zig cc`` refuses.
"""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ociwheel import process
from ociwheel.documents import canonical
from ociwheel.errors import BuildError
from ociwheel.target import Target

_C = """#include <math.h>
#include <pthread.h>
#include <stdio.h>
double probe(double x) { printf("%f", x); return pow(x, 2.0); }
int main(void) { return (int)probe(2.0); }
"""
_CXX = """#include <iostream>
#include <stdexcept>
#include <string>
extern "C" int probe_cxx(const char *text) {
    try { std::cout << std::string(text); throw std::runtime_error(text); }
    catch (std::exception &) { return 1; }
}
"""
# Libraries that glibc 2.34 merged into libc.so.6: it ships empty archives for them, so do we.
_MERGED = ("pthread", "dl", "rt", "util", "anl")
# musl has one library for all of these too, and ships empty archives (its Makefile, EMPTY_LIB_NAMES).
_MERGED_IN_MUSL = ("m", "rt", "pthread", "crypt", "util", "xnet", "resolv", "dl")
_EMPTY_ARCHIVE = b"!<arch>\n"
# zig's defaults that builds must not inherit: NDEBUG comes from the package or from Python's flags.
_NOT_KEPT = ("-DNDEBUG",)
SCHEMA = "ociwheel.toolchain/1"


@dataclass
class _Commands:
    """What zig ran: the include folders and macros of each language, the linker's inputs."""

    c: list[str] = field(default_factory=list)
    cxx: list[str] = field(default_factory=list)
    link: list[str] = field(default_factory=list)


def make_runtime(zig: Path, target: Target, output: Path, work: Path, *, cxx: bool) -> dict[str, Any]:
    """Write the runtime of ``target``.

    ``output/lib`` holds the objects and libraries, ``output/toolchain.json`` says how to use them; include
    folders in it are relative to zig's own ``lib``, so that nothing names a place.

    :param zig: what the ``zig`` step made.
    :param work: an empty folder for intermediate files.
    :param cxx: with libc++, which takes ten times as long as the rest.
    :returns: the content of ``toolchain.json``; its ``cxx`` is null without libc++.
    :raises BuildError: zig cannot compile for the target.
    """
    # zig names its folders as they are behind links, and in a sandbox its tree is a link.
    zig = zig.resolve()
    compiled = _probe(zig, target, work, cxx)
    lib = output / "lib"
    lib.mkdir(parents=True)
    shared = _take_libraries(zig, compiled["shared"].link, work, lib)
    _take_libraries(zig, [a for a in compiled["exe"].link if a.endswith("crt1.o")], work, lib)
    _take_libraries(zig, [a for a in compiled["pie"].link if a.endswith("crt1.o")], work, lib)
    expected = {"libc.so.6", *(("libc++.a", "libc++abi.a") if cxx else ())}
    if not expected <= set(shared) and target.libc == "glibc":
        raise BuildError("this zig does not say which libraries it links", details=compiled["shared"].link)
    for name in merged_libraries(target.libc):
        if not any(entry.name.startswith(f"lib{name}.") for entry in lib.iterdir()):
            (lib / f"lib{name}.a").write_bytes(_EMPTY_ARCHIVE)
    description = {
        "schema": SCHEMA,
        "platform": target.platform.oci,
        "libc": target.libc_title,
        "c": _preprocessor_flags(compiled["exe"].c, zig),
        "cxx": _preprocessor_flags(compiled["shared"].cxx, zig) if cxx else None,
        "libraries": shared,
        "dynamic_linker": _after(compiled["exe"].link, "--dynamic-linker"),
    }
    (output / "toolchain.json").write_bytes(canonical(description))
    return description


def merged_libraries(libc: str) -> tuple[str, ...]:
    """Return the names that ``-l`` may ask for and that are in the C library itself."""
    return _MERGED_IN_MUSL if libc == "musl" else _MERGED


def zig_target(target: Target) -> str:
    """Return the argument of ``zig cc -target``."""
    row = target.platform
    if target.libc == "musl":
        return f"{row.zig_arch}-linux-{row.zig_abi.replace('gnu', 'musl')}"
    return f"{row.zig_arch}-linux-{row.zig_abi}.{target.libc_version[0]}.{target.libc_version[1]}"


def _probe(zig: Path, target: Target, work: Path, cxx: bool) -> dict[str, _Commands]:
    (work / "probe.c").write_text(_C)
    (work / "probe.cpp").write_text(_CXX)
    runs = probe_arguments(target, cxx=cxx)
    return {name: _run_zig(zig, argv, target, work) for name, argv in runs.items()}


def probe_arguments(target: Target, *, cxx: bool) -> dict[str, list[str]]:
    """Return the arguments of zig for each kind of output."""
    common = ["-target", zig_target(target), f"-mcpu={target.platform.zig_cpu}", "-O2", "-s"]
    common.append("-fno-sanitize=undefined")
    # zig links programs for musl statically: it would compile all of libc for them, and name no loader.
    program = [*common, *(["-dynamic"] if target.libc == "musl" else [])]
    shared = ("c++", "probe.cpp") if cxx else ("cc", "probe.c")
    return {
        "exe": ["cc", *program, "probe.c", "-o", "exe", "-no-pie"],
        "pie": ["cc", *program, "probe.c", "-o", "pie", "-fPIE", "-pie"],
        "shared": [*shared, *common, "-fPIC", "-shared", "-o", "shared.so", "-lm"],
    }


def _run_zig(zig: Path, argv: Sequence[str], target: Target, work: Path) -> _Commands:
    env = {
        "PATH": "/nonexistent",
        "HOME": str(work.absolute()),
        "ZIG_GLOBAL_CACHE_DIR": str((work / "cache").absolute()),
        "ZIG_LOCAL_CACHE_DIR": str((work / "local").absolute()),
        "ZIG_VERBOSE_CC": "1",
        "ZIG_VERBOSE_LINK": "1",
        "LC_ALL": "C",
    }
    done = process.run([str((zig / "zig").absolute()), *argv], env=env, cwd=work)
    if done.returncode != 0:
        # The rest are the commands that ZIG_VERBOSE_* prints.
        said = [line for line in done.stderr.splitlines() if "error" in line and " clang " not in line]
        raise BuildError(
            f"the compiler cannot make the C library of {zig_target(target)}",
            details=[line[:500] for line in said[-10:]],
        )
    commands = _Commands()
    for line in done.stderr.splitlines():
        words = shlex.split(line)
        if "probe.c" in words and "clang" in words:
            commands.c = words
        elif "probe.cpp" in words and "clang" in words:
            commands.cxx = words
        elif words and words[0].endswith("ld.lld") and ("shared.so" in words or {"exe", "pie"} & set(words)):
            commands.link = words
    return commands


def _take_libraries(zig: Path, words: Sequence[str], work: Path, lib: Path) -> list[str]:
    """Copy the linker's inputs of zig's cache to ``lib`` and return the libraries' names in link order."""
    names = []
    for word in words:
        path = work / word
        if path.suffix not in {".a", ".o"} and ".so" not in path.name:
            continue
        if "cache" not in path.parts or not path.is_file():
            continue
        name = path.name
        if not (lib / name).exists():
            if path.suffix == ".a":
                _normalize_archive(zig, path, work, lib / name)
            else:
                shutil.copyfile(path, lib / name)
            (lib / name).chmod(0o644)
            if ".so." in name:
                link = lib / (name.split(".so.")[0] + ".so")
                link.symlink_to(name)
        if path.suffix != ".o":
            names.append(name)
    return names


def _normalize_archive(zig: Path, archive: Path, work: Path, output: Path) -> None:
    """Write an archive's members anew, by base name: zig names them by their path in its cache."""
    env = {"PATH": "/nonexistent", "LC_ALL": "C"}
    tool = str((zig / "zig").absolute())
    members = process.run([tool, "ar", "t", str(archive)], env=env, cwd=work).stdout.split()
    # Numbers keep members of the same base name apart; the content decides the order, not the threads
    # that compiled them.
    files = sorted((work / name for name in members), key=lambda f: (f.name, f.read_bytes()))
    numbered = []
    for number, file in enumerate(files):
        copy = work / "members" / output.name / str(number) / file.name
        copy.parent.mkdir(parents=True)
        shutil.copyfile(file, copy)
        numbered.append(str(copy.relative_to(work)))
    done = process.run(
        [tool, "ar", "--format=gnu", "rcsD", str(output.absolute()), *numbered], env=env, cwd=work
    )
    if done.returncode != 0 or not members:
        raise BuildError(f"the compiler's archiver cannot write {output.name}", details=done.tail(10))


def _preprocessor_flags(words: Sequence[str], zig: Path) -> list[str]:
    """Return the macros and include folders of a clang command, folders as ``{zig}/include``."""
    root = os.path.abspath(zig / "lib")
    kept: list[str] = []
    previous = ""
    for word in words:
        if previous == "-isystem":
            folder = os.path.abspath(word)
            if not folder.startswith(root + os.sep):
                raise BuildError(f"the compiler includes {folder}, which is outside its own {root}")
            kept += ["-isystem", "{zig}" + folder.removeprefix(root)]
        elif word.startswith("-D") and word not in _NOT_KEPT:
            kept.append(word)
        previous = word
    return kept


def _after(words: Sequence[str], flag: str) -> str | None:
    for before, word in itertools.pairwise(words):
        if before == flag:
            return word
    return None
