"""The machine's container engine, docker or podman, through its command line.

Which one it is, and where, is found when a step runs: the backend leaves ``container-engine.json`` in the
machine's named cache, ``{"engines": [paths], "env": {variables of the client}}``. Without it, the usual
places are looked at. No cache key holds any of this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ociwheel import process
from ociwheel.documents import read_json
from ociwheel.errors import ToolError
from ociwheel.process import Completed

ENGINES = ("docker", "podman")
SETTINGS = "container-engine.json"
_FOLDERS = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")
_INSTALL = "install one: apt-get install podman (or docker.io); on macOS: brew install podman"
_START_DOCKER = (
    "start the daemon: systemctl start docker; where it runs, let your user reach it: "
    "usermod -aG docker <user>, then log in again"
)
_DETAILS = 12
# What tells on which platform programs run without emulation.
_QUESTIONS = {
    "docker": ("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"),
    "podman": ("info", "--format", "{{.Version.OsArch}}"),
}


@dataclass(frozen=True)
class ContainerEngine:
    """A client that has an engine behind it.

    :param program: the client's path.
    :param platform: what the engine runs without emulation, ``linux/arm64``; empty where nobody asked.
    """

    program: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    platform: str = ""

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

    def replace_process(self, args: Sequence[str]) -> NoReturn:
        """Become the client: it gets the terminal and its signals, and its exit code is ours."""
        os.execve(self.program, [self.name, *args], dict(self.env))  # noqa: S606 (no shell is wanted)


def shortened(lines: Iterable[str]) -> list[str]:
    """Return lines of a message, none of them endless."""
    return [line[:400] for line in lines]


def reach(program: str, env: Mapping[str, str]) -> ContainerEngine:
    """Return the engine behind a client.

    :raises ToolError: none answers; with what the client said.
    """
    question = _QUESTIONS[Path(program).name]
    done = process.run([program, *question], env=env, install_hint=_INSTALL)
    platform = done.stdout.strip()
    if done.returncode == 0 and platform.startswith("linux/"):
        return ContainerEngine(program, env, platform)
    raise ToolError("does not answer", where=program, details=shortened(done.tail(4)) or ["it said nothing"])


def find_engine(wanted: str, env: Mapping[str, str]) -> ContainerEngine:
    """Return an engine of the user's ``PATH`` that answers.

    :param wanted: ``docker``, ``podman``, or ``auto`` for the first of them that answers.
    :raises ToolError: there is none; with what each said.
    """
    answers = []
    for name in ENGINES if wanted == "auto" else (wanted,):
        program = shutil.which(name, path=env.get("PATH"))
        if program is None:
            answers.append(f"{name}: not installed")
            continue
        try:
            return reach(program, env)
        except ToolError as e:
            answers.append(f"{name}: {' '.join(e.details)}")
    raise ToolError("no container engine answers", details=answers, hint=_INSTALL)


def engine_for_builds(machine: Path | None, where: str) -> ContainerEngine:
    """Return the first engine of the machine that answers.

    :param machine: the folder of the machine's settings.
    :param where: what needs it, for messages.
    :raises ToolError: there is none, or none answers; with what each said.
    """
    needed = "is built in a container (its setting `emulate`), and"
    programs, env = machine_engines(machine)
    found, failed = _first(programs, env)
    if found:
        return found
    said = [
        line
        for program, e in failed
        for line in (f"{program}: {e.what}", *(f"  {detail}" for detail in e.details))
    ]
    if not said:
        what = f"{needed} this machine has neither docker nor podman"
        raise ToolError(what, where=where, hint=_INSTALL)
    names = [Path(program).name for program in programs]
    what = f"{needed} {' and '.join(names)} {'does' if len(names) == 1 else 'do'} not answer"
    hint = "try it by hand: podman info" if names[0] == "podman" else _START_DOCKER
    raise ToolError(what, where=where, details=said, hint=hint)


def engine_for_tests(wanted: str) -> ContainerEngine:
    """Return an engine of the machine, as its settings name them, that answers.

    :param wanted: ``docker`` or ``podman``; anything else is the first that answers.
    :raises ToolError: there is none, or none answers; with what each said.
    """
    folder = os.environ.get("OCIWHEEL_MACHINE")
    programs, env = machine_engines(Path(folder) if folder else None)
    if wanted in ENGINES:
        programs = [one for one in programs if Path(one).name == wanted]
    found, failed = _first(programs, env)
    if found:
        return found
    said = [f"{program}: {' '.join(e.details)}" for program, e in failed]
    raise ToolError("no container engine answers", details=said, hint=_INSTALL)


def _first(
    programs: Sequence[str], env: Mapping[str, str]
) -> tuple[ContainerEngine | None, list[tuple[str, ToolError]]]:
    """Return the first engine that answers, and why those before it do not."""
    failed: list[tuple[str, ToolError]] = []
    for program in programs:
        try:
            return reach(program, env), failed
        except ToolError as e:
            failed.append((program, e))
    return None, failed


def machine_engines(machine: Path | None) -> tuple[list[str], dict[str, str]]:
    """Return the clients of the machine and the variables that they read, as its settings say."""
    path = machine / SETTINGS if machine else None
    if path is not None and path.is_file():
        value = read_json(path)
        if isinstance(value, dict):
            programs = [str(p) for p in value.get("engines", ()) if os.access(str(p), os.X_OK)]
            return programs, {str(k): str(v) for k, v in value.get("env", {}).items()}
    places = [f"{folder}/{name}" for name in ENGINES for folder in _FOLDERS]
    found = [place for place in places if os.access(place, os.X_OK)]
    return found, {key: os.environ[key] for key in ("HOME", "DOCKER_HOST") if key in os.environ}
