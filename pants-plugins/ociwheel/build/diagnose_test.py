from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.build.diagnose import CONTAINER, MACHINE, Context, check_requirements, diagnose, explain
from ociwheel.build.missing import header_package, library_package, packages, pkg_config_package
from ociwheel.build.offered_settings import Offered
from ociwheel.errors import BuildError
from ociwheel.platforms import platform
from ociwheel.remedies import Remedy
from ociwheel.sdist.unpack import BuildSystem
from ociwheel.target import Target

TARGET = Target(platform("linux/arm/v7"), "3.11.2", "glibc", (2, 36))
CONTEXT = Context(
    "demo 1.0 for linux/arm/v7, Python 3.11", "python-default", "//3rdparty/debian:bookworm", TARGET
)
RELOCK = "lock the build requirements of python-default anew"
EMULATE = (
    "build it in a container of linux/arm/v7, where its programs run (the steps container and emulate); or "
    "use a version that has a wheel for this platform"
)
IN_A_CONTAINER = (
    "build it in a container of linux/arm/v7 that has Debian's {} (the steps container and emulate); or "
    "use a version that has a wheel for this platform"
)
FORTRAN = IN_A_CONTAINER.format("gfortran")
ADD = "to the builder packages of //3rdparty/debian:bookworm and lock it again"


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        (
            "src/x.c:3:10: fatal error: 'yaml.h' file not found",
            "the header yaml.h is missing",
            f'add "libyaml-dev" {ADD}',
        ),
        (
            "x.c:1:10: fatal error: 'openssl/ssl.h' file not found",
            "the header openssl/ssl.h is missing",
            f'add "libssl-dev" {ADD}',
        ),
        (
            "x.c:1:10: fatal error: 'Python.h' file not found",
            "the header Python.h is missing",
            f'add "libpython3.11-dev" {ADD}',
        ),
        (
            "x.c:1:10: fatal error: 'own/thing.h' file not found",
            "the header own/thing.h is missing",
            (
                "find the Debian package that ships it (apt-file search own/thing.h), add it to "
                "the builder packages of //3rdparty/debian:bookworm and lock it again"
            ),
        ),
        (
            "ld.lld: error: unable to find library -lpq",
            "the library libpq is missing",
            f'add "libpq-dev" {ADD}',
        ),
        (
            "Package libffi was not found in the pkg-config search path of the sysroot",
            "the library libffi (pkg-config) is missing",
            f'add "libffi-dev" {ADD}',
        ),
        (
            "/bin/bash: line 1: ./gen: cannot execute binary file: Exec format error",
            "the build runs ./gen on this machine, which is one for linux/arm/v7",
            EMULATE,
        ),
        (
            "OSError: /usr/lib/arm-linux-gnueabihf/libkrb5.so: wrong ELF class: ELFCLASS32",
            "the build loads /usr/lib/arm-linux-gnueabihf/libkrb5.so on this machine, which is one for linux/arm/v7",
            EMULATE,
        ),
        (
            "Error: Please make sure the libxml2 and libxslt development packages are installed.",
            "the library libxml2 (libxml2-dev), the library libxslt (libxslt1-dev) are missing",
            f'add "libxml2-dev", "libxslt1-dev" {ADD}',
        ),
        (
            "a.c:1:10: fatal error: 'sqlfront.h' file not found",
            "the header sqlfront.h is missing",
            f'add "freetds-dev" {ADD}',
        ),
        (
            "source/event_gpio.c:6:22: error: function definition is not allowed here",
            "source/event_gpio.c has a function inside a function, which only gcc compiles",
            "set `compiler` of its build settings to gcc, and lock the base",
        ),
        (
            "../meson.build:78:0: ERROR: Unknown compiler(s): [['gfortran'], ['flang-new'], ['flang'], ['ifort']]",
            "it has Fortran to compile, and builds on this machine have no Fortran compiler",
            FORTRAN,
        ),
        (
            "../meson.build:88:0: ERROR: 'fortran' compiler binary not defined in cross file [binaries] section",
            "it has Fortran to compile, and builds on this machine have no Fortran compiler",
            FORTRAN,
        ),
        (
            "  No CMAKE_Fortran_COMPILER could be found.",
            "it has Fortran to compile, and builds on this machine have no Fortran compiler",
            FORTRAN,
        ),
        (
            '  By not providing "FindArrow.cmake" in CMAKE_MODULE_PATH this project has',
            "the library Arrow is missing, and Debian has no package of Arrow",
            "use a version that has a wheel for this platform",
        ),
        (
            "make: ./gen: Exec format error",
            "the build runs ./gen on this machine, which is one for linux/arm/v7",
            EMULATE,
        ),
        (
            "OSError: [Errno 8] Exec format error: 'build/gen'",
            "the build runs build/gen on this machine, which is one for linux/arm/v7",
            EMULATE,
        ),
        (
            "ModuleNotFoundError: No module named 'Cython.Build'",
            "the build needs the module Cython, which no locked build requirement has",
            RELOCK,
        ),
        (
            "ERROR: No matching distribution found for setuptools_scm",
            "the build requirement setuptools_scm is not locked",
            RELOCK,
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'cmake'",
            "the build calls the program cmake, which builds do not have",
            IN_A_CONTAINER.format("cmake"),
        ),
        (
            "/bin/sh: 1: autoreconf: not found",
            "the build calls the program autoreconf, which builds do not have",
            IN_A_CONTAINER.format("autoconf"),
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'mysql_config'",
            "the program mysql_config is missing",
            f'add "libmariadb-dev-compat" {ADD}',
        ),
        (
            "/bin/sh: 1: curl-config: not found",
            "the program curl-config is missing",
            f'add "libcurl4-openssl-dev" {ADD}',
        ),
        (
            "src/google_crc32c/_crc32c.c:3:10: fatal error: 'crc32c/crc32c.h' file not found",
            "the header crc32c/crc32c.h is missing, and Debian has no package of crc32c/crc32c.h",
            "use a version that has a wheel for this platform",
        ),
    ],
)
def test_causes(line: str, what: str, hint: str) -> None:
    error = diagnose(["running build_ext", line], CONTEXT)
    assert str(error) == (
        f"demo 1.0 for linux/arm/v7, Python 3.11: {what}\n"
        "  end of the build's output:\n"
        "  running build_ext\n"
        f"  {line}\n"
        f"  -> {hint}"
    )


