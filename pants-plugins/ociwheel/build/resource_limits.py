"""Runs a command of others: with an end, a bound to the memory it takes and to the output that is kept.

Its children end with it, those that daemons of it have left as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LOOK = 0.2
"""Seconds between two looks at the memory."""
_DRAIN = 1.0
"""Seconds for what was still on its way when the command ended."""
_CHUNK = 1 << 16
_LINE = 2000
"""Characters of a line."""
_HELD = ("RssAnon:", "RssShmem:", "VmSwap:")
_PR_SET_CHILD_SUBREAPER = 36
MIB = 1 << 20


def machine_memory() -> int:
    """Return the memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True)
class BuildLimits:
    """What a build, with all that it starts, may take."""

    seconds: int = 7200
    memory: int = 0
    """MiB; 0: three quarters of the machine's."""
    output: int = 4
    """MiB of output that is kept; the middle of what is more is left out."""

    @property
    def memory_bytes(self) -> int:
        """The bound of the memory, in bytes."""
        return self.memory * MIB if self.memory else machine_memory() // 4 * 3


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    returncode: int
    """Of the command; negative where a signal ended it."""
    lines: tuple[str, ...]
    """What it said on both streams."""
    left_out: int = 0
    """Bytes that it said besides."""
    met: str = ""
    """``time`` or ``memory`` where that limit ended it."""


@dataclass
class _Kept:
    """The begin and the end of what a command says."""

    bound: int
    begin: bytearray = field(default_factory=bytearray)
    end: deque[bytes] = field(default_factory=deque)
    held: int = 0
    left_out: int = 0

    def add(self, data: bytes) -> None:
        room = self.bound // 2 - len(self.begin)
        if room > 0:
            self.begin += data[:room]
            data = data[room:]
        if data:
            self.end.append(data)
            self.held += len(data)
        while self.held - len(self.end[0] if self.end else b"") > self.bound // 2:
            gone = self.end.popleft()
            self.held -= len(gone)
            self.left_out += len(gone)

    def lines(self) -> tuple[str, ...]:
        begin, end = bytes(self.begin), b"".join(self.end)
        if not self.left_out:
            return _lines(begin + end)
        note = f"[{self.left_out} bytes of output are left out here]"
        return (*_lines(begin), note, *_lines(end))


def _lines(data: bytes) -> tuple[str, ...]:
    """Return lines of a length that can be searched: a megabyte without an end of line is no message."""
    return tuple(line[:_LINE] for line in data.decode(errors="replace").splitlines())


def run_limited(
    argv: Sequence[str], *, env: Mapping[str, str], limits: BuildLimits, cwd: Path | None = None
) -> Ended:
    """Run a command with exactly ``env`` as its environment, within limits, and end what it leaves.

    :raises OSError: the program cannot be started.
    """
    _adopt()
    others = set(_children(os.getpid()))
    reading, writing = os.pipe()
    try:
        started = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    kept = _Kept(limits.output * MIB)
    try:
        met = _watch(started, reading, kept, limits)
    finally:
        _end(started, others)
        os.close(reading)
    return Ended(started.returncode, kept.lines(), kept.left_out, met)


def _watch(started: subprocess.Popen[bytes], pipe: int, kept: _Kept, limits: BuildLimits) -> str:
    """Read until the command ends, and return the limit that was met, if one was."""
    os.set_blocking(pipe, False)
    deadline, look = time.monotonic() + limits.seconds, 0.0
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        is_open = True
        while started.poll() is None:
            if is_open:
                selector.select(_LOOK)
                is_open = _read(pipe, kept)
            else:  # it has closed its output and goes on
                time.sleep(0.01)
            now = time.monotonic()
            if now > deadline:
                return "time"
            if now > look:
                look = now + _LOOK
                if _memory(started.pid) > limits.memory_bytes:
                    return "memory"
        # A process that it left may hold the pipe, and go on writing.
        end = time.monotonic() + _DRAIN
        while is_open and time.monotonic() < end and selector.select(0):
            is_open = _read(pipe, kept)
    return ""


def _read(pipe: int, kept: _Kept) -> bool:
    """Read what there is, and tell whether there may be more."""
    try:
        data = os.read(pipe, _CHUNK)
    except BlockingIOError:
        return True
    kept.add(data)
    return bool(data)


def _adopt() -> None:
    """Make orphans of our children children of ours, so that none of them gets away."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end(started: subprocess.Popen[bytes], others: set[int]) -> None:
    """End a command and all that it has started.

    :param others: our children that have nothing to do with it.
    """
    started.kill()
    started.wait()
    # A killed process's children become ours: again, until there are none.
    while left := [pid for pid in _children(os.getpid()) if pid not in others]:
        for pid in left:
            for each in (*_descendants(pid), pid):
                _kill(each)
            os.waitpid(pid, 0)
    if sys.platform != "linux":  # no /proc: those that did not leave its group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(started.pid, signal.SIGKILL)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    """Return the children of a process, none where the system does not tell."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    except OSError:
        pass  # it has ended
    return found


def _descendants(pid: int) -> Iterator[int]:
    todo = _children(pid)
    while todo:
        child = todo.pop()
        yield child
        todo += _children(child)


def _memory(pid: int) -> int:
    """Return the bytes of memory that a process and its descendants hold, files that they map not counted."""
    total = 0
    for each in (pid, *_descendants(pid)):
        try:
            with open(f"/proc/{each}/status", encoding="utf-8", errors="replace") as file:
                rows = [
                    line.split() for line in file if line.startswith(("RssAnon:", "RssShmem:", "VmSwap:"))
                ]
        except OSError:
            continue
        total += sum(int(row[1]) for row in rows) * 1024
    return total
