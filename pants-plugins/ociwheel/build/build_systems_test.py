from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from ociwheel.build import no_network
from ociwheel.build.backend import Environment, base_environment
from ociwheel.build.build_systems import merged, write_build_system_files
from ociwheel.build.diagnose import Context, diagnose
from ociwheel.build.pip_resolver import PipResolver
from ociwheel.build.wrappers import Toolchain, write_wrappers
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


FETCHES = """\
cmake_minimum_required(VERSION 3.30)
project(demo LANGUAGES NONE)
include(FetchContent)
FetchContent_Declare(thing URL https://files.host.invalid/thing.tar.gz)
FetchContent_MakeAvailable(thing)
"""


@pytest.fixture(scope="module")
def cmake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the cmake that builds take from the index."""
    folder = tmp_path_factory.mktemp("cmake")
    client = IndexClient(settings.load())
    (found,) = PipResolver(client.settings, folder / "pip").resolve(["cmake==4.1.0"], ())
    wanted = Wanted(found.pin.name, found.pin.version, found.filename, found.sha256)
    fetch_artifact(client, wanted, folder / "wheel")
    with zipfile.ZipFile(folder / "wheel" / found.filename) as archive:
        archive.extractall(folder / "cmake")
    program = folder / "cmake/cmake/data/bin/cmake"
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("users", ["-Dblas=none", ["-Dblas=none"]])
def test_a_users_words_come_after_the_cross_file_and_do_not_replace_it(users: object) -> None:
    ours = {"setup-args": ["--cross-file=x"]}
    assert merged(ours, {"setup-args": users}) == {"setup-args": ["--cross-file=x", "-Dblas=none"]}
    assert ours == {"setup-args": ["--cross-file=x"]}


def test_other_settings_stay_as_they_are() -> None:
    assert merged({"a": ["1"]}, {"b": "2"}) == {"a": ["1"], "b": "2"}


@pytest.mark.parametrize("with_numpy", [True, False])
def test_every_program_of_the_cross_file_is_there(tmp_path: Path, *, with_numpy: bool) -> None:
    """A project that calls ``cython`` itself, as pandas does, got the path of a program that nobody wrote.

    ``dependency('numpy')`` of shapely asks ``numpy-config``, in a build for another machine by this file alone.
    """
    gcc, lib = f"usr/lib/gcc/{TARGET.platform.triplet}/12", f"usr/lib/{TARGET.platform.triplet}"
    for name in (f"{gcc}/crtbeginS.o", f"{gcc}/libstdc++.so", f"{lib}/crti.o"):
        path = tmp_path / "sysroot" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    toolchain = Toolchain(tmp_path / "zig", tmp_path / "sysroot", TARGET)
    write_wrappers(toolchain, Path(sys.executable), tmp_path / "cross/bin", tmp_path)
    system, folder = BuildSystem((), "mesonpy", ()), tmp_path / "cross/files"
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").symlink_to(sys.executable)
    if with_numpy:
        (tmp_path / "venv/bin/numpy-config").touch()
    environment = Environment(tmp_path / "venv/bin/python", tmp_path / "site-packages", tmp_path)
    files = write_build_system_files(system, toolchain, environment, tmp_path / "cross/bin", folder)
    arguments = [f"--cross-file={folder / 'cross.ini'}", "--wrap-mode=nodownload"]
    assert files.config_settings == {"setup-args": arguments}
    cross = ConfigParser()
    cross.read(folder / "cross.ini")
    programs = {name: Path(path.strip("'")) for name, path in cross["binaries"].items()}
    assert {"c", "cpp", "pkg-config", "python"} <= set(programs)
    assert ("numpy-config" in programs) == with_numpy
    assert [name for name, path in programs.items() if not path.exists()] == []


@pytest.mark.slow
def test_a_project_that_knows_cmake_4_1_finds_the_targets_python(tmp_path: Path, cmake: Path) -> None:
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


@pytest.mark.slow
def test_what_cmake_fetches_fails_at_once_and_names_the_host(tmp_path: Path, cmake: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/CMakeLists.txt").write_text(FETCHES)
    environment = base_environment(Environment(Path(sys.executable), tmp_path / "site-packages", tmp_path))
    start = time.monotonic()
    command: list[str | Path] = [sys.executable, no_network.__file__, cmake, "-G", "Unix Makefiles"]
    command += ["-DCMAKE_MAKE_PROGRAM=/bin/true", "-S", tmp_path / "project", "-B", tmp_path / "build"]
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert time.monotonic() - start < 60  # CMake tries again for 85 s where a proxy has no address
    error = diagnose((done.stdout + done.stderr).splitlines(), Context("demo", "default", "base", TARGET))
    assert error.what == "the build tries to reach the host files.host.invalid, and builds have no network"
