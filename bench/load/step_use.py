"""What steps use by kind: processes, and processor time in units of an empty step's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FACTOR = 2.0
"""How much more than what is kept is a slip: with load, processor time varies less than that."""
FEWEST = 4
"""Of so many steps of a kind one is not slowed down by load, and finds bytecode made."""
_UNIT_TIMES = 15
# What starts in each step, whatever it does: Python, and the parts of the standard library that all import.
_EMPTY = "import dataclasses, enum, json, pathlib, re, typing"

_ENTRY = Path("ociwheel/sandbox/__main__.py")
_CALL = "    code = main(sys.argv[1:])\n"
# Python tells of each program that is started; the shell that became Python is in its own time.
_METERED = """\
    import resource

    started = [1]

    def note(event: str, _: object) -> None:
        if event in ("subprocess.Popen", "os.posix_spawn", "os.fork"):
            started[0] += 1

    sys.addaudithook(note)
    code = main(sys.argv[1:])
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(one.ru_utime + one.ru_stime for one in used)
    line = '{{"step": "%s", "seconds": %.6f, "processes": %d}}\\n' % (sys.argv[1], seconds, started[0])
    file = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)
"""


@dataclass(frozen=True)
class Use:
    """What one step used.

    :param step: of the core's command line.
    :param seconds: of processor time, with the shell that started it and the programs that it waited for.
    :param processes: itself and the programs that it started.
    """

    step: str
    seconds: float
    processes: int


def metered(plugin: Path, log: Path) -> None:
    """Make a copy of the plugin note what its steps use.

    :param log: where each step appends a line.
    :raises ValueError: the entry of sandboxes is not what it was.
    """
    entry = plugin / _ENTRY
    text = entry.read_text()
    if text.count(_CALL) != 1:
        raise ValueError(f"{_ENTRY} has {_CALL.strip()!r} {text.count(_CALL)} times, not once")
    entry.write_text(text.replace(_CALL, _METERED.format(log=str(log))))


def uses(log: Path) -> Iterator[Use]:
    """Yield what was noted so far."""
    for line in log.read_text().splitlines() if log.exists() else ():
        yield Use(**json.loads(line))


def empty_step() -> float:
    """Return the least processor seconds of an empty step on this machine, as busy as it is."""
    return min(_empty_once() for _ in range(_UNIT_TIMES))


def _empty_once() -> float:
    process = subprocess.Popen([sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _EMPTY])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ValueError(f"an empty Python ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def processes(found: Iterable[Use]) -> dict[str, int]:
    """Return the processes of each kind of step, as counts."""
    counted: dict[str, int] = {}
    for use in found:
        counted[use.step] = counted.get(use.step, 0) + use.processes
    return {f"processes: {step}": number for step, number in sorted(counted.items())}


def in_units(found: Iterable[Use], unit: float) -> dict[str, float]:
    """Return what the cheapest step of each kind took, in empty steps; of kinds with :data:`FEWEST`."""
    seconds: dict[str, list[float]] = {}
    for use in found:
        seconds.setdefault(use.step, []).append(use.seconds)
    return {step: round(min(each) / unit, 1) for step, each in sorted(seconds.items()) if len(each) >= FEWEST}


def slips(kept: Mapping[str, float], found: Mapping[str, float]) -> Iterator[str]:
    """Yield a line for each kind of step that takes much more processor time than is kept, or is not kept."""
    for step, units in found.items():
        if step not in kept:
            yield f"processor time: {step}: nothing kept, {units} empty steps found"
        elif units > FACTOR * kept[step]:
            most = FACTOR * kept[step]
            kept_units = f"{kept[step]} empty steps kept"
            yield f"processor time: {step}: {kept_units}, {units} found, more than {most:.1f}"


def table(found: Iterable[Use]) -> str:
    """Return what each kind of step used, as lines of text."""
    seconds: dict[str, list[Use]] = {}
    for use in found:
        seconds.setdefault(use.step, []).append(use)
    lines = [f"{'step':20} {'steps':>5} {'processes':>9} {'least s':>8} {'all, s':>8}"]
    for step, each in sorted(seconds.items(), key=lambda pair: -sum(use.seconds for use in pair[1])):
        least, whole = min(use.seconds for use in each), sum(use.seconds for use in each)
        lines.append(
            f"{step:20} {len(each):5} {sum(use.processes for use in each):9} {least:8.3f} {whole:8.2f}"
        )
    return "\n".join(lines)
