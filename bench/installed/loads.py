"""What an image's own loader says of its files: the truth that the audit's errors are held against."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.installed.imports import LIBRARY, in_root
from ociwheel.elf.audit import Report
from ociwheel.elf.facts import ELF_MAGIC, ElfFacts
from ociwheel.elf.reached import Opened, started
from ociwheel.elf.reader import read_facts
from ociwheel.layer.opened import opened_names

# Each file in a process of its own: what one has loaded is there for the next. A program is not run, the
# loader lists its libraries (ld.so(8), LD_TRACE_LOADED_OBJECTS).
_PROBE = """\
import ctypes, json, os, signal, sys

def attempt(path, program):
    signal.alarm(100)
    if program:
        os.dup2(1, 2)
        try:
            os.execve(path, [path], {"LD_TRACE_LOADED_OBJECTS": "1"})
        except OSError as error:
            return f"cannot open shared object file: {error}"
    try:
        ctypes.CDLL(path)
    except OSError as error:
        return str(error)
    return ""

for path, program in json.load(sys.stdin):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 1)
        os.close(read)
        os.write(1, attempt(path, program).encode())
        os._exit(0)
    os.close(write)
    with open(read, errors="replace") as said:
        text = said.read()
    status = os.waitpid(child, 0)[1]
    print(json.dumps([path, text, status]), flush=True)
"""
_LACKS = re.compile(r"cannot open shared object file|=> not found|version `[^']+' not found|wrong ELF class")

OUTCOMES = (
    "loaded",
    "refused, not loaded",
    "noted, not loaded",
    "refused, loaded",
    "not refused, not loaded",
    "fails otherwise",
)
"""Of :attr:`Loaded.kind`."""


@dataclass(frozen=True)
class Loaded:
    """What came of one file that Python imports or opens, or that is a program.

    :param refused: the audit has an error about it, or about the library that it lacks.
    :param noted: the audit has a note about it.
    :param said: what the loader said where it did not load the file, empty where it did.
    """

    path: str
    refused: bool
    noted: bool
    said: str

    @property
    def kind(self) -> str:
        """How the audit's word and the loader's stand to each other."""
        lacks = _LACKS.search(self.said) is not None
        if self.refused:
            return "refused, not loaded" if lacks else "refused, loaded"
        if not self.said:
            return "loaded"
        if not lacks:
            return "fails otherwise"
        return "noted, not loaded" if self.noted else "not refused, not loaded"


def opened_by(site: Path) -> Opened:
    """Return the names of files that the Python code of each distribution opens."""
    own: dict[str, frozenset[str]] = {}
    for record in sorted(site.glob("*.dist-info/RECORD")):
        rows = csv.reader(record.read_text(encoding="utf-8").splitlines())
        names = [row[0] for row in rows if row and row[0].endswith(".py") and (site / row[0]).is_file()]
        found = opened_names({name: (site / name).read_bytes for name in names}, site.as_posix())
        if found:
            own[record.parent.name] = found.files
    return Opened(own)


def _owners(site: Path) -> Mapping[str, str]:
    owners = {}
    for record in site.glob("*.dist-info/RECORD"):
        for row in csv.reader(record.read_text(encoding="utf-8").splitlines()):
            if row:
                owners[row[0]] = record.parent.name
    return owners


def _elf_files(root: Path, site: Path) -> Iterator[ElfFacts]:
    owners = _owners(site)
    for path in sorted((root / "app").rglob("*")):
        if path.is_symlink() or not path.is_file() or not _is_elf(path):
            continue
        owner = owners.get(path.relative_to(site).as_posix(), "") if path.is_relative_to(site) else ""
        facts = read_facts(path, path.relative_to(root).as_posix(), owner, note=lambda _: None)
        if facts is not None:
            yield facts


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ELF_MAGIC)) == ELF_MAGIC


def load_all(root: Path, minor: str, audit: Report | None) -> list[Loaded]:
    """Load each file that something starts, and each that the audit has an error about.

    :param root: an unpacked image.
    :param audit: what the audit found, ``None`` for no error and no note.
    """
    site = root / f"app/lib/python{minor}/site-packages"
    opened = opened_by(site)
    refused = {fault.path for fault in audit.faults} if audit else set()
    noted = {fault.path for fault in audit.noted} if audit else set()
    wanted = [f for f in _elf_files(root, site) if f.path in refused or started(f, opened)]
    said = dict(_probe(root, [(f"/{f.path}", f.interp is not None and not f.soname) for f in wanted]))
    lacking = {fault.library for fault in audit.faults} if audit else set()
    return [
        Loaded(f.path, f.path in refused or missing(text) in lacking, f.path in noted, text)
        for f, text in ((f, said[f"/{f.path}"]) for f in wanted)
    ]


def missing(said: str) -> str | None:
    """Return the library that the loader did not find, ``None`` where it says something else."""
    found = LIBRARY.search(said)
    return None if found is None else found["name"] or found["other"]


def _probe(root: Path, files: Sequence[tuple[str, bool]]) -> Iterable[tuple[str, str]]:
    command = [*in_root(root), "/app/bin/python", "-c", _PROBE]
    done = subprocess.run(command, input=json.dumps(files), capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        path, text, status = json.loads(line)
        if status:
            yield path, text or f"ended with status {status}"
        else:
            # Of a program the loader lists what it found, too.
            yield path, text if _LACKS.search(text) or " => " not in text else ""
