"""The three services on a pair like ``python:3.11-alpine``: musllinux wheels, sdists compiled for musl, run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Packaged
from tests.integration.repository import Repository, fresh_clone, stopped
from tests.support.base_pair import push
from tests.support.engine import Engine
from tests.support.musl_image import musl_builder, musl_image
from tests.support.musl_python import VERSION
from tests.support.publisher import SERVICES
from tests.support.registry_server import running_registry

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COMPILED = {"ciso8601", "httptools", "netifaces"}
USER = "65532"
"""By number, as the image says it: the base has no such name."""


@pytest.fixture(scope="module")
def on_musl(packaged: Packaged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Give a clone whose services stand on the pair, packaged, with the caches of the run on Debian."""
    folder = tmp_path_factory.mktemp("musl")
    with running_registry(folder / "registry") as registry:
        push(musl_image(folder), f"{registry.host}/python:3.11-alpine")
        push(musl_builder(folder), f"{registry.host}/python:3.11-alpine-dev")
        clone = fresh_clone(folder / "repository")
        repository = Repository(clone.root, packaged.repository.caches, clone.env)
        repository.write(
            "3rdparty/images/BUILD",
            'registry_python_base(name="alpine", image="@local/python:3.11-alpine",\n'
            '    builder_image="@local/python:3.11-alpine-dev", platforms=["linux/amd64"])\n',
        )
        with (repository.root / "pants.toml").open("a") as file:
            file.write(f'\n[docker.registries.local]\naddress = "{registry.host}"\n')
        defaults = repository.root / "src/brewblox/BUILD"
        text = defaults.read_text().replace("//3rdparty/debian:bookworm-py311", "//3rdparty/images:alpine")
        # ujson's musllinux wheel brings a libstdc++ that musl loads from 1.2.4 on (DT_RELR); Debian's is 1.2.3.
        text = text.replace("no_binary=[", 'no_binary=["ujson", ')
        defaults.write_text(re.sub(r"platforms=\[.*?\]", 'platforms=["linux/amd64"]', text))
        for service in SERVICES:
            build, head = repository.root / f"src/brewblox/{service}/BUILD", "slim_python_image(\n"
            build.write_text(build.read_text().replace(head, f'{head}    output_format="docker-archive",\n'))
        with stopped(repository):
            locked = repository.pants("generate-lockfiles", "--resolve=alpine", daemon=True)
            assert locked.exit_code == 0, locked.stderr
            repository.package(*(f"src/brewblox/{service}:image" for service in SERVICES), daemon=True)
            yield repository


def report(repository: Repository, service: str) -> dict[str, object]:
    """Return what the report says of the image's one platform."""
    text = (repository.root / f"dist/src.brewblox.{service}/image.json").read_bytes()
    (platform,) = json.loads(text)["platforms"]
    assert isinstance(platform, dict)
    return platform


def test_the_lock_has_the_pythons_libc(on_musl: Repository) -> None:
    lock = json.loads((on_musl.root / "3rdparty/images/alpine.lock").read_bytes())
    assert lock["platforms"]["linux/amd64"]["target"] == {
        "libc": "musl", "libc_version": "1.2", "platform": "linux/amd64", "python": VERSION,
    }  # fmt: skip


def test_wheels_are_those_of_musl_and_sdists_are_compiled(on_musl: Repository) -> None:
    wheels = report(on_musl, "devcon_spark")["wheels"]
    assert isinstance(wheels, list)
    tags = {one["name"]: one["filename"].removesuffix(".whl").rpartition("-")[2] for one in wheels}
    native = {name: tag for name, tag in tags.items() if tag != "any"}
    assert {name for name, tag in native.items() if tag == "linux_x86_64"} == COMPILED
    others = {tag for name, tag in native.items() if name not in COMPILED}
    assert others
    assert all(re.fullmatch(r"(manylinux\S+\.)?musllinux_1_[12]_x86_64", tag) for tag in others), native


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_answer(on_musl: Repository, engine: Engine, service: str) -> None:
    image = engine.load(on_musl.root / f"dist/src.brewblox.{service}/image.tar")
    with engine.run(image, "--user", USER) as container:
        assert container.wait_for_health()["name"] == service
        # No C library but musl is there; what was compiled here is loaded by it.
        code = "import sys, httptools, pydantic_core; print(open('/proc/self/maps').read())"
        maps = container.execute("/app/bin/python", "-c", code).stdout
        assert "/lib/ld-musl-x86_64.so.1" in maps
        assert re.search(r"/httptools/parser/parser\.cpython-311-x86_64-linux-musl\.so$", maps, re.MULTILINE)
        assert "libc.so.6" not in maps


def test_code_compiled_for_musl_runs(on_musl: Repository, engine: Engine) -> None:
    image = engine.load(on_musl.root / "dist/src.brewblox.devcon_spark/image.tar")
    with engine.run(image, "--user", USER) as container:
        assert container.wait_for_health()["name"] == "devcon_spark"
        code = (
            "import ciso8601, netifaces; "
            "print(ciso8601.parse_datetime('2014-12-05T12:30:45.123456-05:30').year, netifaces.interfaces()[0])"
        )
        assert container.execute("/app/bin/python", "-c", code).stdout == "2014 lo\n"
