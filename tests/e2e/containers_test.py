"""The images of the example, as a user runs them: `./pants package`, load, run, ask."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Packaged
from tests.support.engine import Container, Engine, register_emulation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Archive = Callable[..., Path]
EMULATED_SECONDS = 180
"""How long an emulated service may take to answer."""


def ask_nothing(_container: Container) -> None:
    """Check no more than health."""


def ask_spark(container: Container) -> None:
    """Convert with Pint, list with netifaces."""
    assert container.get("/units/convert?value=20&unit=degC&to=degF")["result"] == pytest.approx(68)
    assert "127.0.0.1" in str(container.get("/network/interfaces"))


def ask_history(container: Container) -> None:
    """The limits of the `files` target are found from the working directory."""
    assert container.get("/timeseries") == {}
    inside = (
        "from pathlib import Path; print(Path('src/brewblox/history/config/retention.json').stat().st_size)"
    )
    assert int(container.execute("/app/bin/python", "-c", inside).stdout) > 0


@pytest.mark.parametrize(
    ("service", "ask"), [("service", ask_nothing), ("devcon_spark", ask_spark), ("history", ask_history)]
)
def test_the_container_answers(
    engine: Engine, archive: Archive, service: str, ask: Callable[[Container], None]
) -> None:
    image = engine.load(archive(service))
    with engine.run(image) as container:
        assert container.wait_for_health()["name"] == service
        ask(container)
        assert container.execute("/app/bin/python", "-m", "pip", "--version").returncode != 0
        assert container.execute("/app/bin/python", "-c", "import os; print(os.getuid())").stdout == "65532\n"


@pytest.mark.parametrize("platform", ["linux/arm64", "linux/arm/v7"])
@pytest.mark.parametrize(
    ("service", "ask"), [("service", ask_nothing), ("devcon_spark", ask_spark), ("history", ask_history)]
)
def test_the_arm_container_answers_under_qemu(
    engine: Engine, archive: Archive, platform: str, service: str, ask: Callable[[Container], None]
) -> None:
    """The images were cross-built; only here, to run them, is there an emulator."""
    register_emulation(platform)
    architecture, _, variant = platform.removeprefix("linux/").partition("/")
    image = engine.load(archive(service, architecture, variant))
    with engine.run(image, "--platform", platform) as container:
        assert container.wait_for_health(EMULATED_SECONDS)["name"] == service
        machine = container.execute("/app/bin/python", "-c", "import platform; print(platform.machine())")
        assert machine.stdout.strip() == {"arm64": "aarch64", "arm": "armv7l"}[architecture]
        ask(container)


def test_docker_loads_a_docker_archive_as_it_is(engine: Engine, packaged: Packaged) -> None:
    repository = packaged.repository
    build = "src/brewblox/history/BUILD"
    before = packaged.layout("history").config()
    port = '    ports=["5000"],\n'
    repository.edit(build, port, f'{port}    output_format="docker-archive",\n    image_tags=["1.0"],\n')
    try:
        run = repository.package("src/brewblox/history:image", daemon=True)
    finally:
        subprocess.run(["git", "checkout", "--quiet", build], cwd=repository.root, check=True)
    assert run.started == [
        *("Pack image-linux-amd64.tar", "Pack image-linux-arm-v7.tar", "Pack image-linux-arm64.tar")
    ]
    image = engine.load(repository.root / "dist/src.brewblox.history/image-linux-amd64.tar")
    assert image == "src/brewblox/history/image:1.0"
    assert (
        json.loads(engine.docker("image", "inspect", image))[0]["Config"]["Labels"]
        == before["config"]["Labels"]
    )
    with engine.run(image) as container:
        assert container.wait_for_health()["name"] == "history"
