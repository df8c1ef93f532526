"""One engine and one fresh clone for all end-to-end tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.repository import Layout, Repository, Run, fresh_clone, stopped
from tests.support.engine import Engine, missing_tools
from tests.support.publisher import Podman, podman_storage
from tests.support.remote_cache import BuildGrid, running


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Give a running Docker engine of this run's own."""
    missing = missing_tools()
    if missing:
        pytest.skip(f"an engine needs {', '.join(missing)}: apt-get install docker.io, as root")
    engine = Engine(tmp_path_factory.mktemp("engine"))
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture
def podman() -> Iterator[Podman]:
    """Give podman with nothing in it."""
    with podman_storage() as podman:
        yield podman


@dataclass(frozen=True)
class Packaged:
    """A clone, and the run of ``./pants package ::`` in it that had nothing to start from."""

    repository: Repository
    first: Run

    def layout(self, service: str) -> Layout:
        """Return the image of a service."""
        return self.repository.layout(f"src.brewblox.{service}/image")


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuildGrid]:
    """Give a remote cache, which the first clone fills as it packages."""
    with running(tmp_path_factory.mktemp("shared-cache")) as server:
        yield server


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory, shared_cache: BuildGrid) -> Iterator[Packaged]:
    """Give a fresh clone in which everything has been packaged, without any container tool on the PATH."""
    folder = tmp_path_factory.mktemp("first")
    tools = folder / "tools"
    tools.mkdir()
    for name in ("docker", "dockerd", "podman", "skopeo", "qemu-arm-static", "qemu-aarch64-static"):
        hidden = tools / name
        hidden.write_text("#!/bin/sh\necho this machine has none >&2\nexit 127\n")
        hidden.chmod(0o755)
    with stopped(fresh_clone(folder, **shared_cache.environment())) as repository:
        hide = ("env", f"PATH={tools}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        run = repository.pants("package", "::", prefix=hide, daemon=True)
        assert run.exit_code == 0, run.stderr
        yield Packaged(repository, run)


@pytest.fixture(scope="session")
def archive(packaged: Packaged, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Answer with the docker-archive of a service's layout for this machine's platform."""
    folder = tmp_path_factory.mktemp("archives")
    skopeo = shutil.which("skopeo")
    assert skopeo, "apt-get install skopeo"

    def of(service: str, architecture: str = "amd64", variant: str = "") -> Path:
        file = folder / f"{service}-{architecture}{variant}.tar"
        names = [f"oci:{packaged.layout(service).folder}", f"docker-archive:{file}:{service}:{architecture}"]
        chosen = ["--override-os", "linux", "--override-arch", architecture]
        chosen += ["--override-variant", variant] if variant else []
        if not file.exists():  # skopeo refuses to write into an archive that is there
            subprocess.run([skopeo, *chosen, "copy", "--quiet", "--insecure-policy", *names], check=True)
        return file

    return of
