"""What a failed build says is missing: headers, libraries, and modules of pkg-config, meson and CMake.

All of one output is told together, each with the Debian package that has it.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ociwheel.target import Target

_HEADER = re.compile(r"fatal error: '?(?P<name>[\w./+-]+\.h(?:pp|h)?)'?(?: file not found|: No such file)")
_LIBRARY = re.compile(r"(?:ld\.lld: error: unable to find library -l|cannot find -l:?)(?P<name>[\w.+-]+)")
_MODULES = (
    re.compile(
        r"Package '?(?P<name>[\w.+-]+)'?,? (?:was not found in the pkg-config|required by .* not found)"
    ),
    re.compile(r"No package '(?P<name>[\w.+-]+)' found"),
    re.compile(r"ERROR: Dependency \"(?P<name>[\w.+-]+)\" not found"),
    # Only with a space before: what is not required stands after two dashes.
    re.compile(r"^ +Could NOT find (?P<name>[\w.+-]+)"),
    re.compile(r"By not providing \"Find(?P<name>[\w.+-]+)\.cmake\""),
)
# A setup.py that has looked for everything it can use, and says which it cannot do without (Pillow).
_REQUIRED = re.compile(r"headers or library files could not be found for (?P<name>[\w.+-]+)")
# One that names them as a reader would, several at once (lxml).
_TOLD = re.compile(
    r"make sure (?:that )?(?:the )?(?P<names>[\w.+-]{1,60}(?:(?:,? and |, )[\w.+-]{1,60}){0,9}) "
    r"development packages? (?:are|is) installed"
)
_MOST = 20
# What CMake's own modules call libraries otherwise than pkg-config does.
_CMAKE = {
    "blas": "libopenblas-dev",
    "bzip2": "libbz2-dev",
    "curl": "libcurl4-openssl-dev",
    "freetype": "libfreetype-dev",
    "jpeg": "libjpeg-dev",
    "lapack": "libopenblas-dev",
    "liblzma": "liblzma-dev",
    "libxml2": "libxml2-dev",
    "openssl": "libssl-dev",
    "png": "libpng-dev",
    "postgresql": "libpq-dev",
    "sqlite3": "libsqlite3-dev",
    "zeromq": "libzmq3-dev",
    "zlib": "zlib1g-dev",
}
# What no suite of Debian ships, by the names that configure steps ask for, and the folders of its headers.
_NOT_IN_DEBIAN = {"arrow", "arrowpython", "crc32c", "parquet"}
# Programs that builds call and that are not called as their package is.
_PROGRAMS = {
    "aclocal": "automake",
    "autoheader": "autoconf",
    "autoreconf": "autoconf",
    "c++": "g++",
    "cc": "gcc",
    "go": "golang-go",
    "java": "default-jdk-headless",
    "javac": "default-jdk-headless",
    "libtoolize": "libtool",
    "makeinfo": "texinfo",
    "msgfmt": "gettext",
    "ninja": "ninja-build",
    "node": "nodejs",
    "objdump": "binutils",
    "protoc": "protobuf-compiler",
    "rpcgen": "rpcsvc-proto",
    "thrift": "thrift-compiler",
    "yacc": "bison",
}


@dataclass(frozen=True)
class Missing:
    """One thing that is not there."""

    title: str
    """``the header yaml.h``."""
    file: str
    """A file that its package ships."""
    package: str | None
    """Of Debian, where it is known."""
    in_debian: bool = True
    """Whether Debian may have it."""


def missing_files(output: Sequence[str], target: Target) -> tuple[Missing, ...]:
    """Return the headers and libraries that compilers and linkers did not find, each once."""

    def header(name: str) -> Missing:
        there = name.partition("/")[0].lower() not in _NOT_IN_DEBIAN
        return Missing(f"the header {name}", name, header_package(name, target), in_debian=there)

    def library(name: str) -> Missing:
        return Missing(f"the library lib{name}", f"lib{name}.so", library_package(name))

    return _collected(output, ((_HEADER, header), (_LIBRARY, library)))


def missing_modules(output: Sequence[str], lacks: Iterable[str] = ()) -> tuple[Missing, ...]:
    """Return the libraries that configure steps asked for by a name, each once.

    Where one of them is said to be required, the others are not.

    :param lacks: names that this one would ask for next; those are told with it that Debian is known to have.
    """

    def required(name: str) -> Missing:
        return Missing(f"the library {name}", f"lib{name}.so", pkg_config_package(name))

    if found := _collected(output, ((_REQUIRED, required),)):
        return found
    told = (name for line in output if (match := _TOLD.search(line)) for name in _names(match["names"]))
    if found := tuple(dict.fromkeys(required(name) for name in told)):
        return found[:_MOST]
    found = _collected(output, tuple((pattern, named_module) for pattern in _MODULES))
    following = (named_module(name) for name in lacks if name in packages()["module"])
    return tuple(dict.fromkeys((*found, *following)))[:_MOST] if found else ()


def named_module(name: str) -> Missing:
    """Return the library that pkg-config, meson or CMake calls ``name``."""
    if name.lower() in _NOT_IN_DEBIAN:
        return Missing(f"the library {name}", name, None, in_debian=False)
    return Missing(f"the library {name} (pkg-config)", f"{name}.pc", pkg_config_package(name))


def _names(text: str) -> list[str]:
    return re.split(r",? and |, ", text)


def _collected(
    output: Iterable[str], kinds: Sequence[tuple[re.Pattern[str], Callable[[str], Missing]]]
) -> tuple[Missing, ...]:
    def found() -> Iterator[Missing]:
        for line in output:
            for pattern, made in kinds:
                if match := pattern.search(line):
                    yield made(match["name"])

    return tuple(dict.fromkeys(found()))[:_MOST]


@cache
def packages() -> dict[str, dict[str, str]]:
    """Return the names by kind with their packages: what was chosen by hand, and what one package alone has.

    The first are ``kind<TAB>name<TAB>package`` lines of ``debian_packages.tsv``, the others of Debian 12.
    """
    data = resources.files("ociwheel.build")
    tables: dict[str, dict[str, str]] = json.loads(
        gzip.decompress(data.joinpath("data/debian_names.json.gz").read_bytes())
    )
    text = data.joinpath("debian_packages.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            kind, name, package = line.split("\t")
            tables[kind][name] = package
    return tables


def header_package(header: str, target: Target) -> str | None:
    """Return the Debian package with a header: by its own name, or by the longest folder of it."""
    if header == "Python.h":
        return f"libpython{target.python_minor}-dev"
    table = packages()["header"]
    parts = header.split("/")
    for length in range(len(parts), 0, -1):
        name = "/".join(parts[:length])
        found = table.get(name if length == len(parts) else f"{name}/")
        if found:
            return found
    return None


def library_package(library: str) -> str | None:
    """Return the Debian package with the linker name ``-l<library>``."""
    return packages()["library"].get(library)


def config_program_package(name: str) -> str | None:
    """Return the Debian package for developers with a ``NAME-config`` program."""
    return packages()["program"].get(name)


def program_package(name: str) -> str:
    """Return the Debian package with a program: most are called as it is."""
    return _PROGRAMS.get(name, name)


def pkg_config_package(module: str) -> str | None:
    """Return the Debian package with a library that pkg-config, meson or CMake calls ``module``."""
    tables = packages()
    return (
        tables["module"].get(module)
        or tables["library"].get(module.removeprefix("lib"))
        or _CMAKE.get(module.lower())
        or tables["module"].get(module.lower())
    )
