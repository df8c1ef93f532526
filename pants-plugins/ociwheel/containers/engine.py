"""The machine's container engine, docker or podman, through its command line.

Which one it is, and where, is found when the step runs: the backend leaves ``container-engine.json`` in
the machine's named cache, ``{"engines": [paths], "env": {variables of the client}}``. Without it, the usual
places are looked at. No cache key holds any of this.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ociwheel import process
from ociwheel.documents import read_json
from ociwheel.errors import ToolError
from ociwheel.process import Completed

SETTINGS = "container-engine.json"
NAMES = ("docker", "podman")
_FOLDERS = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")
_INSTALL = "install one: apt-get install docker.io, or apt-get install podman"
_DETAILS = 12


@dataclass(frozen=True)
class ContainerEngine:
    """A client that has an engine behind it."""

    program: str
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``docker`` or ``podman``."""
        return Path(self.program).name

    def call(self, *arguments: str, stdin: bytes | None = None) -> Completed:
        """Run the client, whatever its exit code.

        :raises ToolError: the program is gone.
        """
        argv = [self.program, *arguments]
        return process.run(argv, env=self.env, stdin=stdin, install_hint=_INSTALL)

    def require(self, what: str, *arguments: str, stdin: bytes | None = None) -> str:
        """Run the client and return its output.

        :param what: what it is for, for the message.
        :raises ToolError: it failed.
        """
        done = self.call(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise ToolError(f"{self.name} cannot {what}", details=shortened(done.tail(_DETAILS)))
        return done.stdout

    def attach(self, container: str) -> Completed:
        """Start a container and wait for its end.

        Its standard input stays open as long as this process lives, so that the container notices the end
        of it, even one by ``kill -9``.
        """
        argv = [self.program, "start", "--attach", "--interactive", container]
        with tempfile.TemporaryFile() as output:
            with subprocess.Popen(
                argv, env=dict(self.env), stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
            ) as run:
                try:
                    run.wait()
                except BaseException:
                    run.kill()
                    raise
            output.seek(0)
            return Completed(run.returncode, output.read().decode(errors="replace"), "")


def shortened(lines: Iterable[str]) -> list[str]:
    """Return lines of a message, none of them endless."""
    return [line[:400] for line in lines]


def find_engine(machine: Path | None, where: str) -> ContainerEngine:
    """Return the first engine of the machine that answers.

    :param machine: the folder of the machine's settings.
    :param where: what needs it, for messages.
    :raises ToolError: there is none, or none answers; the message has what each said.
    """
    programs, env = _settings(machine)
    if not programs:
        raise ToolError(
            "is built in a container (its setting `emulate`), and this machine has neither docker nor podman",
            where=where,
            hint=_INSTALL,
        )
    said: list[str] = []
    for program in programs:
        engine = ContainerEngine(program, env)
        done = engine.call("version")
        if done.returncode == 0:
            return engine
        said += [f"{program} version: exit code {done.returncode}", *(f"  {x}" for x in done.tail(4))]
    raise ToolError(
        f"is built in a container (its setting `emulate`), and {_names(programs)} "
        f"{'does' if len(programs) == 1 else 'do'} not answer",
        where=where,
        details=shortened(said),
        hint=_start_hint(programs[0]),
    )


def _names(programs: Sequence[str]) -> str:
    return " and ".join(Path(program).name for program in programs)


def _start_hint(program: str) -> str:
    if Path(program).name == "podman":
        return "try it by hand: podman info"
    return (
        "start the daemon: systemctl start docker; where it runs, let your user reach it: "
        "usermod -aG docker <user>, then log in again"
    )


def _settings(machine: Path | None) -> tuple[list[str], dict[str, str]]:
    path = machine / SETTINGS if machine else None
    if path is not None and path.is_file():
        value = read_json(path)
        if isinstance(value, dict):
            programs = [str(p) for p in value.get("engines", ()) if os.access(str(p), os.X_OK)]
            return programs, {str(k): str(v) for k, v in value.get("env", {}).items()}
    places = [f"{folder}/{name}" for name in NAMES for folder in _FOLDERS]
    found = [place for place in places if os.access(place, os.X_OK)]
    return found, {key: os.environ[key] for key in ("HOME", "DOCKER_HOST") if key in os.environ}
