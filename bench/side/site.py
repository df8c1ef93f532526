"""Where a run takes place: folders, servers, and the one door through which contenders run commands."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.side.meter import Meter
from bench.side.mirror import MirrorServer
from bench.side.wire import Relay

# Names of the base images in the registry.
FULL = "python:3.11"
SLIM = "python:3.11-slim"
# Of the package index; its name has the version, so that an image made of an older one is not taken for it.
UV_VERSION = "0.13.9"
UV = f"uv:{UV_VERSION}"
_END_LINES = 25
_KILL_SECONDS = 20
# Where packages come from is said to every tool by the bench.
_NOT_PASSED = ("PIP_", "UV_", "PANTS_", "PYTHONPATH", "DOCKER_", "BUILDKIT", "REGISTRY_AUTH_FILE")


class ContenderError(Exception):
    """A contender did not do what a scenario asks for; the reason is what the report says."""


class TimeLimitError(ContenderError):
    """A contender was not done in time."""


def image_name(name: str, platform: str) -> str:
    """Return the name of a base image in the registry, without the host."""
    return name if platform == "linux/amd64" else f"{name}-{platform.replace('/', '-')}"


@dataclass(frozen=True)
class Command:
    """A command to run."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a command: this process's own, without settings of the tools compared."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED)}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, **more}


@dataclass
class Site:
    """A run's folders and servers.

    :param root: of this repository.
    :param work: kept from run to run.
    :param deadline: when commands that are still running are ended, on the clock of ``time.monotonic``.
    """

    root: Path
    work: Path
    mirror: MirrorServer
    registry: Relay
    meter: Meter
    deadline: float | None = None

    def log(self, name: str) -> Path:
        """Return the file that the output of a contender's commands is added to."""
        folder = self.work / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.log"

    def run(self, name: str, *commands: Command) -> None:
        """Run commands side by side in the measured group, with their output in a log.

        :param name: of the contender.
        :raises ContenderError: one of them fails, or the time is over.
        """
        running = [self._start(name, command) for command in commands]
        try:
            for process, command, log in running:
                self._wait(process, command, log)
        finally:
            for process, _, _ in running:
                _end(process)

    def _start(
        self, name: str, command: Command
    ) -> tuple[subprocess.Popen[bytes], Command, tuple[Path, int]]:
        log = self.log(name)
        with log.open("ab") as file:
            file.write(f"\n$ {shlex.join(command.argv)}   # {time.strftime('%H:%M:%S')}\n".encode())
            file.flush()
            start = file.tell()
            process = subprocess.Popen(
                [*self.meter.group.prefix(), *command.argv],
                cwd=command.cwd,
                env=environment(command.env),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        return process, command, (log, start)

    def _wait(self, process: subprocess.Popen[bytes], command: Command, log: tuple[Path, int]) -> None:
        left = None if self.deadline is None else max(0.1, self.deadline - time.monotonic())
        code = exit_code(process, left)
        if code is None:
            raise TimeLimitError("not done in time")
        if code != 0:
            file, start = log
            end = file.read_bytes()[start:].decode(errors="replace").splitlines()[-_END_LINES:]
            # The first line goes into the report, so it names no folder of this machine.
            last = next((line for line in reversed(end) if line.strip()), "").replace(str(self.work), "...")
            raise ContenderError(f"{Path(command.argv[0]).name}: exit code {code}: {last}\n" + "\n".join(end))


def exit_code(process: subprocess.Popen[bytes], seconds: float | None) -> int | None:
    """Return how a process ended, as soon as it did; ``None`` after so many seconds.

    ``Popen.wait`` with a limit looks every 50 ms, which is a quarter of what is measured here.
    """
    ended = os.pidfd_open(process.pid)
    try:
        ready, _, _ = select.select([ended], [], [], seconds)
    finally:
        os.close(ended)
    return process.wait() if ready else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started, if it still runs."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_KILL_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
