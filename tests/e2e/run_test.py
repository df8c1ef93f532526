"""`./pants run` of the example, in a Docker engine."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence

import pytest

from tests.e2e.conftest import Packaged
from tests.integration.repository import Repository
from tests.support.engine import Engine, register_emulation
from tests.support.publisher import health
from tests.support.registry_server import free_port
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def start_run(repository: Repository, engine: Engine, *options: str) -> subprocess.Popen[str]:
    """Start ``./pants run`` of a service as a terminal does: in a process group of its own."""
    arguments = ["--slim-image-run-engine=docker", *options, "run", "src/brewblox/service:image"]
    return repository.start(*arguments, daemon=True, DOCKER_HOST=engine.address)


def containers(engine: Engine) -> Sequence[str]:
    """Return the IDs of the engine's containers."""
    return engine.docker("ps", "--all", "--quiet").split()


def test_run_serves_until_ctrl_c_and_loads_once(packaged: Packaged, engine: Engine) -> None:
    before = containers(engine)
    said = []
    port = free_port()
    for _ in range(2):
        process = start_run(packaged.repository, engine, f"--slim-image-run-port=127.0.0.1:{port}:5000")
        try:
            assert wait_for(lambda: health(port), 300, process)["name"] == "service"
        finally:
            os.killpg(process.pid, signal.SIGINT)
            said.append(process.communicate(timeout=60)[1])
        assert wait_for(lambda: containers(engine) == before, 30)
    assert ["loading localhost/slim-python-image" in one for one in said] == [True, False]


def test_run_passes_arguments_and_environment(packaged: Packaged, engine: Engine) -> None:
    script = "import os, sys; print(os.environ['GREETING'], sys.argv[1:])"
    options = ("--slim-image-run-env=GREETING=hello", "--docker-run-args=--entrypoint=/app/bin/python")
    run = packaged.repository.pants(
        "--slim-image-run-engine=docker",
        *options,
        *("run", "src/brewblox/service:image", "--", "-c", script, "one", "--two"),
        prefix=("env", f"DOCKER_HOST={engine.address}"),
        daemon=True,
    )
    assert run.exit_code == 0, run.stderr
    assert run.stdout == "hello ['one', '--two']\n"


def test_run_of_another_platform_under_qemu(packaged: Packaged, engine: Engine) -> None:
    register_emulation("linux/arm/v7")
    script = "import brewblox_service, platform; print(platform.machine())"
    run = packaged.repository.pants(
        "--slim-image-run-engine=docker",
        "--slim-image-run-platform=linux/arm/v7",
        "--docker-run-args=--entrypoint=/app/bin/python",
        *("run", "src/brewblox/service:image", "--", "-c", script),
        prefix=("env", f"DOCKER_HOST={engine.address}"),
        daemon=True,
    )
    assert run.exit_code == 0, run.stderr
    assert run.stdout == "armv7l\n"
