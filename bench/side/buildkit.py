"""A current BuildKit: its two programs, compiled once, and a daemon that nobody else uses."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.side.meter import Group
from bench.side.site import environment
from tests.support.engine import find_tool
from tests.support.waiting import end

MODULE = "github.com/moby/buildkit"
VERSION = "v0.34.2"
PROGRAMS = ("buildkitd", "buildctl")
START_SECONDS = 60
STOP_SECONDS = 30
_END_LINES = 20
_CONFIG = """\
root = "{root}"

[worker.oci]
enabled = true
binary = "{runc}"
defaultCgroupParent = "{parent}"

[worker.containerd]
enabled = false
{registries}"""
_REGISTRY = """
[registry."{host}"]
http = true
"""


class BuildKitError(Exception):
    """The programs cannot be made, or the daemon does not start."""


def programs(folder: Path) -> Path:
    """Return the folder with the programs, which are compiled the first time: some minutes of processor time.

    ``go install`` refuses a module that replaces others, so they are built as a dependency.

    :param folder: kept from run to run.
    :raises BuildKitError: there is no ``go``, or it fails.
    """
    made = folder / VERSION
    if all((made / name).exists() for name in PROGRAMS):
        return made
    go = find_tool("go") or shutil.which("go", path=os.environ.get("PATH", "") + ":/usr/local/go/bin")
    if go is None:
        raise BuildKitError(
            "BuildKit is compiled, which takes Go\n  -> install Go 1.25 or newer (https://go.dev/dl)"
        )
    module = folder / "module"
    module.mkdir(parents=True, exist_ok=True)
    # The parent may be a module, or a repository whose state is of no interest to what is built here.
    env = environment({"GOFLAGS": "-mod=mod -buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0"})
    packages = [f"{MODULE}/cmd/{name}" for name in PROGRAMS]
    commands = [
        *([] if (module / "go.mod").exists() else [[go, "mod", "init", "bench"]]),
        [go, "get", *(f"{package}@{VERSION}" for package in packages)],
        [go, "build", "-trimpath", "-o", f"{made}.part/", *packages],
    ]
    for command in commands:
        done = subprocess.run(command, cwd=module, env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            end = "\n".join(done.stderr.splitlines()[-_END_LINES:])
            raise BuildKitError(f"go {command[1]}: exit code {done.returncode}\n{end}")
    made.with_name(f"{VERSION}.part").rename(made)
    return made


@dataclass
class BuildKit:
    """A daemon with everything it keeps below ``folder``; it runs as root, with Debian's runc.

    :param folder: of its own.
    :param binaries: the folder with its programs.
    :param group: that it and its containers run in.
    :param registries: hosts that are spoken to without TLS.
    """

    folder: Path
    binaries: Path
    group: Group
    registries: tuple[str, ...] = ()
    _daemon: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The process of the daemon; 0 when it does not run."""
        return self._daemon.pid if self._daemon else 0

    def ctl(self, *arguments: str) -> list[str]:
        """Return a command of its client."""
        return [str(self.binaries / "buildctl"), "--addr", f"unix://{self.folder / 'sock'}", *arguments]

    def config(self) -> str:
        """Return its configuration."""
        return _CONFIG.format(
            root=self.folder / "root",
            runc=find_tool("runc"),
            parent=self.group.parent if self.group.supported else "buildkit",
            registries="".join(_REGISTRY.format(host=host) for host in self.registries),
        )

    def start(self) -> None:
        """Start it and wait until it answers.

        :raises BuildKitError: it does not, with the end of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "buildkitd.toml"
        config.write_text(self.config())
        # Builds use the host's network: the mirror is on the loopback interface.
        options = [
            "--config",
            str(config),
            "--addr",
            f"unix://{self.folder / 'sock'}",
            "--oci-worker-net",
            "host",
        ]
        command = [*self.group.prefix(), str(self.binaries / "buildkitd"), *options]
        with (self.folder / "log").open("wb") as log:
            self._daemon = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                end = (self.folder / "log").read_text(errors="replace").splitlines()[-_END_LINES:]
                self.stop()
                raise BuildKitError("buildkitd did not start; the end of its log:\n" + "\n".join(end))
            time.sleep(0.1)

    def _answers(self) -> bool:
        command = self.ctl("debug", "workers")
        return (
            subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode
            == 0
        )

    def stop(self) -> None:
        """Stop it and remove what it kept."""
        if self._daemon:
            end(self._daemon, STOP_SECONDS)
        self._daemon = None
        shutil.rmtree(self.folder / "root", ignore_errors=True)
