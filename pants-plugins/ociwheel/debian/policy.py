"""What goes into a base and what does not: every choice of the product about packages and paths, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_EXCLUDED: tuple[str, ...] = (
    "adduser",
    "debconf",
    "debianutils",
    "dpkg",
    "gawk",
    "init-system-helpers",
    "install-info",
    "lsb-base",
    "mailcap",
    "mawk",
    "mime-support",
    "openssl",
    "openssl-provider-legacy",
    "original-awk",
    "perl",
    "perl-base",
    "python3",
    "python3-lib2to3",
    "python3-minimal",
    "readline-common",
    "sensible-utils",
    "sysvinit-utils",
    "ucf",
)
"""Packages left out of every runtime: only maintainer scripts and interactive use need them."""

COMPILERS: tuple[str, ...] = (
    "binutils",
    "cpp",
    "g++",
    "gcc",
    "libc-dev-bin",
    "rpcsvc-proto",
)
"""Left out of every sysroot: the compiler is ours, or of the machine that builds."""

COMPILERS_PATTERN = re.compile(
    r"(?:cpp|gcc|g\+\+)-\d+(?:-(?!base$)\w+)*"
    # What gcc's -fsanitize=… and -fgnu-tm link to, and nothing that is shipped.
    r"|lib(?:hw)?asan\d+|liblsan\d+|libtsan\d+|libubsan\d+|libitm\d+"
    r"|libstd-rust(?:-web)?-[0-9.]+"
)
"""The versioned names among them, ``gcc-12``, libraries of gcc's that no wheel links to, and rustc's own."""

RUNTIME_OF_C: tuple[str, ...] = ("libc6-dev", "libgcc-{gcc}-dev", "libstdc++-{gcc}-dev")
"""What every wheel is compiled against: libc, and the runtime of the suite's own gcc for C and C++."""

INTERPRETER_EXCLUDED: tuple[str, ...] = (
    *DEFAULT_EXCLUDED,
    "base-files",
    "ca-certificates",
    "media-types",
    "netbase",
    "tzdata",
)
"""Left out of the interpreter that runs builds: it never serves."""

PROGRAMS_EXCLUDED: tuple[str, ...] = (
    *INTERPRETER_EXCLUDED,
    *COMPILERS,
    "libc-dev",
    "libc6-dev",
    "libgcc-12-dev",
    "libgcc-14-dev",
    "linux-libc-dev",
)
"""Left out of the programs that builds call: the compiler is ours."""

DATA_PACKAGES = frozenset({"base-files", "ca-certificates", "media-types", "netbase", "tzdata"})
"""Packages of files that no code depends on; they change at their own pace."""

PERL_MODULES = r"usr/share/perl5"
"""Left out where there is no perl."""

DROPPED_PATHS: tuple[str, ...] = (
    r"usr/share/(?:man|info|locale|lintian|bug|doc-base|menu|gtk-doc|pixmaps|applications)(?:/.*)?",
    r"usr/share/(?:gdb|gcc|binfmts)(?:/.*)?",
    rf"{PERL_MODULES}(?:/.*)?",
    r"usr/share/doc/[^/]+/(?!copyright$)[^/]+(?:/.*)?",
    r"usr/include(?:/.*)?",
    r"usr/lib/(?:.*/)?[^/]+\.(?:a|o)",
    # In folders of plug-ins they are read at run time: imagemagick loads its formats by them.
    r"usr/lib/(?:[^/]+-linux-[^/]+/)?[^/]+\.la",
    r"usr/(?:lib|share)/(?:[^/]+/)?pkgconfig(?:/.*)?",
    # The character sets that trixie moves to libc-gconv-modules-extra; Python has codecs of its own.
    r"usr/lib/[^/]+/gconv/(?!gconv-modules$|gconv-modules\.cache$|(?:UNICODE|UTF-.*|CP1252|ISO8859-15?)\.so$).+",
    r"usr/lib/binfmt\.d(?:/.*)?",
    r"etc/python3\.[0-9]+(?:/.*)?",
    r"etc/(?:init\.d|default|logrotate\.d|cron\.[a-z]+|update-motd\.d|bash_completion\.d)(?:/.*)?",
)
"""Paths that an image never needs, as patterns of the whole path. Copyright notices stay, as licences ask."""

