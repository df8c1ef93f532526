"""`./pants run` of the example, in a Docker engine and in podman."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence

import pytest

from tests.e2e.conftest import Packaged
from tests.support.engine import Engine, register_emulation
from tests.support.publisher import LIMITS, Podman, health
from tests.support.registry_server import free_port
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RUN = ("run", "src/brewblox/service:image")


def containers(engine: Engine) -> Sequence[str]:
    """Return the IDs of the engine's containers."""
    return engine.docker("ps", "--all", "--quiet").split()


def test_run_serves_until_ctrl_c_and_loads_once(packaged: Packaged, engine: Engine) -> None:
    before = containers(engine)
    said = []
    port = free_port()
    options = ("--slim-image-run-engine=docker", f"--slim-image-run-port=127.0.0.1:{port}:5000")
    for _ in range(2):
        process = packaged.repository.start(*options, *RUN, daemon=True, DOCKER_HOST=engine.address)
        try:
            assert wait_for(lambda: health(port), 300, process)["name"] == "service"
        finally:
            os.killpg(process.pid, signal.SIGINT)
            said.append(process.communicate(timeout=60)[1])
        assert wait_for(lambda: containers(engine) == before, 30)
    assert ["loading localhost/slim-python-image" in one for one in said] == [True, False]


def test_podman_serves_until_ctrl_c(packaged: Packaged, podman: Podman) -> None:
    port = free_port()
    # The host's network: one of podman's own is not to be had everywhere that tests run.
    flags = " ".join((*LIMITS, "--network", "host"))
    options = (
        "--slim-image-run-engine=podman",
        f"--slim-image-run-env=BREWBLOX_PORT={port}",
        f"--docker-run-args={flags}",
    )
    process = packaged.repository.start(*options, *RUN, daemon=True, **podman.variables())
    try:
        assert wait_for(lambda: health(port), 300, process)["name"] == "service"
        (container,) = json.loads(podman("ps", "--format", "json"))
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    name = "localhost/slim-python-image/src/brewblox/service/image:linux-amd64"
    assert podman("image", "inspect", "--format", "{{.Id}}", name).strip() == container["ImageID"]
    assert wait_for(lambda: podman("ps", "--all", "--quiet") == "", 30)


def test_run_honours_the_fields_and_unpacks_zstd(packaged: Packaged, engine: Engine) -> None:
    script = "import os; print(os.environ['GREETING'], os.path.ismount('/srv/data'))"
    repository, build = packaged.repository, "src/brewblox/service/BUILD"
    fields = 'compression="zstd", env={"GREETING": "hello"}, volumes=["/srv/data"]'
    before = engine.docker("volume", "ls", "--quiet")
    repository.edit(build, '    ports=["5000"],\n', f'    ports=["5000"],\n    {fields},\n')
    try:
        run = repository.pants(
            "--slim-image-run-engine=docker",
            "--docker-run-args=--entrypoint=/app/bin/python",
            *(*RUN, "--", "-c", script),
            prefix=("env", f"DOCKER_HOST={engine.address}"),
            daemon=True,
        )
    finally:
        subprocess.run(["git", "checkout", "--quiet", build], cwd=repository.root, check=True)
    assert run.exit_code == 0, run.stderr
    assert run.stdout == "hello True\n"
    assert engine.docker("volume", "ls", "--quiet") == before, "the volume goes with the container"


def test_run_passes_arguments_and_environment(packaged: Packaged, engine: Engine) -> None:
    script = "import os, sys; print(os.environ['GREETING'], sys.argv[1:])"
    options = ("--slim-image-run-env=GREETING=hello", "--docker-run-args=--entrypoint=/app/bin/python")
    run = packaged.repository.pants(
        "--slim-image-run-engine=docker",
        *options,
        *(*RUN, "--", "-c", script, "one", "--two"),
        prefix=("env", f"DOCKER_HOST={engine.address}"),
        daemon=True,
    )
    assert run.exit_code == 0, run.stderr
    assert run.stdout == "hello ['one', '--two']\n"


def test_run_with_a_shell(packaged: Packaged, engine: Engine) -> None:
    command = "id -u; find /app/bin -name 'python*' | sort | head -1; echo $LANG | sed s/UTF/utf/; pwd"
    run = packaged.repository.pants(
        *("--slim-image-run-engine=docker", "--slim-image-run-debug"),
        *(*RUN, "--", "-c", command),
        prefix=("env", f"DOCKER_HOST={engine.address}"),
        daemon=True,
    )
    assert run.exit_code == 0, run.stderr
    assert run.stdout == "65532\n/app/bin/python\nC.utf-8\n/app\n"
    assert "service/image:linux-amd64-debug" in run.stderr


IMAGE_TEST = """
slim_image_test(name="image-test", image=":image", tests=[":tests"], commands=["python"])
"""


def test_tests_run_inside_the_image(packaged: Packaged, engine: Engine) -> None:
    repository, build = packaged.repository, packaged.repository.root / "src/brewblox/service/BUILD"
    before = build.read_text()
    build.write_text(before + IMAGE_TEST)
    try:
        run = repository.pants(
            *("--test-output=all", "--slim-image-tests-runner=docker"),
            *("test", "src/brewblox/service:image-test"),
            prefix=("env", f"DOCKER_HOST={engine.address}"),
            daemon=True,
        )
    finally:
        build.write_text(before)
    assert run.exit_code == 0, run.stderr
    assert "loading localhost/slim-python-image/src/brewblox/service/image-test:linux-amd64" in run.stderr
    assert "17 passed" in run.stderr


def test_run_of_another_platform_under_qemu(packaged: Packaged, engine: Engine) -> None:
    register_emulation("linux/arm/v7")
    script = "import brewblox_service, platform; print(platform.machine())"
    run = packaged.repository.pants(
        "--slim-image-run-engine=docker",
        "--slim-image-run-platform=linux/arm/v7",
        "--docker-run-args=--entrypoint=/app/bin/python",
        *(*RUN, "--", "-c", script),
        prefix=("env", f"DOCKER_HOST={engine.address}"),
        daemon=True,
    )
    assert run.exit_code == 0, run.stderr
    assert run.stdout == "armv7l\n"
