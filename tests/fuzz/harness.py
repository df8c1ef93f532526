"""Runs one door on many inputs, each under a limit of time and memory, and keeps those that break a rule.

The rules, for inputs below 1 MB: an answer or one of our errors, of few and printable lines, within two
seconds of a processor (of a clock it depends on what else the machine does) and within ten times the input plus 64 MB of memory; nothing changes outside the folder it is given.
"""

from __future__ import annotations

import faulthandler
import hashlib
import random
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ociwheel.errors import OciwheelError

SECONDS = 2.0
_SECONDS_OF_CLOCK = 20.0
"""What waits takes no processor."""
MEMORY_BYTES = 64 << 20
MEMORY_RATIO = 10
_ADDRESS_SPACE = 512 << 20
"""Bytes of address space beyond that: memory that is asked for and never touched is not used."""
_LARGEST = 1 << 20
_MESSAGE_LINES = 40
_LINE_LENGTH = 500
_CANARY = b"nobody may change this\n"


@dataclass(frozen=True)
class Door:
    """One door, and where its inputs come from."""

    name: str
    run: Callable[[bytes, Path], object]
    """Reads an input; the folder is empty, and the only one that may be written to."""
    seeds: Callable[[], Sequence[bytes]]
    """Well-formed inputs, which are mutated."""
    make: Callable[[random.Random], bytes] | None = None
    """Makes an input that is hostile in the ways of its format."""


@dataclass
class Finding:
    """An input that breaks a rule."""

    data: bytes
    what: str
    trace: str = ""

    @property
    def name(self) -> str:
        """A file name for it."""
        return hashlib.sha256(self.data).hexdigest()[:16]


