"""Reads source distributions: unpacking, build requirements, and whether they hold code to compile.

Formats: the source distribution format (PyPA specifications), ``pyproject.toml`` (PEP 517, 518).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ociwheel.errors import BuildError
from ociwheel.formats.folder import Folder
from ociwheel.formats.guard import Guard
from ociwheel.formats.streams import open_file
from ociwheel.formats.tar import TarReader
from ociwheel.formats.zip import open_zip
from ociwheel.reading import DocumentLimits
from ociwheel.reading_toml import parse_toml
from ociwheel.wording import quoted

# PEP 518: "If the pyproject.toml file is absent [or lacks build-system] … tools should use
# setuptools"; PEP 517: with the legacy backend.
_DEFAULT_REQUIRES = ("setuptools>=40.8.0", "wheel")
_DEFAULT_BACKEND = "setuptools.build_meta:__legacy__"
_MOST_TEXT_BYTES = 1 << 18
"""Bytes of a text of an sdist: the largest `pyproject.toml` of known projects have a fifth of that."""
_SOURCES = (".c", ".cc", ".cpp", ".cxx", ".pyx", ".pyf", ".f90", ".f", ".rs", ".go", ".m", ".mm")
_NOT_SHIPPED = re.compile(
    r"(^|/)(tests?|testing|testdata|docs?|examples?|samples?|demos?|benchmarks?|benches|bench|fuzz(ing|er)?|"
    r"tools?|scripts?|contrib|\.github|ci|node_modules)(/|$)",
    re.IGNORECASE,
)
# How a project says that it has something to compile.
_DECLARATIONS = {
    "setup.py": re.compile(
        r"ext_modules|cffi_modules|rust_extensions|cythonize\(|\bExtension\(|mypycify|build_clib|libraries\s*="
    ),
    "setup.cfg": re.compile(r"ext_modules|cffi_modules"),
    "pyproject.toml": re.compile(
        r"ext-modules|rust-extensions|cffi[-_]modules|maturin|mesonpy|meson-python|scikit[-_]build|hatch-cython|"
        r"hatch-mypyc|cython",
        re.IGNORECASE,
    ),
}


@dataclass(frozen=True)
class BuildSystem:
    """The ``[build-system]`` table, with the defaults filled in."""

    requires: tuple[str, ...]
    backend: str
    backend_path: tuple[str, ...]

    @property
    def cargo(self) -> bool:
        """The project is compiled by cargo."""
        text = " ".join((self.backend, *self.requires)).lower()
        return "maturin" in text or "setuptools-rust" in text or "setuptools_rust" in text

    @property
    def meson(self) -> bool:
        """The project is compiled by meson."""
        return self.backend.startswith("mesonpy")


def unpack(sdist: Path, folder: Path) -> Path:
    """Unpack an sdist and return its single top folder.

    Modes and times are those of a plain checkout, whatever the archive and the umask say.

    :raises BuildError: the archive is damaged, leaves its folder, or has no single top folder.
    """
    guard = Guard(sdist.name, BuildError)
    with Folder(folder, guard) as output:
        if sdist.name.endswith(".zip"):
            _unpack_zip(sdist, output, guard)
        else:
            _unpack_tar(sdist, output, guard)
    # git's archives, read by a tool that does not know pax, leave a file of this name.
    top = {name: is_folder for name, is_folder in output.top().items() if name != "pax_global_header"}
    if list(top.values()) != [True]:
        names = ", ".join(quoted(name) for name in sorted(top)[:5]) or "nothing"
        raise guard.refuse(f"an sdist holds one folder, this one holds {names}")
    return folder / next(iter(top))


def _unpack_tar(sdist: Path, folder: Folder, guard: Guard) -> None:
    with sdist.open("rb") as file:
        tar = TarReader(open_file(file, guard), guard)
        for entry in tar:
            if not entry.path:
                continue
            if entry.kind == "dir":
                folder.make_folder(entry.path)
            elif entry.kind == "symlink":
                folder.link(entry.path, entry.target)
            elif entry.kind == "hardlink":
                folder.second_name(entry.path, entry.target)
            elif entry.kind == "file":
                folder.write(entry.path, tar.chunks(), executable=bool(entry.mode & 0o100))
            else:
                raise guard.refuse(f"the entry {quoted(entry.path)} is a device or a pipe")


def _unpack_zip(sdist: Path, folder: Folder, guard: Guard) -> None:
    with open_zip(sdist, guard) as archive:
        for entry in archive.entries:
            if entry.is_folder:
                folder.make_folder(entry.path)
            else:
                folder.write(entry.path, archive.chunks(entry), executable=entry.executable)


def build_system(source: Path) -> BuildSystem:
    """Read the ``[build-system]`` table of an unpacked sdist.

    :raises BuildError: ``pyproject.toml`` is no TOML, or the table is not as PEP 518 says.
    """
    path = source / "pyproject.toml"
    if not path.is_file():
        return BuildSystem(_DEFAULT_REQUIRES, _DEFAULT_BACKEND, ())
    guard = Guard("pyproject.toml", BuildError)
    with path.open("rb") as file:
        data = file.read(_MOST_TEXT_BYTES + 1)
    with guard.reading():
        table = parse_toml(data, DocumentLimits(size=_MOST_TEXT_BYTES)).get("build-system")
    if table is None:
        return BuildSystem(_DEFAULT_REQUIRES, _DEFAULT_BACKEND, ())
    if not isinstance(table, dict) or not _is_texts(table.get("requires")):
        raise guard.refuse("[build-system] has no list of requirements in `requires`")
    requires, backend, backend_path = table["requires"], table.get("build-backend"), table.get("backend-path")
    if backend is None:
        return BuildSystem(tuple(requires), _DEFAULT_BACKEND, ())
    if not isinstance(backend, str) or not (backend_path is None or _is_texts(backend_path)):
        raise guard.refuse("[build-system] has a `build-backend` or `backend-path` of another type")
    return BuildSystem(tuple(requires), backend, tuple(backend_path or ()))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def native_sources(source: Path) -> tuple[str, ...]:
    """Return the files to compile that an sdist declares and would ship, relative to it, sorted.

    Empty when the project has no declaration of an extension: a stray ``.c`` file below tests, or a
    Windows launcher, makes no project native.
    """
    if not _declares_extensions(source):
        return ()
    found = []
    for folder, _, names in os.walk(source):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.splitext(name)[1] in _SOURCES and os.path.isfile(path):
                found.append(os.path.relpath(path, source))
    return tuple(sorted(name for name in found if not _NOT_SHIPPED.search(name)))


def _declares_extensions(source: Path) -> bool:
    for name, pattern in _DECLARATIONS.items():
        path = source / name
        if path.is_file():
            with path.open(encoding="utf-8", errors="replace") as file:
                if pattern.search(file.read(_MOST_TEXT_BYTES)):
                    return True
    return any((source / name).is_file() for name in ("Cargo.toml", "CMakeLists.txt"))