@pytest.mark.parametrize(
    ("lines", "what", "hint"),
    [
        (
            [
                "a.c:1:10: fatal error: 'yaml.h' file not found",
                "b.c:1:10: fatal error: 'openssl/ssl.h' file not found",
                "b.c:9:10: fatal error: 'openssl/ssl.h' file not found",
                "ld.lld: error: unable to find library -lpq",
                "c.c:1:10: fatal error: 'own.h' file not found",
            ],
            (
                "the header yaml.h (libyaml-dev), the header openssl/ssl.h (libssl-dev), the library libpq (libpq-dev), "
                "the header own.h are missing; which package has own.h is not known here (apt-file search)"
            ),
            f'add "libpq-dev", "libssl-dev", "libyaml-dev" {ADD}',
        ),
        (
            ['../meson.build:12:0: ERROR: Dependency "libpq" not found, tried pkgconfig and cmake'],
            "the library libpq (pkg-config) is missing",
            f'add "libpq-dev" {ADD}',
        ),
        (
            [
                "-- Could NOT find Doxygen (missing: DOXYGEN)",
                "  Could NOT find OpenSSL (missing: OPENSSL_LIBRARY)",
            ],
            "the library OpenSSL (pkg-config) is missing",
            f'add "libssl-dev" {ADD}',
        ),
        (
            [
                "Package 'libavif' was not found in the pkg-config search path of the sysroot",
                "The headers or library files could not be found for jpeg,",
                "a required dependency when compiling Pillow from source.",
            ],
            "the library jpeg is missing",
            f'add "libjpeg-dev" {ADD}',
        ),
        (
            ["Package 'libffi', required by 'virtual:world', not found", "No package 'libffi' found"],
            "the library libffi (pkg-config) is missing",
            f'add "libffi-dev" {ADD}',
        ),
        (
            [
                (
                    "error: package `a v1.0.0` cannot be built because it requires rustc 1.95 or newer, while the currently "
                    "active rustc version is 1.85.0"
                )
            ],
            "the crate a v1.0.0 asks for rustc 1.95 or later, and its builder has 1.85.0",
            (
                'add the suite "bookworm-security", whose cargo-web has rustc 1.96, to the suites of the base and lock it '
                "again, or use a version that has a wheel for this platform"
            ),
        ),
        (
            [
                "error: rustc 1.85.0 is not supported by the following packages:",
                "  b@2.0.0 requires rustc 1.90",
            ],
            "the crate b@2.0.0 asks for rustc 1.90 or later, and its builder has 1.85.0",
            (
                'add the suite "bookworm-security", whose cargo-web has rustc 1.96, to the suites of the base and lock it '
                "again, or use a version that has a wheel for this platform"
            ),
        ),
        (
            [
                (
                    "RuntimeError: failed to download https://files.host.invalid/v2/x-2-py3-none-any.whl: <urlopen error "
                    "[Errno -2] Name or service not known>"
                )
            ],
            "the build tries to reach the host files.host.invalid, and builds have no network",
            (
                "where it fetches a finished wheel, lock that wheel by URL and hash instead (NAME @ URL); where it fetches "
                "a library's sources, add Debian's package of it to the builder packages of the base"
            ),
        ),
        (
            [
                "downloading https://files.host.invalid/x.whl",
                "urllib.error.URLError: <urlopen error [Errno 111] Connection refused>",
            ],
            "the build tries to reach the host files.host.invalid, and builds have no network",
            (
                "where it fetches a finished wheel, lock that wheel by URL and hash instead (NAME @ URL); where it fetches "
                "a library's sources, add Debian's package of it to the builder packages of the base"
            ),
        ),
    ],
)
def test_all_of_one_output_is_told_together(lines: list[str], what: str, hint: str) -> None:
    error = diagnose(lines, CONTEXT)
    assert (error.what, error.hint) == (what, hint)


