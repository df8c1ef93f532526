"""Runs Pants and measures the run: seconds, memory, steps that ran, cache requests, bytes on the disk."""

from __future__ import annotations

import re
import resource
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.repository import Repository

_COUNTER = re.compile(r"^\s+(\w+): (\d+)$", re.MULTILINE)
_PERIOD_SECONDS = 0.1
# The first words of a step's description, which say what kind of step it is.
_KINDS = (
    *(
        "Audit the",
        "Build ",
        "Check ",
        "Fetch the libraries",
        "Fetch ",
        "Layer sources",
        "Layer ",
        "Look up",
        "Pack ",
    ),
    *("Plan ", "Read ", "Unpack "),
)


class RunFailedError(Exception):
    """A run of Pants that failed, with what it said."""


@dataclass
class Peak:
    """The largest resident memory seen, bytes.

    :param scheduler: of Pants itself, its daemon included.
    :param steps: of all processes that it ran at one time, together.
    """

    scheduler: int = 0
    steps: int = 0


@dataclass(frozen=True)
class Sample:
    """One run.

    :param counters: of Pants's own ``[stats].log``.
    :param started: how many steps of each kind ran; those found in a cache did not.
    :param store: bytes that the run added to Pants's store.
    :param processor: seconds that Pants and all steps used, user's and system's; without a daemon only.
    """

    seconds: float
    peak: Peak
    started: Counter[str]
    counters: dict[str, int] = field(default_factory=dict)
    store: int = 0
    processor: float = 0.0


def _processes() -> Iterator[tuple[int, int, int, bytes]]:
    """Yield process id, parent, resident bytes and command line of all processes."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            status = (folder / "status").read_text()
            command = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        parent = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
        resident = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        if parent and resident:
            yield int(folder.name), int(parent[1]), int(resident[1]) * 1024, command


def _observe(root: Path, peak: Peak) -> None:
    """Look once at the processes of Pants in a repository, and at what they run."""
    table = {pid: (parent, resident, command) for pid, parent, resident, command in _processes()}
    mark = str(root).encode()
    own = {
        pid
        for pid, (_, _, command) in table.items()
        if command.startswith(b"pantsd [" + mark) or (b"pants" in command and _works_in(pid, root))
    }
    below = set()
    for pid in table:
        current = pid
        while current in table and current not in own:
            current = table[current][0]
        if current in own and pid not in own:
            below.add(pid)
    peak.scheduler = max(peak.scheduler, max((table[pid][1] for pid in own), default=0))
    peak.steps = max(peak.steps, sum(table[pid][1] for pid in below))


def _works_in(pid: int, root: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").resolve() == root.resolve()
    except OSError:
        return False


@contextmanager
def memory(root: Path) -> Iterator[Peak]:
    """Give the peak memory of Pants in a repository, complete at the end of the block."""
    peak, done = Peak(), threading.Event()

    def watch() -> None:
        while not done.wait(_PERIOD_SECONDS):
            _observe(root, peak)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def kind(description: str) -> str:
    """Return what kind of step a description is of."""
    return next((one.strip() for one in _KINDS if description.startswith(one)), "other")


def disk_bytes(folder: Path) -> int:
    """Return the bytes that the files below a folder take on the disk, hard links once."""
    seen = {}
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def _used() -> float:
    """Return the processor seconds of all processes that this one and those below it have waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def package(repository: Repository, *addresses: str, daemon: bool = False, fresh: bool = False) -> Sample:
    """Package and measure.

    :param fresh: without a folder ``dist``.
    :raises RunFailedError: it failed.
    """
    if fresh:
        shutil.rmtree(repository.root / "dist", ignore_errors=True)
    return measured(repository, "package", *addresses, daemon=daemon)


def measured(repository: Repository, *arguments: str, daemon: bool = False) -> Sample:
    """Run Pants and measure.

    :param arguments: the goal, and what it is given.
    :raises RunFailedError: it failed.
    """
    store = repository.caches.folder / "store"
    before = disk_bytes(store)
    with memory(repository.root) as peak:
        started, used = time.perf_counter(), _used()
        run = repository.pants("--stats-log", *arguments, daemon=daemon)
        seconds = time.perf_counter() - started
    if run.exit_code != 0:
        raise RunFailedError(run.stderr[-10_000:])
    counters = {name: int(value) for name, value in _COUNTER.findall(run.stderr)}
    kinds = Counter(kind(one) for one in run.started)
    return Sample(seconds, peak, kinds, counters, disk_bytes(store) - before, _used() - used)
