"""Which ELF files of an image something starts or imports, and what is known of those that nothing does.

A file is *started* when Python can import it by its place and name, when it is a program, or when Python code
of its own distribution opens it by name. All that such a file needs (DT_NEEDED) is *reached*. Whatever else
is there only native code could open, perhaps on another machine, perhaps never.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ociwheel.elf.facts import ElfFacts

_FOLDER = re.compile(
    r"(?:.*/)?lib(?:64)?/python(?P<major>3)(?:\.(?P<minor>\d+))?/(?:site-packages|dist-packages|lib-dynload)/(?P<rest>.+)"
)
# importlib.machinery.EXTENSION_SUFFIXES: the interpreter's own tag, the stable ABI, and none.
_MODULE = re.compile(r"(?P<name>[^.]+)(?P<tag>\.cpython-3(?P<minor>\d+)t?(?:-[\w-]+)?|\.abi3(?:t)?|)\.so")

DRIVER_LIBRARIES: tuple[str, ...] = (
    "libcuda.so.1",
    "libcudadebugger.so.1",
    "libnvcuvid.so.1",
    "libnvidia-*.so.*",
    "libnvoptix.so.1",
    "libGLX_nvidia.so.0",
    "libEGL_nvidia.so.0",
)
"""Libraries that the driver of a machine brings, and a container runtime mounts: no package may hold them."""

OPTIONAL_FILES: Mapping[str, tuple[str, ...]] = {
    # numba/np/ufunc/parallel.py tries tbb, then omp, then workqueue, which needs nothing.
    "numba": ("*/numba/np/ufunc/omppool.*", "*/numba/np/ufunc/tbbpool.*"),
    # onnxruntime/__init__.py names one, and hands it to native code; that it fails is a warning.
    "onnxruntime-gpu": ("*/onnxruntime/capi/libonnxruntime_providers_*.so",),
}
"""Files that a distribution tries to import and does without, by its normalized name: globs of paths."""


@dataclass(frozen=True)
class OpenedAtImport:
    """A place in Python code that opens a library when it is imported, and raises where there is none."""

    origin: str
    path: str
    names: tuple[str, ...]
    """What is tried."""


@dataclass(frozen=True)
class Opened:
    """Names of libraries beside calls that open libraries, in Python code."""

    own: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Origin: names of files that its code opens, perhaps of its own."""
    system: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """Origin: for each call, the names that it tries."""
    at_import: tuple[OpenedAtImport, ...] = ()


def importable(facts: ElfFacts) -> bool:
    """Tell whether Python finds a file as an extension module, by its place and name."""
    place = _FOLDER.fullmatch(facts.path)
    if place is None:
        return False
    *packages, name = place["rest"].split("/")
    match = _MODULE.fullmatch(name)
    if match is None or not all(part.isidentifier() for part in (*packages, match["name"])):
        return False
    if match["minor"] and place["minor"] and match["minor"] != place["minor"]:
        return False
    # A library has such a name too, libtorch.so; a module has a function of its name (PEP 489).
    return bool(match["tag"]) or facts.module


def started(facts: ElfFacts, opened: Opened) -> bool:
    """Tell whether something starts, imports or opens a file."""
    is_program = facts.interp is not None and not facts.soname
    by_name = posixpath.basename(facts.path) in opened.own.get(facts.origin, ())
    return is_program or by_name or importable(facts)


def is_driver(library: str) -> bool:
    """Tell whether a library is one that the machine's driver brings."""
    return any(fnmatchcase(library, glob) for glob in DRIVER_LIBRARIES)


def is_optional(facts: ElfFacts) -> bool:
    """Tell whether the file's distribution does without it."""
    name = re.sub(r"[-_.]+", "-", facts.origin.partition(" ")[0]).lower()
    return any(fnmatchcase(f"/{facts.path}", glob) for glob in OPTIONAL_FILES.get(name, ()))


def in_packages(path: str) -> bool:
    """Tell whether a file lies where distributions are installed: one may load it before another needs it."""
    return _FOLDER.fullmatch(path) is not None or "/site-packages/" in path


def merge_opened(documents: Collection[Mapping[str, Mapping[str, Any]]]) -> Opened:
    """Return what the code of all layers opens.

    :param documents: ``opened`` of layer-facts documents.
    """
    own: dict[str, frozenset[str]] = {}
    system: dict[str, tuple[tuple[str, ...], ...]] = {}
    for value in documents:
        for origin, found in value.items():
            own[origin] = own.get(origin, frozenset()) | frozenset(found["files"])
            system[origin] = (*system.get(origin, ()), *(tuple(call) for call in found["calls"]))
    early = (
        OpenedAtImport(origin, call["path"], tuple(call["names"]))
        for value in documents
        for origin, found in value.items()
        for call in found.get("at_import", ())
    )
    return Opened(own, system, tuple(early))