def test_what_meson_would_ask_for_next_is_told_with_what_it_asked_for() -> None:
    lines = ['../meson.build:111:11: ERROR: Dependency "dbus-1" not found, tried pkgconfig']
    error = diagnose(lines, replace(CONTEXT, lacks=("dbus-1", "glib-2.0", "of-no-package")))
    assert error.what == (
        "the library dbus-1 (pkg-config) (libdbus-1-dev), the library glib-2.0 (pkg-config) (libglib2.0-dev) are "
        "missing"
    )
    assert error.hint == f'add "libdbus-1-dev", "libglib2.0-dev" {ADD}'
    # Another failure hides it no less than before.
    error = diagnose(["x.c:3:1: error: no"], replace(CONTEXT, lacks=("glib-2.0",)))
    assert error.what == "it does not compile: x.c:3:1: error: no"


FETCHED = [
    "Downloading freetype2 source from https://files.invalid/freetype-2.14.3.tar.xz",
    "ERROR: Subproject freetype2 is buildable: NO",
    "",
]


@pytest.mark.parametrize(
    "end",
    [
        "../meson.build:12:18: ERROR: Automatic wrap-based subproject downloading is disabled",
        "../meson.build:12:18: ERROR: could not get https://files.invalid/f.tar.xz; is the internet available?",
    ],
)
def test_a_subproject_that_meson_fetches_names_the_options_that_take_debians_libraries(end: str) -> None:
    what = "the build fetches the sources of freetype2, and builds have no network"
    offers = Offered(options=("system-freetype=true", "system-libraqm=true"))
    error = diagnose([*FETCHED, end], replace(CONTEXT, offers=offers))
    assert (error.what, error.hint) == (
        what,
        (
            "let it take Debian's libraries: set `config_settings` of its build settings to "
            '{"setup-args": ["-Dsystem-freetype=true", "-Dsystem-libraqm=true"]}, and add "libfreetype-dev", '
            f'"libraqm-dev" {ADD}'
        ),
    )
    error = diagnose([*FETCHED, end], CONTEXT)
    assert (error.what, error.remedy) == (what, Remedy("builds-fetch-nothing"))


