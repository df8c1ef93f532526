"""What the gcc of a base only warns of and clang refuses: a build must not fail where gcc's would not.

What counts is the base's compiler, not the age of ours. What is a warning to gcc 12 is an error to gcc 14.
"""

from __future__ import annotations

from pathlib import Path

from ociwheel.base.sysroot_runtime import gcc_folders
from ociwheel.target import Target

# The changes of gcc 14 ("Porting to GCC 14"): errors from then on.
_UNTIL_GCC_13 = (
    "implicit-function-declaration",
    "implicit-int",
    "incompatible-function-pointer-types",
    "incompatible-pointer-types",
    "int-conversion",
    "return-mismatch",
)
# C++, where clang refuses what each gcc warns of.
_ALWAYS = ("c++11-narrowing", "register", "reserved-user-defined-literal")
# The newest glibc of a distribution whose gcc is 13 or older: Ubuntu 24.04. Debian 13 has 2.41 and gcc 14.
_GLIBC_OF_GCC_13 = (2, 39)
_FIRST_STRICT = 14


def gcc_version(sysroot: Path, target: Target) -> int:
    """Return the major version of the base's gcc: what is in the sysroot, else what came with the libc."""
    found = gcc_folders(sysroot)
    if found:
        return int(found[-1].name.partition(".")[0])
    if target.libc == "glibc":
        return 13 if target.libc_version <= _GLIBC_OF_GCC_13 else _FIRST_STRICT
    return 13  # musl's release says little; to be too lenient costs a warning


def lenient_flags(gcc: int) -> tuple[str, ...]:
    """Return clang's flags that make it as lenient as a gcc.

    :param gcc: its major version.
    """
    names = (*(_UNTIL_GCC_13 if gcc < _FIRST_STRICT else ()), *_ALWAYS)
    return tuple(f"-Wno-error={name}" for name in names)
