"""Builds sdists by the core's steps and by Debian's gcc, and reads what their modules need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from bench.speed.inputs import Sdist, fetch_sdists
from bench.table.workshop import Workshop, say
from ociwheel.build.checks import read_wheel

_SCM = ("packaging==26.3", "setuptools==80.9.0", "setuptools_scm==9.2.2", "wheel==0.45.1")
SDISTS = (
    Sdist("greenlet", "3.5.6", "8e67c43bdfc88d5fee6db0d3e40175b362fc95fb85f0412d233b9b203c53a575"),
    Sdist(
        "kiwisolver",
        "1.5.1",
        "f1303ef2eec81262a4b708c3e858afe58d7c75ad91c1c05266eda7673369859a",
        (*_SCM, "cppy==1.3.1"),
    ),
    Sdist(
        "lz4",
        "4.4.5",
        "5f0b9e53c1e82e88c10d7c180069363980136b9d7a8306c4dca4f760d60c39f0",
        (*_SCM, "pkgconfig==1.6.0"),
    ),
    Sdist("msgpack", "1.2.4", "475c44e12f2a5de766a8448783f149c9b33f3f49b88953c6cd739a77d93c732c"),
    Sdist("psutil", "7.2.2", "0746f5f8d406af344fd547f1c8daa5f5c33dbc293bb8d6a16d80b4bb88f59372"),
    Sdist("ujson", "6.1.0", "aef7ea4cd9e2e9f8a35c4538a9780d58c80d76c5da66a8dad269b4cc6d930c29", _SCM),
)
IMPORTS = {"lz4": "lz4.frame"}
"""The module that a distribution's test imports, where it is not its name."""
PYTHON = "/usr/bin/python3"
"""Debian's own: its variables name the compiler that a native build calls."""
_EMULATORS = {"linux/arm64": "qemu-aarch64-static", "linux/arm/v7": "qemu-arm-static"}

Needed = Mapping[str, tuple[str, ...]]
"""By module, without the machine in its name, the libraries that its ELF file names, sorted."""


class NativeWorkshop(Workshop):
    """The content that builds stand on: the example's base."""

    def __init__(self, root: Path, work: Path) -> None:
        super().__init__(root, work)
        self._lock = root / "3rdparty/debian/bookworm-py311.lock"

    @property
    def base_lock(self) -> Path:
        """The Debian packages."""
        return self._lock


@dataclass(frozen=True)
class Cross:
    """A wheel that the core built."""

    needed: Needed
    wheel: Path


def fetch(workshop: NativeWorkshop, sdists: tuple[Sdist, ...]) -> None:
    """Fetch the sdists and what their builds require."""
    workshop.toolbox()
    fetch_sdists(sdists, workshop.work)


def build_cross(workshop: NativeWorkshop, sdist: Sdist, platform: str) -> Cross:
    """Build an sdist for a platform as the backend does.

    :raises StepFailedError: it does not build.
    """
    say(f"{platform}: {sdist.name}")
    folder = workshop.work / "cross" / platform / sdist.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"name": sdist.name, "version": sdist.version}))
    answer = workshop.steps.step(
        *("build", "--sdist", workshop.work / "sdists" / sdist.filename),
        *("--target", workshop.target(platform), "--sysroot", workshop.sysroot(platform)),
        *("--requirements", workshop.work / "requirements" / sdist.name, "--zig", workshop.zig),
        *("--tools", workshop.tools(rust=False), "--settings", "settings.json", "--output", "out"),
        cwd=folder,
        interpreter=workshop.interpreter,
    )
    return Cross(
        {_module(fact["path"]): tuple(sorted(fact["needed"])) for fact in answer["elf"]},
        folder / "out" / answer["filename"],
    )


def build_native(workshop: NativeWorkshop, sdist: Sdist) -> Needed:
    """Build an sdist as pip does where there are a compiler and headers.

    :raises subprocess.CalledProcessError: it does not build.
    """
    say(f"native: {sdist.name}")
    folder = workshop.work / "native" / sdist.name
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([PYTHON, "-m", "venv", folder / "venv"], check=True)
    pip: list[str | Path] = [folder / "venv/bin/python", "-m", "pip", "--disable-pip-version-check", "-q"]
    requirements = sorted((workshop.work / "requirements" / sdist.name).glob("*.whl"))
    subprocess.run([*pip, "install", "--no-index", "--no-deps", *requirements], check=True)
    source = workshop.work / "sdists" / sdist.filename
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "out")
    env = {"PATH": f"{folder}/venv/bin:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    subprocess.run([*pip, "wheel", *options, source], check=True, env=env)
    (wheel,) = (folder / "out").glob("*.whl")
    facts = read_wheel(wheel, sdist.name, sdist.version).elf
    return {_module(fact.path): tuple(sorted(fact.needed)) for fact in facts}


def taken_from(workshop: NativeWorkshop, cross: Cross, module: str, library: str) -> tuple[str, ...]:
    """Return the symbols that a module for this machine takes from a library of the base, sorted."""
    with zipfile.ZipFile(cross.wheel) as archive:
        (name,) = [n for n in archive.namelist() if _module(n) == module]
        file = Path(archive.extract(name, cross.wheel.parent / "modules"))
    folder = workshop.root(workshop.host) / f"usr/lib/{os.uname().machine}-linux-gnu"
    return tuple(sorted({*_symbols(file, defined=False)} & {*_symbols(folder / library, defined=True)}))


def _symbols(file: Path, *, defined: bool) -> Iterable[str]:
    with file.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".dynsym")
        if isinstance(table, SymbolTableSection):
            for symbol in table.iter_symbols():
                if symbol.name and (symbol["st_shndx"] != "SHN_UNDEF") is defined:
                    yield symbol.name


def _module(path: str) -> str:
    return path.partition(".cpython-")[0].partition(".abi3")[0]


def try_import(workshop: NativeWorkshop, sdist: Sdist, cross: Cross, platform: str) -> str:
    """Import what was built with the base's Python, in QEMU for another machine; return what went wrong."""
    site = cross.wheel.parent / "site"
    with zipfile.ZipFile(cross.wheel) as archive:
        archive.extractall(site)
    root = workshop.root(platform)
    python = root / f"usr/bin/python{workshop.minor}"
    emulator = [] if platform == workshop.host else [_EMULATORS[platform], "-L", str(root)]
    if not emulator:
        libraries = root / f"usr/lib/{os.uname().machine}-linux-gnu"
        emulator = [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries)]
    code = f"import sys; sys.path.insert(0, {str(site)!r}); import {IMPORTS.get(sdist.name, sdist.name)}"
    done = subprocess.run(
        [*emulator, str(python), "-I", "-S", "-B", "-c", code],
        env={"LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return "" if done.returncode == 0 else (done.stderr or f"exit code {done.returncode}").strip()