def test_a_subproject_that_takes_the_place_of_a_library_names_the_library() -> None:
    disabled = "meson.build:2:4: ERROR: Automatic wrap-based subproject downloading is disabled"
    error = diagnose(
        [
            "Looking for a fallback subproject for the dependency openblas",
            "ERROR: Subproject OpenBLAS is buildable: NO",
            disabled,
        ],
        replace(CONTEXT, offers=Offered(options=("system-other=true",))),
    )
    assert error.what == "the library openblas (pkg-config) is missing"
    assert error.hint == f'add "libopenblas-dev" {ADD}'
    # One that the project does without has ended nothing.
    went_on = ["ERROR: Subproject demo is buildable: NO", "x.c:3:1: error: no"]
    assert diagnose(went_on, CONTEXT).what == "it does not compile: x.c:3:1: error: no"


def test_a_library_loaded_into_python_names_the_variables_of_setup_py() -> None:
    line = "OSError: /r/usr/lib/arm-linux-gnueabihf/libgssapi_krb5.so: wrong ELF class: ELFCLASS32"
    offers = Offered(variables=("GSSAPI_LINKER_ARGS", "GSSAPI_SUPPORT_DETECT"))
    assert diagnose([line], replace(CONTEXT, offers=offers)).hint == (
        "set a variable that its setup.py reads, if one makes it do without (GSSAPI_LINKER_ARGS, "
        "GSSAPI_SUPPORT_DETECT): `env` of its build settings; or build it in a container of linux/arm/v7, where "
        "its programs run (the steps container and emulate)"
    )


@pytest.mark.parametrize(
    ("programs", "line", "what", "hint"),
    [
        (
            MACHINE,
            "/bin/sh: 1: autoreconf: not found",
            "the build calls the program autoreconf, which is not on this machine",
            "install it (apt-get install autoconf, brew install autoreconf)",
        ),
        (
            CONTAINER,
            "/bin/sh: 1: swig: not found",
            "the build calls the program swig, which its container does not have",
            'add "swig" to the packages of the container, and lock the base again',
        ),
        (
            CONTAINER,
            "  No CMAKE_Fortran_COMPILER could be found.",
            "it has Fortran to compile, and its container has no Fortran compiler",
            'add "gfortran" to the packages of the container, and lock the base again',
        ),
    ],
)
def test_a_program_comes_from_where_the_build_finds_programs(
    programs: str, line: str, what: str, hint: str
) -> None:
    error = diagnose([line], replace(CONTEXT, programs=programs))
    assert (error.what, error.hint) == (what, hint)


@pytest.mark.parametrize(
    ("lines", "what", "hint"),
    [
        (
            [
                "RuntimeError: no prebuilt demo 2.0.8 wheel for this platform; available: manylinux_2_28_x86_64"
            ],
            "its build compiles nothing: it hands out finished wheels, and has none for linux/arm/v7",
            "use a version that has a wheel for this platform, or leave the platform out",
        ),
        (
            [
                "meson.build:44:2: ERROR: Dependency lookup failed: Invalid version, need 'raqm' ['>=0.10.4'] found '0.10.0'."
            ],
            "it asks for the library raqm >=0.10.4, and Debian's of the base is 0.10.0",
            (
                "lock an earlier version that takes 0.10.0, or use a version that has a wheel for this platform"
            ),
        ),
        (
            [
                "KeyError: 'first'",
                "Traceback (most recent call last):",
                "demo.ConfigError: no such thing",
                "",
            ],
            "the build backend failed: demo.ConfigError: no such thing",
            None,
        ),
    ],
)
def test_what_a_backend_says_itself_is_told(lines: list[str], what: str, hint: str | None) -> None:
    error = diagnose(lines, CONTEXT)
    assert (error.what, error.hint) == (what, hint)


