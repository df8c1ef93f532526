"""A distribution that is built in a container of its platform: real engine, real QEMU, through `./pants`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.e2e.conftest import Packaged
from tests.integration.repository import Caches, copy_plugin, locked, make_repository, stopped
from tests.support.engine import Engine, register_emulation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BUILD = """
debian_python_base(
    name="arm",
    suites=["bookworm"],
    packages=["base-files"],
    emulation_packages=["gcc", "libc6-dev"],
    python="3.11",
    platforms=["linux/arm/v7"],
)
python_requirement(name="date", requirements=["ciso8601"])
python_sources(name="lib", sources=["app.py"])
slim_python_image(
    name="image",
    base=":arm",
    dependencies=[":lib"],
    entry_point="app",
    no_binary=["ciso8601"],
    output_format="docker-archive",
)
"""
APP = """
import platform
import ciso8601
with open(ciso8601.__file__, "rb") as file:
    embedded = b"/build/work" in file.read()
print(ciso8601.parse_datetime("2026-11-23").year, platform.machine(), ciso8601.__file__, embedded)
"""
SETTINGS = '[slim-image.builds]\nciso8601 = { emulate = ["linux/arm/v7"] }\n'
CONTAINER = "in a container of linux/arm/v7"


def what_is_there(engine: Engine) -> list[list[str]]:
    """Return the ids of the containers and the images; the engine lists images of one second in any order."""
    commands = (("ps", "--all", "--quiet"), ("images", "--all", "--quiet"))
    return [sorted(engine.docker(*command).split()) for command in commands]


def build_emulated(engine: Engine, caches: Caches, folder: Path) -> None:
    plugin = copy_plugin(folder / "pants-plugins")
    with stopped(make_repository(folder / "repository", caches, plugin=plugin)) as repository:
        podman = folder / "tools/podman"  # this machine may have one
        podman.parent.mkdir()
        podman.write_text("#!/bin/sh\nexit 1\n")
        podman.chmod(0o755)
        repository.env |= {"DOCKER_HOST": engine.address, "PATH": f"{podman.parent}:{os.environ['PATH']}"}
        repository.write("pants.toml", (repository.root / "pants.toml").read_text() + SETTINGS)
        repository.write("3rdparty/python/default.lock", locked("ciso8601"))
        repository.write("src/app/BUILD", BUILD)
        repository.write("src/app/app.py", APP)
        for resolve in ("arm", "python-default-build"):
            run = repository.pants("generate-lockfiles", f"--resolve={resolve}", daemon=True)
            assert run.exit_code == 0, run.stderr
        kept = what_is_there(engine)
        run = repository.package("src/app:image", daemon=True)
        assert [name for name in run.started if CONTAINER in name]
        assert not [name for name in run.started if "Compile the C" in name]
        # Neither image nor container, nor a layer of one, is left.
        assert what_is_there(engine) == kept
        report = json.loads((repository.root / "dist/src.app/image.json").read_bytes())
        (wheel,) = report["platforms"][0]["wheels"]
        assert wheel["filename"].endswith("-cp311-cp311-linux_armv7l.whl")
        image = engine.load(repository.root / "dist/src.app/image.tar")
        said = engine.docker("run", "--rm", "--platform", "linux/arm/v7", image).split()
        module = "ciso8601.cpython-311-arm-linux-gnueabihf.so"
        assert said == ["2026", "armv7l", f"/app/lib/python3.11/site-packages/{module}", "False"]
        engine.docker("rmi", image)
        # The engine is in no key: where there is none, the wheel comes from the cache.
        repository.env["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
        repository.edit("src/app/BUILD", 'output_format="docker-archive"', 'labels={"a": "b"}')
        assert not [name for name in repository.package("src/app:image").started if CONTAINER in name]
        # Another build of it asks for the engine again, and nothing takes its place in silence.
        repository.edit("pants.toml", "emulate = ", "pure = false, emulate = ")
        message = repository.failure("src/app:image")
        assert "docker and podman do not answer" in message
        assert "systemctl start docker" in message


def test_a_wheel_is_built_in_a_container_of_its_platform(
    engine: Engine, packaged: Packaged, tmp_path: Path
) -> None:
    register_emulation("linux/arm/v7")
    build_emulated(engine, packaged.repository.caches, tmp_path)
