"""Numpy's headers in the environment of a build: they come from a wheel for the machine that builds.

Their sizes of C types are those of that machine. A 64-bit one has the same as every 64-bit target of
Debian's, so that only a 32-bit one is told its own: else ``npy_int64`` would be a ``long`` of four bytes.
"""

from __future__ import annotations

import re
from pathlib import Path

from ociwheel.platforms import Platform

# Of numpy 2 and of numpy 1.
_HEADERS = ("numpy/_core/include/numpy/_numpyconfig.h", "numpy/core/include/numpy/_numpyconfig.h")
# The compiler's own, so that no table of ours can be wrong.
_SIZES = {
    "LONG": "__SIZEOF_LONG__",
    "LONGDOUBLE": "__SIZEOF_LONG_DOUBLE__",
    "COMPLEX_LONGDOUBLE": "(2 * __SIZEOF_LONG_DOUBLE__)",
    "PY_INTPTR_T": "__SIZEOF_POINTER__",
    "INTP": "__SIZEOF_POINTER__",
    "UINTP": "__SIZEOF_POINTER__",
}
_DEFINED = re.compile(r"^(?P<name>[ \t]*#[ \t]*define[ \t]+NPY_SIZEOF_(?P<type>\w+)[ \t]+)\d+", re.MULTILINE)


def write_sizes(site_packages: Path, platform: Platform) -> None:
    """Have the sizes in numpy's headers, where there are any, be those of a target."""
    if platform.elf_class != 32:
        return
    for name in _HEADERS:
        header = site_packages / name
        if header.is_file():
            text = _DEFINED.sub(_defined, header.read_text(encoding="utf-8"))
            header.unlink()  # it may be a link into content
            header.write_text(text, encoding="utf-8")


def _defined(match: re.Match[str]) -> str:
    size = _SIZES.get(match["type"])
    return f"{match['name']}{size}" if size else match[0]