DROPPED_STDLIB: tuple[str, ...] = (
    r"EXTERNALLY-MANAGED",
    r"ctypes/test",
    r"distutils/command/wininst-[^/]+\.exe",
    r"distutils/tests",
    r"ensurepip",
    r"idlelib",
    r"pydoc_data",
    # Debian's own would hide one that the image's wheels bring; all it does is to look for apport.
    r"sitecustomize\.py",
    r"sqlite3/test",
    r"test",
    r"tkinter",
    r"turtle\.py",
    r"turtledemo",
    r"unittest/test",
)
"""What neither a server nor a build backend imports of the standard library, below ``usr/lib/pythonX.Y/``."""

DROPPED_STDLIB_OF_IMAGES: tuple[str, ...] = (*DROPPED_STDLIB, r"config-[^/]+", r"lib2to3")
"""What images lack besides: the interpreter that builds keeps what a build backend may look at."""

CERTIFICATE_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
"""All certificates of the packages of a layer, as one file."""
STDLIB = r"usr/lib/python3\.[0-9]+/"

# What only gcc's -fsanitize and -fgnu-tm link to.
_SANITIZERS = r"gcc/[^/]+/[^/]+/lib(?:asan|hwasan|itm|lsan|tsan|ubsan)[._]"
_NOT_LINKED = r"(?:gconv|krb5|sasl2|engines-[^/]+|ossl-modules)"
SYSROOT_KEPT: tuple[str, ...] = (
    r"usr/include/.+",
    # The loader, which libc.so names beside libc.
    r"usr/lib(?:32|64|x32)/ld[^/]*",
    rf"usr/lib/(?!python|gconv|debug|systemd|udev|{_SANITIZERS})(?!.*/{_NOT_LINKED}/).+",
    r"usr/share/(?:pkgconfig|cmake[^/]*)/.+",
    r"usr/bin/[^/]*config[^/]*",
    rf"{STDLIB}_sysconfigdata_[^/]*\.py",
    rf"{STDLIB}config-[^/]+/(?!.*\.a$).+",
)
"""What compiling needs of a builder package, as patterns of the whole path."""

HOST_SYSROOT = "libc6-dev"
"""What a lock calls headers and libraries of what a build compiles for the machine it runs on."""

MANYLINUX_LIBRARIES: tuple[str, ...] = ("libstdc++6",)
"""What wheels of build requirements may link to (PEP 600) beside the interpreter's own libraries."""


BUILD_PROGRAMS: tuple[str, ...] = (
    *("bash", "bubblewrap", "coreutils", "dash", "diffutils", "findutils", "grep", "gzip", "make", "mawk"),
    *("sed", "tar"),
)
"""What builds call, and what gives each a root of its own, in which nothing else is."""

RUST_PROGRAMS: Mapping[str, str] = {"cargo": "libstd-rust-dev", "cargo-web": "libstd-rust-web-dev"}
"""Builder packages that are programs of the machine that builds, and the target's library in their place."""

EMULATION_PROGRAMS: tuple[str, ...] = (
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "mawk",
    "sed",
    "tar",
)
"""What a build in a container finds beside the compiler: programs that configure scripts take for granted."""


@dataclass(frozen=True)
class LayerGroup:
    """One layer of a base: the packages in it, in the lock's words."""

    title: str
    bytecode: bool
    packages: tuple[str, ...]


def partition(names: Sequence[str], core: frozenset[str], python: str) -> tuple[LayerGroup, ...]:
    """Divide the packages of a runtime into layers, bottom first.

    What the interpreter needs comes first and does not depend on what a base adds, so that bases
    of one suite share those layers.

    :param names: all packages of the runtime.
    :param core: those that the interpreter itself needs.
    :param python: its minor version, ``3.11``.
    """
    interpreter = re.compile(rf"(?:lib)?python{re.escape(python)}(?:-.*)?|python3-distutils")
    groups: dict[str, list[str]] = {"libraries": [], "data": [], f"python{python}": [], "packages": []}
    for name in sorted(names):
        if interpreter.fullmatch(name):
            groups[f"python{python}"].append(name)
        elif name in DATA_PACKAGES:
            groups["data"].append(name)
        else:
            groups["libraries" if name in core else "packages"].append(name)
    return tuple(
        LayerGroup(title, title == f"python{python}", tuple(members))
        for title, members in groups.items()
        if members
    )
