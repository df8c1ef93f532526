"""Starts packaged services in a Docker engine of the run's own, as their users would."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.adopted.monorepos import Service
from tests.support.engine import Engine, EngineError

_SECONDS = 180


@dataclass(frozen=True)
class Start:
    """What a service did.

    :param seconds: until it had ended, or answered.
    :param line: of its output, the one that was looked for.
    """

    seconds: float
    line: str


def load(engine: Engine, layout: Path, folder: Path) -> str:
    """Load an image of a layout; return its name."""
    archive = folder / "image.tar"
    archive.unlink(missing_ok=True)
    name = "adopted:latest"
    command = ["skopeo", "copy", "--quiet", f"oci:{layout}", f"docker-archive:{archive}:{name}"]
    subprocess.run(command, check=True)
    try:
        return engine.load(archive)
    finally:
        archive.unlink()


def found_line(service: Service, output: str) -> str:
    """Return the line that a service had to print.

    :raises EngineError: it did not; with the end of what it printed.
    """
    for line in output.splitlines():
        if re.search(service.prints, line):
            return line.strip()
    last = "\n".join(output.splitlines()[-30:])
    raise EngineError(f"{service.target}: printed nothing like {service.prints!r}, but\n{last}")


def start(engine: Engine, image: str, service: Service) -> Start:
    """Start a service with nothing writable, as nobody, and look whether it does what it should.

    :raises EngineError: it does not.
    """
    locked = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
    began = time.perf_counter()
    if service.exit_code is not None:
        done = engine.call("run", "--rm", *locked, *service.options, image, *service.command)
        output = done.stdout + done.stderr
        if done.returncode != service.exit_code:
            last = "\n".join(output.splitlines()[-30:])
            raise EngineError(f"{service.target}: ended with {done.returncode}:\n{last}")
        return Start(time.perf_counter() - began, found_line(service, output))
    number = engine.docker("run", "--detach", *locked, *service.options, image, *service.command).strip()
    try:
        asked = ("exec", number, "/app/bin/python", "-c", service.asks or "")
        while (done := engine.call(*asked)).returncode != 0:
            alive = engine.docker("inspect", "--format", "{{.State.Running}}", number).strip() == "true"
            if not alive or time.perf_counter() - began > _SECONDS:
                raise EngineError(f"{service.target}: no answer; {engine.docker('logs', number, merge=True)}")
            time.sleep(0.5)
        return Start(time.perf_counter() - began, found_line(service, done.stdout))
    finally:
        engine.call("rm", "--force", "--volumes", number)
