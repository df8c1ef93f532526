"""Measures everything that a contender causes: its processes, its daemons, and the containers they start.

Control groups account for processor time and memory; nothing that forks escapes them. They are read in
version 1 of Linux; on a machine that has version 2 alone, processor time and memory are left out.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.side.mirror import MirrorServer
from bench.side.wire import Relay, Traffic

ROOT = Path("/sys/fs/cgroup")
_PERIOD_SECONDS = 0.1
_STALE_SECONDS = 5
# What others do in so short a time before a measurement is their share in it, also of one of 0.2 s.
_BEFORE_SECONDS = 1.0
_CGROUPS = Path("/proc/self/cgroup")
_WRITTEN = re.compile(r"^write_bytes: (\d+)$", re.MULTILINE)


@dataclass
class Sample:
    """One measurement. Sizes are in bytes; None is not measured.

    :param cpu: seconds of all processors, user and system.
    :param memory: largest sum of anonymous memory of all processes, seen ten times a second.
    :param written: handed to file systems on disk, whether or not it was deleted before it got there.
    :param downloaded: from the mirror.
    :param sent: to the registry, headers included.
    :param received: from the registry, headers included.
    :param cache_received: from the remote cache, headers included.
    :param misses: how often the mirror had to go to the network.
    :param load: the machine's load average of the minute before, in which the bench itself counts.
    :param others: processors that anything but the bench kept busy, then and in the second before.
    """

    wall: float = 0.0
    cpu: float | None = None
    memory: int | None = None
    written: int = 0
    downloaded: int = 0
    sent: int = 0
    received: int = 0
    cache_received: int = 0
    misses: int = 0
    load: float = 0.0
    others: float | None = None


class Group:
    """A control group, with those below it, and one more for the bench itself; a context manager.

    :param name: of the group, one part.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        found = (ROOT / "cpuacct" / "cpuacct.usage").exists() and (ROOT / "memory").exists()
        self.supported = found and os.geteuid() == 0
        self._cpu = ROOT / "cpuacct" / name
        # Below our own, which may have a limit.
        own = re.search(r"^\d+:memory:/(.*)$", _CGROUPS.read_text(), re.MULTILINE)
        self._memory = ROOT / "memory" / (own[1] if own else "") / name
        # Where dockerd puts containers, which starts from the root of each hierarchy.
        self._containers = ROOT / "memory" / name
        self.parent = f"/{name}"
        # This process and what it starts outside of the group: mirror, registry, clients that only look.
        self._own = ROOT / "cpuacct" / f"{name}-own"
        found_own = re.search(r"^\d+:[^:]*\bcpuacct\b[^:]*:/(.*)$", _CGROUPS.read_text(), re.MULTILINE)
        self._before = ROOT / "cpuacct" / (found_own[1] if found_own else "")

    def __enter__(self) -> Self:
        self.create()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def create(self) -> None:
        """Make the groups, and enter the bench's own."""
        if self.supported:
            for folder in {self._cpu, self._memory, self._containers, self._own}:
                folder.mkdir(parents=True, exist_ok=True)
            _move(self._own)

    def remove(self) -> None:
        """Remove the groups; processes that still run go to the group above."""
        if not self.supported:
            return
        _move(self._before)
        deadline = time.monotonic() + _STALE_SECONDS
        for folder in {self._cpu, self._memory, self._containers, self._own}:
            for inner in sorted(folder.rglob("*/"), reverse=True):
                with contextlib.suppress(OSError):
                    inner.rmdir()
            while folder.exists() and time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    folder.rmdir()
                time.sleep(0.1)

    def prefix(self) -> list[str]:
        """Return what to put before a command that is to run in the group."""
        if not self.supported:
            return []
        enter = "".join(f"echo $$ > '{folder}/cgroup.procs'; " for folder in (self._cpu, self._memory))
        return ["/bin/sh", "-c", f'{enter}exec "$@"', "sh"]

    def cpu_seconds(self) -> float | None:
        """Return the processor time used so far."""
        return int((self._cpu / "cpuacct.usage").read_text()) / 1e9 if self.supported else None

    def others_seconds(self) -> float | None:
        """Return the processor time that the machine has spent on anything but the group and the bench."""
        if not self.supported:
            return None
        known = sum(int((folder / "cpuacct.usage").read_text()) for folder in (self._cpu, self._own))
        return busy_seconds(Path("/proc/stat").read_text()) - known / 1e9

    def anonymous_memory(self) -> int:
        """Return the anonymous memory of all processes now, bytes."""
        total = 0
        for folder in {self._memory, self._containers}:
            found = re.search(r"^total_rss (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
            total += int(found[1]) if found else 0
        return total

    def processes(self) -> set[int]:
        """Return the processes in it and below."""
        found: set[int] = set()
        for file in self._cpu.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found.update(map(int, file.read_text().split()))
        return found


def busy_seconds(stat: str) -> float:
    """Return the processor time that a machine has spent since it started, in seconds of one processor.

    :param stat: text of ``/proc/stat``; what other machines took (steal) counts as spent.
    """
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, stat.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _move(folder: Path) -> None:
    """Put this process into a control group."""
    (folder / "cgroup.procs").write_text(str(os.getpid()))


def _written_by(pid: int | str) -> int:
    """Return the bytes that a process wrote, with those of the children that it has waited for."""
    try:
        found = _WRITTEN.search(Path(f"/proc/{pid}/io").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


class Meter:
    """Measures blocks.

    :param group: where everything runs that is to be measured.
    :param relays: in front of the registry and of the remote cache.
    """

    def __init__(self, group: Group, mirror: MirrorServer, registry: Relay, cache: Relay | None) -> None:
        self.group = group
        self._mirror = mirror.mirror
        self._registry = registry
        self.cache = cache

    def written(self) -> int:
        """Return the bytes written so far by living processes, and by those they and we have waited for."""
        return _written_by("self") + sum(_written_by(pid) for pid in self.group.processes())

    @contextlib.contextmanager
    def measure(self) -> Iterator[Sample]:
        """Give a sample that is complete at the end of the block."""
        sample, done = Sample(load=os.getloadavg()[0]), threading.Event()
        watcher = threading.Thread(target=self._watch, args=(sample, done), daemon=True)
        others, looked = self.group.others_seconds(), time.monotonic()
        time.sleep(_BEFORE_SECONDS)
        before = self._state()
        if self.group.supported:
            watcher.start()
        started = time.perf_counter()
        try:
            yield sample
        finally:
            sample.wall = time.perf_counter() - started
            done.set()
            if self.group.supported:
                watcher.join()
            self._finish(sample, before)
            now = self.group.others_seconds()
            if now is not None and others is not None:
                sample.others = max(0.0, now - others) / (time.monotonic() - looked)

    def _state(self) -> tuple[float | None, int, int, int, Traffic, Traffic]:
        mirror = self._mirror
        cache = self.cache.traffic if self.cache else Traffic()
        cpu = self.group.cpu_seconds()
        return cpu, self.written(), mirror.served, mirror.misses, self._registry.traffic, cache

    def _finish(self, sample: Sample, before: tuple[float | None, int, int, int, Traffic, Traffic]) -> None:
        after = self._state()
        if after[0] is not None and before[0] is not None:
            sample.cpu = after[0] - before[0]
        sample.written = max(0, after[1] - before[1])
        sample.downloaded = after[2] - before[2]
        sample.misses = after[3] - before[3]
        sample.sent = after[4].sent - before[4].sent
        sample.received = after[4].received - before[4].received
        sample.cache_received = after[5].received - before[5].received

    def _watch(self, sample: Sample, done: threading.Event) -> None:
        while not done.wait(_PERIOD_SECONDS):
            with contextlib.suppress(OSError):
                sample.memory = max(sample.memory or 0, self.group.anonymous_memory())
