"""Starts packaged services in a Docker engine of the run's own, as their users would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.adopted.monorepos import Service
from bench.sizes.bases import FULL, make
from tests.support.engine import Engine, EngineError

_SECONDS = 180
_SUITE = "bookworm"
_ENVIRONMENT = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


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


def stand_in(engine: Engine, name: str, folder: Path) -> None:
    """Give an engine a Debian with Python and a compiler by the name of an image of a registry.

    :param name: of one of the official images of Python, which have it below /usr/local.
    :param folder: where its file system is kept.
    """
    context = folder / "context"
    context.mkdir(parents=True, exist_ok=True)
    engine.docker("import", "--change", f"ENV {_ENVIRONMENT}", str(make(FULL, _SUITE, folder)), "raw:latest")
    (context / "Dockerfile").write_text("FROM raw:latest\nRUN ln -s /usr/bin/python3 /usr/local/bin/python\n")
    engine.docker("build", "--network", "none", "--tag", name, str(context))


def image_sizes(engine: Engine, image: str, folder: Path) -> tuple[int, int]:
    """Return the bytes of an image's layers, compressed as a push would and unpacked."""
    layout = folder / "had"
    shutil.rmtree(layout, ignore_errors=True)
    command = ["skopeo", "copy", "--quiet", "--src-daemon-host", engine.address]
    subprocess.run([*command, f"docker-daemon:{image}", f"oci:{layout}:had"], check=True)
    try:
        return compressed_bytes(layout), int(
            engine.docker("image", "inspect", "--format", "{{.Size}}", image)
        )
    finally:
        shutil.rmtree(layout)


def compressed_bytes(layout: Path) -> int:
    """Return the bytes of the layers of the one image of a layout."""
    (descriptor,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = json.loads((layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes())
    return sum(layer["size"] for layer in manifest["layers"])


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