@pytest.mark.parametrize("name", ["README.rst", "requirements.txt", "VERSION.in"])
def test_a_file_of_the_sdist_is_no_program(name: str) -> None:
    line = f"FileNotFoundError: [Errno 2] No such file or directory: '{name}'"
    assert diagnose([line], CONTEXT).what == f"the build backend failed: {line}"


def test_a_compiler_error_has_no_hint() -> None:
    error = diagnose(["a.c:3:1: error: expected ';'"], CONTEXT)
    assert error.what == "it does not compile: a.c:3:1: error: expected ';'"
    assert error.hint is None


@pytest.mark.parametrize("text", ["a", "a:", "'a", "/a b"])
def test_long_lines_are_searched_in_no_time(text: str) -> None:
    before = time.process_time()
    assert diagnose([(text * 20_000)[:20_000]], CONTEXT).what == "the build backend failed"
    assert time.process_time() - before < 1  # about ten seconds where a search is quadratic


@given(st.lists(st.text(max_size=80), max_size=5))
def test_any_output_makes_one_error(lines: list[str]) -> None:
    assert diagnose(lines, CONTEXT).where == CONTEXT.where


def test_a_build_requirement_whose_marker_has_no_meaning(tmp_path: Path) -> None:
    system = BuildSystem(("six; os_name ~= 'posix'",), "x", ())
    with pytest.raises(
        BuildError, match=r"\"six; os_name ~= 'posix'\" in build-system\.requires is no requir"
    ):
        check_requirements(system, tmp_path, CONTEXT)


def test_missing_and_wrong_build_requirements(tmp_path: Path) -> None:
    info = tmp_path / "setuptools-60.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: setuptools\nVersion: 60.0\n")
    system = BuildSystem(("setuptools>=61", "Cython", "tomli; python_version < '3'"), "x", ())
    with pytest.raises(BuildError) as caught:
        check_requirements(system, tmp_path, CONTEXT)
    assert str(caught.value) == (
        "demo 1.0 for linux/arm/v7, Python 3.11: the locked build requirements do not fit this sdist\n"
        "  setuptools>=61: 60.0 is there\n"
        "  Cython: is not there\n"
        f"  -> {RELOCK}"
    )


def test_the_table_is_whole() -> None:
    tables = packages()
    assert sum(map(len, tables.values())) > 400
    assert all(
        package.strip() == package and " " not in package for t in tables.values() for package in t.values()
    )
    assert header_package("libavutil/frame.h", TARGET) == "libavutil-dev"
    assert header_package("nothing.h", TARGET) is None


def test_what_one_package_of_debian_has_is_known_without_a_line_of_ours() -> None:
    assert header_package("rrd_client.h", TARGET) == "librrd-dev"
    assert library_package("osra") == "libosra-dev"
    assert pkg_config_package("gspell-1") == "libgspell-1-dev"
    # An sdist that misses a header of its own wants no package that happens to have one of that name.
    assert all(header_package(name, TARGET) is None for name in ("config.h", "utils.h", "common/x.h"))


def test_what_was_left_out_for_want_of_a_header_is_told_with_its_package() -> None:
    left_out = BuildError("the wheel holds no compiled file", where="demo 1.0", hint=Remedy("mark-pure"))
    output = ["a.c:1:10: fatal error: 'yaml.h' file not found", "going on without"]
    error = explain(left_out, output, CONTEXT)
    (missing,) = error.errors
    assert (missing.what, missing.hint) == ("the header yaml.h is missing", f'add "libyaml-dev" {ADD}')
    assert (error.what, error.remedy) == (left_out.what, left_out.remedy)
    assert explain(left_out, ["Package 'libffi' was not found in the pkg-config"], CONTEXT) is left_out
