"""`./pants publish` of the example's services, and what registry and engines make of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.repository import Repository, Run
from tests.support.engine import find_tool
from tests.support.registry_server import Registry, free_port
from tests.support.waiting import wait_for

SERVICES = ("service", "devcon_spark", "history")
# Of runs of this sort on small machines, where a container may not have as many files and processes as it asks for.
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")


@dataclass
class Publisher:
    """Publishes the services of a clone.

    :param output: the file that `publish --output` writes.
    """

    repository: Repository
    registry: Registry
    output: Path

    def run(self, *options: str, services: Iterable[str] = SERVICES, folder: str = "brewblox") -> Run:
        """Run ``./pants publish``, which has to work; the repositories are in ``folder`` of the registry."""
        # Pants reads a literal of Python's here.
        registries = repr({"local": {"address": self.registry.host, "default": True}})
        run = self.repository.pants(
            f"--docker-registries={registries}",
            f"--docker-default-repository={folder}/{{directory}}",
            "publish",
            f"--output={self.output}",
            *options,
            *(f"src/brewblox/{service}:image" for service in services),
            daemon=True,
        )
        assert run.exit_code == 0, run.stderr
        return run

    def data(self) -> dict[str, Any]:
        """Return what ``--output`` says, by repository."""
        rows = json.loads(self.output.read_text())
        return {row["names"][0].partition("/")[2].partition(":")[0]: row for row in rows}

    def name(self, service: str) -> str:
        """Return the name of an image in the registry."""
        return f"{self.registry.host}/brewblox/{service}:latest"

    @contextmanager
    def edited(self, path: str) -> Iterator[None]:
        """Add a line to a source file for a while."""
        source = self.repository.root / path
        source.write_text(source.read_text() + "\nEDITED = True\n")
        try:
            yield
        finally:
            subprocess.run(["git", "checkout", "--quiet", path], cwd=self.repository.root, check=True)

    def size(self, repository: str, digests: Iterable[str]) -> int:
        """Return the bytes of some blobs that the registry has."""
        heads = [self.registry.get(f"{repository}/blobs/{digest}", "HEAD")[1] for digest in digests]
        return sum(int(head["content-length"]) for head in heads)


@dataclass(frozen=True)
class Podman:
    """Podman with images and containers of the test's own."""

    folder: Path

    def __call__(self, *args: str) -> str:
        """Run it, which has to work."""
        program = find_tool("podman")
        assert program, "apt-get install podman"
        places = ("--root", str(self.folder / "root"), "--runroot", str(self.folder / "run"))
        done = subprocess.run([program, *places, *args], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def variables(self) -> dict[str, str]:
        """Return the environment in which podman, whoever starts it, has the same images and containers."""
        storage = self.folder / "storage.conf"
        places = f'graphroot = "{self.folder}/root"\nrunroot = "{self.folder}/run"\n'
        storage.write_text(f'[storage]\ndriver = "overlay"\n{places}')
        return {"CONTAINERS_STORAGE_CONF": str(storage)}

    def health_of(self, image: str) -> Any:
        """Pull an image from a registry on this machine, run it, and return what ``/health`` answers."""
        port = free_port()
        # The host's network: one of podman's own is not to be had everywhere that tests run.
        options = (*LIMITS, "--network", "host", "--env", f"BREWBLOX_PORT={port}")
        self("pull", "--quiet", "--tls-verify=false", image)
        self("run", "--detach", *options, image)
        return wait_for(lambda: health(port), 60)


@contextmanager
def podman_storage() -> Iterator[Podman]:
    """Give podman with an empty place for its images: a short path, it takes none of more than 50 characters."""
    podman = Podman(Path(tempfile.mkdtemp(prefix="podman-")))
    try:
        yield podman
        podman("rm", "--all", "--force")
    finally:
        subprocess.run(["umount", "--quiet", podman.folder / "root/overlay"], check=False)
        shutil.rmtree(podman.folder, ignore_errors=True)


def health(port: int) -> Any:
    """Return what ``/health`` answers, ``None`` while nobody does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None
