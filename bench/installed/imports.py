"""What of an image can be imported, in the image's own root: the truth that its audit is held against."""

from __future__ import annotations

import csv
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 600
_SCRATCH = "/run"
"""A folder that a module may write to."""
LIBRARY = re.compile(
    r"(?P<name>lib[\w.+-]+\.so[\w.]*): cannot open shared object|cannot load library '(?P<other>[^']+)'"
    r"|version `[^']+' not found"
)
"""What the loader, or cffi, says of a library that it does not find."""
_EXCEPTION = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Exit|Warning|Failure): ")


@dataclass(frozen=True)
class Imported:
    """What came of one module.

    :param error: the exception that Python told last, in its own words; empty where it was imported.
    """

    distribution: str
    module: str
    error: str

    @property
    def library(self) -> str | None:
        """The library that was missing, None where it was something else."""
        found = LIBRARY.search(self.error)
        return None if found is None else found["name"] or found["other"] or found[0]


def modules(site: Path) -> Iterator[tuple[str, str]]:
    """Yield distribution and name of each top-level module that an environment has."""
    for record in sorted(site.glob("*.dist-info/RECORD")):
        distribution = record.parent.name.split("-")[0]
        names = set()
        for row in csv.reader(record.read_text(encoding="utf-8").splitlines()):
            first, slash, rest = row[0].partition("/")
            if slash and rest.endswith((".py", ".so")) and first.isidentifier() and first != "__pycache__":
                names.add(first)
            elif not slash and first.endswith((".py", ".so")):
                names.add(first.split(".")[0])
        for name in sorted(name for name in names if name.isidentifier()):
            yield distribution, name


def in_root(root: Path) -> tuple[str, ...]:
    """Return what a command is prefixed with, to have the image as its root and no network."""
    return (
        *("bwrap", "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", _SCRATCH),
        *("--unshare-all", "--die-with-parent", "--clearenv", "--setenv", "HOME", _SCRATCH),
        *("--setenv", "PATH", "/app/bin:/usr/bin:/bin", "--chdir", _SCRATCH),
    )


def import_one(root: Path, distribution: str, module: str) -> Imported:
    """Import one module in a process of its own."""
    code = f"import importlib; importlib.import_module({module!r})"
    command = [*in_root(root), "/app/bin/python", "-c", code]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return Imported(distribution, module, f"not imported within {_SECONDS} seconds")
    if done.returncode == 0:
        return Imported(distribution, module, "")
    return Imported(distribution, module, said(done.stderr) or f"exit {done.returncode}")


def said(stderr: str) -> str:
    """Return the exception that Python told last: its line, and the next too where that ends with a colon."""
    lines = [line.rstrip() for line in stderr.splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if _EXCEPTION.match(line)]
    if not starts:
        return lines[-1] if lines else ""
    first = lines[starts[-1]]
    following = lines[starts[-1] + 1 :] if first.endswith(":") else []
    return " ".join([first, *(line.strip() for line in following[:1])])


def import_all(root: Path, minor: str, jobs: int = 2) -> tuple[Imported, ...]:
    """Import every top-level module of an unpacked image."""
    site = root / f"app/lib/python{minor}/site-packages"
    with ThreadPoolExecutor(jobs) as threads:
        return tuple(threads.map(lambda one: import_one(root, *one), modules(site)))
