"""What single build systems must be told to compile for another machine: meson, CMake."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ociwheel.build.backend import Environment
from ociwheel.build.wrappers import Toolchain
from ociwheel.sdist.unpack import BuildSystem

_MESON = """\
[binaries]
c = '{bin}/{triplet}-cc'
cpp = '{bin}/{triplet}-c++'
ar = '{bin}/{triplet}-ar'
strip = '{bin}/{triplet}-strip'
pkg-config = '{bin}/{triplet}-pkg-config'
python = '{python}'
{programs}
[properties]
needs_exe_wrapper = true
longdouble_format = '{long_double}'
skip_sanity_check = true

[host_machine]
system = 'linux'
cpu_family = '{cpu_family}'
cpu = '{cpu}'
endian = '{endian}'
"""
_CMAKE = """\
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR {cpu})
set(CMAKE_C_COMPILER "{bin}/{triplet}-cc")
set(CMAKE_CXX_COMPILER "{bin}/{triplet}-c++")
set(CMAKE_ASM_COMPILER "{bin}/{triplet}-cc")
set(CMAKE_AR "{bin}/{triplet}-ar" CACHE FILEPATH "")
set(CMAKE_RANLIB "{bin}/{triplet}-ranlib" CACHE FILEPATH "")
set(CMAKE_LINKER "{bin}/{triplet}-ld" CACHE FILEPATH "")
set(CMAKE_STRIP "{bin}/{triplet}-strip" CACHE FILEPATH "")
set(PKG_CONFIG_EXECUTABLE "{bin}/{triplet}-pkg-config" CACHE FILEPATH "")
set(CMAKE_LIBRARY_ARCHITECTURE {triplet})
set(CMAKE_FIND_ROOT_PATH "{sysroot}" "{work}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
# Only where the project names none: it is the last thing that its project() reads.
if(NOT DEFINED CMAKE_PROJECT_INCLUDE)
  set(CMAKE_PROJECT_INCLUDE "{project}")
endif()
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(Python_INCLUDE_DIR "{include}" CACHE PATH "")
set(Python3_INCLUDE_DIR "{include}" CACHE PATH "")
set(PYTHON_INCLUDE_DIR "{include}" CACHE PATH "")
"""
# Else FindPython (CMake 4.1 and later) refuses to name the interpreter of a build for another machine. A
# default would not do: a project that says it knows CMake 4.1 sets the policy itself.
_CMAKE_PROJECT = """\
if(POLICY CMP0190)
  cmake_policy(SET CMP0190 OLD)
endif()
"""


@dataclass(frozen=True)
class BuildSystemFiles:
    """Variables and PEP 517 settings that point to the files written."""

    variables: Mapping[str, str] = field(default_factory=dict)
    config_settings: Mapping[str, object] = field(default_factory=dict)


def write_build_system_files(
    system: BuildSystem, toolchain: Toolchain, environment: Environment, binaries: Path, folder: Path
) -> BuildSystemFiles:
    """Write a meson cross file and a CMake toolchain file to ``folder``.

    The settings name the cross file only for meson's backend: others would refuse them.
    """
    folder.mkdir(parents=True)
    target = toolchain.target
    row = target.platform
    names = {
        "bin": binaries,
        "triplet": row.triplet,
        "python": environment.python,
        "long_double": row.long_double,
        "cpu_family": row.cpu_family,
        "cpu": row.machine,
        "endian": row.endian,
        "sysroot": toolchain.sysroot,
        "work": environment.work,
        "include": toolchain.sysroot / f"usr/include/python{target.python_minor}",
        "project": folder / "project.cmake",
        "programs": _meson_programs(environment),
    }
    meson, cmake = folder / "cross.ini", folder / "toolchain.cmake"
    (folder / "project.cmake").write_text(_CMAKE_PROJECT, encoding="utf-8")
    meson.write_text(_MESON.format(**names), encoding="utf-8")
    cmake.write_text(_CMAKE.format(**names), encoding="utf-8")
    variables = {
        "CMAKE_TOOLCHAIN_FILE": str(cmake),
        "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1),
    }
    if system.meson:
        # It would try the network, which there is none of, for minutes.
        return BuildSystemFiles(
            variables, {"setup-args": [f"--cross-file={meson}", "--wrap-mode=nodownload"]}
        )
    return BuildSystemFiles(variables)


def _meson_programs(environment: Environment) -> str:
    """Return lines for programs of build requirements that meson takes from a cross file alone."""
    numpy = environment.scripts / "numpy-config"
    return f"numpy-config = '{numpy}'\n" if numpy.is_file() else ""


def merged(ours: Mapping[str, object], users: Mapping[str, object]) -> dict[str, object]:
    """Return PEP 517 settings: where both have a key, the user's words come after ours."""
    result = dict(ours)
    for key, value in users.items():
        result[key] = [*_words(ours[key]), *_words(value)] if key in ours else value
    return result


def _words(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]
