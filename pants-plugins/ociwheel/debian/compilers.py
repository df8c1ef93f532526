"""The gcc of a suite: what its runtime is called, and the packages of the compiler itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ociwheel.debian.policy import INTERPRETER_EXCLUDED, RUNTIME_OF_C
from ociwheel.errors import BaseError

if TYPE_CHECKING:
    from ociwheel.debian.packages import Universe
    from ociwheel.platforms import Platform

GCC = "gcc"
"""The compiler that a request may ask for beside clang, which needs no asking."""
# The sysroot has the target's libc and headers of Linux; nothing links to gcc's sanitizers.
_NOT_OF_GCC = re.compile(
    r"(?:libc6|libc6-dev|linux-libc-dev|libc-dev-bin|lib(?:hw)?asan\d+|lib(?:itm|lsan|tsan|ubsan)\d+)"
    r"(?:-\w+-cross)?"
)


def default_gcc(universe: Universe) -> str:
    """Return the major version that the package ``gcc`` of the suites stands for.

    :raises BaseError: there is no such package.
    """
    for candidate in universe.named("gcc"):
        for group in candidate.dependencies:
            match = re.fullmatch(r"gcc-([0-9]+)", group[0].name)
            if match:
                return match[1]
    raise BaseError(
        f"the suites have no gcc for {universe.architecture}, whose C runtime wheels are compiled against",
        hint="add the release itself to suites of the base, such as bookworm beside bookworm-security",
    )


def runtime_of_c(universe: Universe) -> list[str]:
    """Return the packages of libc and of gcc's runtime that what is compiled links to."""
    gcc = default_gcc(universe)
    return [name.format(gcc=gcc) for name in RUNTIME_OF_C]


def gcc_package(universe: Universe, host: Platform, target: Platform) -> str:
    """Return the package of the compilers for a target that run on a host."""
    name = f"g++-{default_gcc(universe)}"
    return name if host is target else f"{name}-{target.triplet.replace('_', '-')}"


def not_of_gcc(universe: Universe) -> set[str]:
    """Return what comes with no compiler, though others depend on it. The host's own libc does."""
    left_out = {name for name in universe.names() if _NOT_OF_GCC.fullmatch(name)} - {"libc6"}
    return {*INTERPRETER_EXCLUDED, *left_out}
