"""Parts of an image as ordinary folder trees: a sysroot for the compiler, a Python for this machine.

The image is never run. Links are followed inside the image only.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ociwheel.base.image_files import ImageFiles
from ociwheel.base.inspect_image import Program, find_python
from ociwheel.base.interpreter import finish_interpreter
from ociwheel.base.merge import merged_path
from ociwheel.base.sysroot import merged_links, one_case
from ociwheel.base.tree import write_tree
from ociwheel.base.venv import PROGRAM_FOLDER
from ociwheel.debian.policy import DROPPED_STDLIB
from ociwheel.elf.reader import read_facts
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry
from ociwheel.platforms import Platform

_ORIGIN = "the base image"
_LIB = r"usr/(?:local/)?lib/"
_ENDS = r"\.(?:so|so\.[\d.]+|a|h|hh|hpp|inc|pc|cmake)"
SYSROOT_KEPT = (
    r"usr/(?:local/)?include/.+",
    # By name: what links, and what is included or asked beside libraries.
    rf"{_LIB}(?!(?:python3|gcc|git-core|llvm|perl|ruby|systemd|udev|debug)[^/]*/)(?!.*/(?:gconv|perl)/).+{_ENDS}",
    rf"{_LIB}(?:[^/]+/)?\w*crt\w*\.o",
    # Of gcc's own folder its runtime, and neither the compiler nor what -fsanitize links to.
    r"usr/lib/gcc/[^/]+/[\d.]+/(?!lib(?:asan|hwasan|itm|lsan|tsan|ubsan)[._])(?:crt\w+\.o|lib[^/]+\.(?:a|so|spec))",
    r"usr/lib(?:32|64|x32)/ld[^/]*",
    r"usr/(?:local/)?share/(?:pkgconfig|cmake[^/]*)/.+",
    r"usr/(?:local/)?bin/[^/]*config[^/]*",
    rf"{_LIB}python3\.[0-9]+/_sysconfigdata_[^/]*\.py",
    rf"{_LIB}python3\.[0-9]+/config-[^/]+/(?!.*\.a$).+",
)
"""What compiling needs of a builder image, as patterns of the whole path on a system with merged ``/usr``."""

# Parts of libc and of gcc's runtime, where an image has not all of both: zig's stand in for them, and nothing
# of another may lie beside those.
_RUNTIME = (
    r"lib(?:BrokenLocale|anl|c|c_malloc_debug|c_nonshared|dl|g|m|m-[\d.]+|mcheck|mvec|mvec_nonshared|nss_\w+"
    r"|pthread|pthread_nonshared|resolv|rt|thread_db|util|xnet|c\.musl-[^.]+|ssp_nonshared)"
    r"|lib(?:asan|atomic|gcc|gcc_eh|gcc_s|gomp|itm|lsan|quadmath|ssp|stdc\+\+|stdc\+\+fs|supc\+\+|tsan|ubsan)"
)
_PART_OF_RUNTIME = re.compile(
    rf"{_LIB}(?:[^/]+/)?(?:(?:{_RUNTIME})\.(?:so|a)(?:\.[\d.]+)?|ld-[^/]+|[^/]*crt\w*\.o)"
    r"|usr/lib(?:32|64|x32)/ld[^/]*|usr/lib/gcc/.+|usr/(?:local/)?include/(?:[^/]+/)?c\+\+/.+"
)
_KEPT = re.compile("|".join(SYSROOT_KEPT))
_STDLIB_DROPPED = re.compile(
    rf"(?:{'|'.join(DROPPED_STDLIB)}|site-packages|dist-packages|config-[^/]+)(?:/.*)?|(?:.*/)?__pycache__(?:/.*)?"
)
_SHARED = re.compile(r"[^/]+\.so(?:\.[\w.]+)?")


def write_image_sysroot(
    image: ImageFiles, scratch: Path, output: Path, where: str, path: str | None = None
) -> None:
    """Write what compiling needs of a builder image below ``output``.

    :param scratch: an empty folder.
    :param path: folders to look for Python before the usual ones.
    :raises BaseError: it has no Python.
    """
    python = find_python(image.filesystem, path, where)
    prefix = posixpath.dirname(posixpath.dirname(python.stdlib))

    def move(path: str) -> str:
        if prefix not in {"usr", "usr/local"} and path.startswith(f"{prefix}/"):
            path = "usr/local/" + path.removeprefix(f"{prefix}/")
        return merged_path(path)

    def keep(path: str) -> bool:
        return _KEPT.fullmatch(path) is not None

    placed = place(image, move, keep, scratch)
    shared = {path for path in placed if path.endswith(".so")}
    # Static libraries of gcc's are asked for by flags of their own, -static-libstdc++.
    kept = {
        path: item
        for path, item in placed.items()
        if "/gcc/" in path or not (path.endswith(".a") and f"{path[:-2]}.so" in shared)
    }
    if not any(path.endswith(f"include/python{python.minor}/Python.h") for path in kept):
        raise BaseError(
            f"the builder image has no Python.h of Python {python.minor}",
            where=where,
            hint="name an image with Python's headers in the field `builder_image`, such as python:3.11",
        )
    if not any(path.endswith("/crtbeginS.o") for path in kept):
        kept = {path: item for path, item in kept.items() if not _PART_OF_RUNTIME.fullmatch(path)}
    write_tree({**one_case(kept), **merged_links(kept)}, output)


def write_image_interpreter(
    image: ImageFiles,
    row: Platform,
    minor: str,
    scratch: Path,
    output: Path,
    *,
    where: str,
    path: str | None = None,
) -> None:
    """Write a Python that runs from any folder.

    :param row: the platform of the machine that will run it.
    :param minor: the version it must have.
    :param path: folders to look for it before the usual ones.
    :raises BaseError: the image has another Python, or one that is not linked with glibc.
    """
    files = image.filesystem
    python = find_python(files, path, where)
    if python.minor != minor:
        raise BaseError(f"has Python {python.minor}, not {minor}", where=where)
    layout = _InterpreterLayout(python, row)
    placed = place(image, layout.move, layout.keep, scratch)
    program = f"{PROGRAM_FOLDER}/python{minor}"
    source = placed[program].source
    facts = read_facts(source, program, where) if isinstance(source, Path) else None
    loader = files.file(facts.interp) if facts and facts.interp else None
    if facts is None or loader is None or "ld-musl" in str(facts.interp):
        raise BaseError(
            f"its Python cannot run from another folder: its loader is {facts.interp if facts else None}",
            where=where,
        )
    finish_interpreter(placed, row, minor, layout.move(loader.path), output)


@dataclass(frozen=True)
class _InterpreterLayout:
    """Where things of an image go in the tree of an interpreter."""

    python: Program
    row: Platform

    def move(self, path: str) -> str:
        minor = self.python.minor
        if path == self.python.row.path:
            return f"{PROGRAM_FOLDER}/python{minor}"
        if path.startswith(f"{self.python.stdlib}/"):
            return f"usr/lib/python{minor}/{path.removeprefix(self.python.stdlib + '/')}"
        own = posixpath.dirname(self.python.stdlib)
        if own not in {"usr/lib", "lib"} and posixpath.dirname(path) == own:
            return f"usr/lib/{posixpath.basename(path)}"
        return merged_path(path)

    def keep(self, path: str) -> bool:
        stdlib = f"usr/lib/python{self.python.minor}/"
        if path.startswith(stdlib):
            return not _STDLIB_DROPPED.fullmatch(path.removeprefix(stdlib))
        if path == f"{PROGRAM_FOLDER}/python{self.python.minor}":
            return True
        folders = {"usr/lib", "usr/lib64", f"usr/lib/{self.row.triplet}"}
        return posixpath.dirname(path) in folders and _SHARED.fullmatch(posixpath.basename(path)) is not None


def place(
    image: ImageFiles, move: Callable[[str], str], keep: Callable[[str], bool], scratch: Path
) -> Mapping[str, Entry]:
    """Return the files and links of an image that are kept, at the places they are moved to.

    A link to a file that is not kept becomes that file. A link to nothing is left out.

    :param move: from a path in the image to one in the tree.
    :param keep: says of a path in the tree that it is kept.
    """
    files = image.filesystem
    chosen: dict[str, Entry] = {}
    links: dict[str, str] = {}
    for path, row in sorted(files.entries.items()):
        place_of = move(path)
        if row.kind == "dir" or not keep(place_of):
            continue
        if row.kind == "file":
            chosen[place_of] = row
            continue
        end = files.resolve(path)
        target = files.entries.get(end) if end else None
        if end is None:
            continue
        if target is not None and target.kind == "file" and not keep(move(end)):
            chosen.setdefault(place_of, target)
        elif move(end) != place_of:
            links[place_of] = move(end)
    content = image.extract(chosen.values(), scratch)
    placed = {
        path: replace(row, path=path, source=content[row.source], origin=_ORIGIN)
        for path, row in chosen.items()
    }
    for path, end in links.items():
        if path not in placed:
            placed[path] = Entry(path, "symlink", 0o777, target=f"/{end}", origin=_ORIGIN)
    return placed
