from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ociwheel.build.backend import Environment
from ociwheel.build.build_systems import merged, write_build_system_files
from ociwheel.build.pip_resolver import PipResolver
from ociwheel.build.wrappers import Toolchain
from ociwheel.fetch.artifacts import Wanted, fetch_artifact
from ociwheel.fetch.index import IndexClient
from ociwheel.platforms import platform
from ociwheel.sdist.unpack import BuildSystem
from ociwheel.target import Target
from ociwheel.transport import settings

TARGET = Target(platform("linux/arm/v7"), "3.11.2", "glibc", (2, 36))
PROJECT = """\
cmake_minimum_required(VERSION 3.15...4.1)
project(demo LANGUAGES C)
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
message(STATUS "headers: ${Python_INCLUDE_DIRS}")
"""


@pytest.mark.parametrize("users", ["-Dblas=none", ["-Dblas=none"]])
def test_a_users_words_come_after_the_cross_file_and_do_not_replace_it(users: object) -> None:
    ours = {"setup-args": ["--cross-file=x"]}
    assert merged(ours, {"setup-args": users}) == {"setup-args": ["--cross-file=x", "-Dblas=none"]}
    assert ours == {"setup-args": ["--cross-file=x"]}


def test_other_settings_stay_as_they_are() -> None:
    assert merged({"a": ["1"]}, {"b": "2"}) == {"a": ["1"], "b": "2"}


@pytest.mark.slow
def test_a_project_that_knows_cmake_4_1_finds_the_targets_python(tmp_path: Path) -> None:
    client = IndexClient(settings.load())
    (found,) = PipResolver(client.settings, tmp_path / "pip").resolve(["cmake==4.1.0"], ())
    wanted = Wanted(found.pin.name, found.pin.version, found.filename, found.sha256)
    fetch_artifact(client, wanted, tmp_path / "wheel")
    with zipfile.ZipFile(tmp_path / "wheel" / found.filename) as archive:
        archive.extractall(tmp_path / "cmake")
    cmake = tmp_path / "cmake/cmake/data/bin/cmake"
    cmake.chmod(0o755)
    binaries, include = tmp_path / "bin", tmp_path / "sysroot/usr/include/python3.11"
    for folder in (binaries, include, tmp_path / "project"):
        folder.mkdir(parents=True)
    for name in ("cc", "c++", "ar", "ranlib", "ld", "strip"):  # it compiles nothing
        program = binaries / f"{TARGET.platform.triplet}-{name}"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (include / "patchlevel.h").write_text('#define PY_VERSION "3.11.2"\n')
    for name in ("Python.h", "pyconfig.h"):
        (include / name).touch()
    (tmp_path / "project/CMakeLists.txt").write_text(PROJECT)
    files = write_build_system_files(
        BuildSystem((), "scikit_build_core.build", ()),
        Toolchain(tmp_path / "zig", tmp_path / "sysroot", TARGET),
        Environment(Path(sys.executable), tmp_path / "site-packages", tmp_path),
        binaries,
        tmp_path / "files",
    )
    command: list[str | Path] = [cmake, "-G", "Unix Makefiles", "-S", tmp_path / "project"]
    command += ["-B", tmp_path / "build", "-DCMAKE_C_COMPILER_WORKS=1", "-DCMAKE_MAKE_PROGRAM=/bin/true"]
    done = subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", "CMAKE_TOOLCHAIN_FILE": files.variables["CMAKE_TOOLCHAIN_FILE"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"-- headers: {include}\n" in done.stdout