@dataclass
class Result:
    """What a run has shown."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    most_memory: int = 0
    findings: list[Finding] = field(default_factory=list)


class _TimeUp(BaseException):
    pass


def mutate(rng: random.Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Return ``data`` with a few changes of the kinds that break parsers."""
    value = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(value) + 1)
        end = min(len(value), at + rng.choice((1, 2, 4, 8, 16, 64, 512)))
        match rng.randrange(9):
            case 0 if at < len(value):
                value[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(value):
                value[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, 0x20, 0x2D, 0x2F, 0x2E, 0x30, 0x39))
            case 2:
                value[at:end] = rng.choice((b"\xff", b"\0", b"9", b"-", b"\x7f", b"/")) * (end - at)
            case 3:
                del value[at:end]
            case 4:
                value[at:at] = value[at:end] * rng.choice((1, 2, 40))
            case 5:
                del value[at:]
            case 6:
                value[at:at] = rng.randbytes(rng.choice((1, 4, 32)))
            case 7 if others:
                other = rng.choice(others)
                start = rng.randrange(len(other) + 1)
                value[at:end] = other[start : start + rng.choice((4, 16, 64, 512))]
            case _:
                number = rng.choice(
                    (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
                )
                value[at : at + 8] = number.to_bytes(8, rng.choice(("little", "big")))
    return bytes(value[:_LARGEST])


def inputs(door: Door, count: int, seed: int) -> Iterator[bytes]:
    """Yield inputs for a door, the same for the same seed."""
    rng = random.Random(f"{door.name} {seed}")
    seeds = list(door.seeds())
    for number in range(count):
        if number < len(seeds):
            yield seeds[number]
        elif door.make is not None and rng.random() < 0.5:
            made = door.make(rng)
            yield made if rng.random() < 0.7 else mutate(rng, made, seeds)
        else:
            yield mutate(rng, rng.choice(seeds), seeds)


def run(door: Door, count: int, seed: int, most_seconds: float = float("inf")) -> Result:
    """Run a door on ``count`` inputs, or as many as ``most_seconds`` of a processor allow."""
    result = Result()
    signal.signal(signal.SIGPROF, _time_up)
    signal.signal(signal.SIGALRM, _time_up)
    end = time.process_time() + most_seconds
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        room = _Room(Path(place))
        for data in inputs(door, count, seed):
            if time.process_time() > end:
                break
            _run_one(door, data, room, result)
    return result


def _run_one(door: Door, data: bytes, room: _Room, result: Result) -> None:
    result.inputs += 1
    before = _reset_peak()
    # A signal waits for a call into C to end; this does not.
    faulthandler.dump_traceback_later(3 * _SECONDS_OF_CLOCK, exit=True)
    start = time.process_time()
    finding = None
    try:
        with _limits(before, len(data)):
            finding = _answer(door, data, room.folder, result)
    except _TimeUp as e:
        finding = Finding(data, f"no answer in {SECONDS} s", "".join(traceback.format_exception(e)))
    finally:
        faulthandler.cancel_dump_traceback_later()
    used = _peak() - before
    result.slowest = max(result.slowest, time.process_time() - start)
    result.most_memory = max(result.most_memory, used)
    if used > MEMORY_BYTES + MEMORY_RATIO * len(data):
        finding = finding or Finding(data, f"{used >> 20} MB of memory for {len(data)} bytes")
    change = room.clear()
    if change:
        finding = finding or Finding(data, change)
    if finding:
        result.findings.append(finding)


def _answer(door: Door, data: bytes, folder: Path, result: Result) -> Finding | None:
    try:
        door.run(data, folder)
    except OciwheelError as e:
        result.refused += 1
        return check_message(data, e.render())
    except Exception as e:  # noqa: BLE001  (that is what is looked for)
        return Finding(data, f"{type(e).__name__}: {e}"[:200], traceback.format_exc(limit=-12))
    result.accepted += 1
    return None


def check_message(data: bytes, text: str) -> Finding | None:
    """Return what is wrong with a message, ``None`` for one that may be shown."""
    lines = text.split("\n")
    if len(lines) > _MESSAGE_LINES or max(map(len, lines)) > _LINE_LENGTH:
        return Finding(data, f"a message of {len(lines)} lines and {len(text)} characters", text[:2000])
    if not all(line.isprintable() for line in lines):
        return Finding(data, "a message with characters that a terminal obeys", repr(text)[:2000])
    return None


def _time_up(number: int, frame: object) -> None:
    raise _TimeUp


@contextmanager
def _limits(used: int, size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _status("VmSize") + MEMORY_BYTES + MEMORY_RATIO * size + _ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS_OF_CLOCK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _status(name: str) -> int:
    """Return a size of this process, in bytes (proc_pid_status(5))."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise LookupError(name)


def _peak() -> int:
    return _status("VmHWM")


def _reset_peak() -> int:
    # proc_pid_clear_refs(5): "5 [...] reset the peak resident set size".
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak()


class _Room:
    """A folder that a door may write to, beside things that it may not."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.folder = place / "a/b/inside"
        self._victims = (place / "victim", place / "a/victim", place / "a/b/victim")
        self._restore()

    def _restore(self) -> None:
        for victim in self._victims:
            victim.mkdir(parents=True, exist_ok=True)
            (victim / "file").write_bytes(_CANARY)
            (victim / "file").chmod(0o4600)
        self.folder.mkdir(exist_ok=True)

    def clear(self) -> str:
        """Empty the folder; return what has changed outside of it."""
        outside = [(self._place, {"a", "victim"}), (self._place / "a", {"b", "victim"})]
        outside += [(self._place / "a/b", {"inside", "victim"})]
        changed = [str(f) for f, names in outside if {p.name for p in f.iterdir()} != names]
        for victim in self._victims:
            file = victim / "file"
            same = file.is_file() and file.stat().st_mode == 0o104600 and file.read_bytes() == _CANARY
            changed += [] if same else [str(file)]
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if changed:
            self._restore()
        return f"changed outside its folder: {', '.join(changed)}" if changed else ""
