"""A Docker engine of a test's own: its daemon, its images, its containers, and their health."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.bridge import Bridge
from tests.support.waiting import end, serve

START_SECONDS = 60
STOP_SECONDS = 30
LONGEST_SOCKET = 107
"""Bytes of a path that unix(7) allows."""

BINFMT = Path("/proc/sys/fs/binfmt_misc")
# How Debian's qemu-user-static registers each; the flag F loads the emulator from outside the container.
BINFMT_RULES = (
    Path("/usr/lib/binfmt.d/qemu-{machine}.conf"),
    Path("/usr/share/qemu/binfmt.d/qemu-{machine}.conf"),
)
EMULATED = {"linux/arm/v7": "arm", "linux/arm64": "aarch64"}


class EngineError(Exception):
    """The engine, or what runs in it, did not do what the test needs."""


def find_tool(name: str) -> str | None:
    """Return the distribution's own ``name``, or else the one on the PATH.

    A ``docker`` earlier on the PATH may be a client of something else.
    """
    for folder in ("/usr/bin", "/usr/sbin"):
        if os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    return shutil.which(name)


def missing_tools() -> list[str]:
    """Return what a test with an engine needs and this machine lacks."""
    missing = [name for name in ("docker", "dockerd", "containerd", "runc") if not find_tool(name)]
    if os.geteuid() != 0:
        missing.append("root")
    return missing


@dataclass
class Container:
    """A running container whose port 5000 is on a free port of the loopback interface."""

    engine: Engine
    number: str
    port: int

    def get(self, path: str) -> Any:
        """Return the JSON that a path answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return json.load(answer)

    def wait_for_health(self, seconds: float = 30) -> Any:
        """Return what ``/health`` answers as soon as it does.

        :param seconds: how long to wait; emulated machines need more.
        :raises EngineError: when it does not, or the container ends; with what the container printed.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.running():
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                return self.get("/health")
            time.sleep(0.1)
        raise EngineError(f"no answer from /health; the container printed:\n{self.logs()}")

    def running(self) -> bool:
        """Tell whether the container still runs."""
        return self.engine.docker("inspect", "--format", "{{.State.Running}}", self.number).strip() == "true"

    def logs(self) -> str:
        """Return what the container printed so far."""
        return self.engine.docker("logs", self.number, merge=True)

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, whatever its exit code."""
        return self.engine.call("exec", self.number, *command)


@dataclass
class Engine:
    """A daemon that nobody else uses, with everything it keeps below ``folder``."""

    folder: Path
    publishes: bool = True
    """Whether its containers have a network, through a bridge that only this engine has."""
    _daemon: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _bridge: Bridge | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Where the daemon listens, as ``DOCKER_HOST`` has it."""
        return f"unix://{self.folder / 'docker.sock'}"

    def pants_variables(self) -> dict[str, str]:
        """Return the variables that make Pants's `docker_image` build in this engine."""
        client = find_tool("docker") or "docker"
        return {
            "DOCKER_HOST": self.address,
            "DOCKER_BUILDKIT": "1",
            "PANTS_DOCKER_ENV_VARS": '+["DOCKER_HOST", "DOCKER_BUILDKIT"]',
            "PANTS_DOCKER_EXECUTABLE_SEARCH_PATHS": json.dumps([str(Path(client).parent)]),
        }

    def daemon_command(self) -> list[str]:
        """Return what starts the daemon.

        :raises EngineError: this machine has none.
        """
        dockerd = find_tool("dockerd")
        if dockerd is None:
            raise EngineError("no dockerd on this machine\n  -> apt-get install docker.io")
        return [
            dockerd,
            *("--host", self.address),
            *("--data-root", str(self.folder / "data")),
            *("--exec-root", str(self.folder / "exec")),
            *("--pidfile", str(self.folder / "pid")),
            # Ports are published on the loopback interface by a proxy; the packet filter is everybody's.
            *("--bridge", self._bridge.name if self._bridge else "none", "--iptables=false"),
        ]

    def start(self) -> None:
        """Start the daemon and wait until it answers.

        :raises EngineError: when it does not, with the end of its log.
        """
        longest = self.folder / "exec/containerd/containerd.sock.ttrpc"
        if len(str(longest)) > LONGEST_SOCKET:
            raise EngineError(f"a socket's path has at most {LONGEST_SOCKET} bytes, too few for {longest}")
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.publishes:
            self._bridge = Bridge.create()
        command = self.daemon_command()
        with (self.folder / "log").open("wb") as log:
            self._daemon = serve(command, log, log)
        deadline = time.monotonic() + START_SECONDS
        while self.call("version").returncode != 0:
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EngineError(f"dockerd did not start; the end of its log:\n{self.log_end()}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the daemon and remove what it kept."""
        if self._daemon:
            end(self._daemon, STOP_SECONDS)
        if self._bridge:
            self._bridge.delete()
            self._bridge = None
        for kept in ("data", "exec"):
            shutil.rmtree(self.folder / kept, ignore_errors=True)

    def log_end(self, lines: int = 20) -> str:
        """Return the end of the daemon's log."""
        return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-lines:])

    def call(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run the client, whatever its exit code."""
        client = find_tool("docker") or "docker"
        command = [client, "--host", self.address, *args]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def docker(self, *args: str, merge: bool = False) -> str:
        """Run the client and return its output.

        :param merge: append what it printed as errors.
        :raises EngineError: when it fails.
        """
        result = self.call(*args)
        if result.returncode != 0:
            raise EngineError(f"docker {' '.join(args)}: exit code {result.returncode}\n{result.stderr}")
        return result.stdout + (result.stderr if merge else "")

    def load(self, archive: Path) -> str:
        """Load a docker-archive and return the name of its image."""
        answer = self.docker("load", "--input", str(archive)).strip().splitlines()[-1]
        return answer.partition(": ")[2]

    @contextlib.contextmanager
    def run(self, image: str, *options: str, command: Sequence[str] = ()) -> Iterator[Container]:
        """Run an image as in production, and remove it: user ``nonroot``, nothing writable, no capability."""
        number = self.docker(
            "run",
            "--detach",
            *("--read-only", "--user", "nonroot", "--cap-drop", "ALL"),
            *("--security-opt", "no-new-privileges", "--publish", "127.0.0.1::5000"),
            *options,
            image,
            *command,
        ).strip()
        try:
            published = self.call("port", number, "5000/tcp").stdout.strip().rpartition(":")[2]
            yield Container(self, number, int(published or 0))
        finally:
            self.call("rm", "--force", "--volumes", number)


def register_emulation(platform: str) -> None:
    """Let this machine's kernel run programs of another platform, if it does not already.

    :raises EngineError: when the emulator is not installed.
    """
    machine = EMULATED[platform]
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], check=True)
    if (BINFMT / f"qemu-{machine}").exists():
        return
    for rule in BINFMT_RULES:
        file = Path(str(rule).format(machine=machine))
        if file.exists():
            (BINFMT / "register").write_text(file.read_text().strip())
            return
    raise EngineError(f"no emulator for {platform}\n  -> apt-get install qemu-user-static")
