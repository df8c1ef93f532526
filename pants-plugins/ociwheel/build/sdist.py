"""Reads source distributions: unpacking, build requirements, and whether they hold code to compile.

Formats: the source distribution format (PyPA specifications), ``pyproject.toml`` (PEP 517, 518).
"""

from __future__ import annotations

import re
import shutil
import stat
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ociwheel.errors import BuildError

# PEP 518: "If the pyproject.toml file is absent [or lacks build-system] … tools should use
# setuptools"; PEP 517: with the legacy backend.
_DEFAULT_REQUIRES = ("setuptools>=40.8.0", "wheel")
_DEFAULT_BACKEND = "setuptools.build_meta:__legacy__"
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


def unpack(sdist: Path, folder: Path) -> Path:
    """Unpack an sdist and return its single top folder.

    Modes and times are those of a plain checkout, whatever the archive and the umask say.

    :raises BuildError: the archive is damaged, leaves its folder, or has no single top folder.
    """
    folder.mkdir(parents=True)
    try:
        if sdist.name.endswith(".zip"):
            _unpack_zip(sdist, folder)
        else:
            _unpack_tar(sdist, folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, KeyError, OSError) as e:
        raise BuildError(f"cannot be unpacked: {e}", where=sdist.name) from e
    entries = [entry for entry in folder.iterdir() if entry.name != "pax_global_header"]
    if len(entries) != 1 or not entries[0].is_dir():
        names = ", ".join(sorted(entry.name for entry in entries)) or "nothing"
        raise BuildError(f"an sdist holds one folder, this one holds {names}", where=sdist.name)
    _normalize_modes(entries[0])
    return entries[0]


def _unpack_tar(sdist: Path, folder: Path) -> None:
    """Unpack what PEP 721's "data" filter would let through.

    Debian's Python 3.11.2, which runs builds, is older than that filter.
    """
    with tarfile.open(sdist) as archive:
        for member in archive:
            parts = PurePosixPath(member.name).parts
            if ".." in parts or member.name.startswith("/"):
                raise BuildError(f"the entry {member.name!r} would leave its folder", where=sdist.name)
            path = folder / member.name
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.parent.resolve().is_relative_to(folder.resolve()):
                raise BuildError(f"the entry {member.name!r} would leave its folder", where=sdist.name)
            if member.issym():
                _link(path, member, folder, sdist)
                continue
            # A hard link is a second copy: extractfile follows it.
            source = archive.extractfile(member) if member.isfile() or member.islnk() else None
            if source is None:
                raise BuildError(f"the entry {member.name!r} is a device or a pipe", where=sdist.name)
            path.unlink(missing_ok=True)
            with source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
            path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _link(path: Path, member: tarfile.TarInfo, folder: Path, sdist: Path) -> None:
    goal = path.parent / member.linkname
    if member.linkname.startswith("/") or not goal.resolve().is_relative_to(folder.resolve()):
        raise BuildError(f"the link {member.name!r} would leave its folder", where=sdist.name)
    path.unlink(missing_ok=True)
    path.symlink_to(member.linkname)


def _unpack_zip(sdist: Path, folder: Path) -> None:
    with zipfile.ZipFile(sdist) as archive:
        for info in archive.infolist():
            parts = PurePosixPath(info.filename).parts
            linked = stat.S_ISLNK(info.external_attr >> 16)
            if ".." in parts or info.filename.startswith("/") or "\\" in info.filename or linked:
                raise BuildError(f"the entry {info.filename!r} would leave its folder", where=sdist.name)
            path = folder / info.filename
            if info.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
            path.chmod(0o755 if info.external_attr >> 16 & 0o100 else 0o644)


def _normalize_modes(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        if path.is_symlink():
            continue
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)


def build_system(source: Path) -> BuildSystem:
    """Read the ``[build-system]`` table of an unpacked sdist.

    :raises BuildError: ``pyproject.toml`` is no TOML, or the table is not as PEP 518 says.
    """
    path = source / "pyproject.toml"
    if not path.is_file():
        return BuildSystem(_DEFAULT_REQUIRES, _DEFAULT_BACKEND, ())
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("build-system")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise BuildError(f"is not TOML: {e}", where="pyproject.toml") from e
    if table is None:
        return BuildSystem(_DEFAULT_REQUIRES, _DEFAULT_BACKEND, ())
    requires = table.get("requires") if isinstance(table, dict) else None
    if not isinstance(requires, list) or not all(isinstance(r, str) for r in requires):
        raise BuildError("[build-system] has no list of requirements in `requires`", where="pyproject.toml")
    backend = table.get("build-backend")
    if backend is None:
        return BuildSystem(tuple(requires), _DEFAULT_BACKEND, ())
    return BuildSystem(tuple(requires), str(backend), tuple(table.get("backend-path", ())))


def native_sources(source: Path) -> tuple[str, ...]:
    """Return the files to compile that an sdist declares and would ship, relative to it, sorted.

    Empty when the project has no declaration of an extension: a stray ``.c`` file below tests, or a
    Windows launcher, makes no project native.
    """
    if not _declares_extensions(source):
        return ()
    found = []
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if path.suffix in _SOURCES and path.is_file() and not _NOT_SHIPPED.search(name):
            found.append(name)
    return tuple(found)


def _declares_extensions(source: Path) -> bool:
    for name, pattern in _DECLARATIONS.items():
        path = source / name
        if path.is_file() and pattern.search(path.read_text(encoding="utf-8", errors="replace")):
            return True
    return any((source / name).is_file() for name in ("Cargo.toml", "CMakeLists.txt"))
