"""The example on a base that a registry has: the pair of a two-stage Dockerfile, made of Debian packages."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import SERVICES, Packaged, fresh_clone
from tests.integration.repository import Caches, Repository, stopped
from tests.support.base_pair import make_pair
from tests.support.engine import Engine
from tests.support.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LOCK = "3rdparty/images/python-slim.lock"
PLATFORMS = ("linux/amd64", "linux/arm/v7")


@dataclass(frozen=True)
class OnRegistry:
    """A clone whose services stand on a registry's images, and the registry."""

    repository: Repository
    registry: Registry

    def blobs(self, since: int) -> list[str]:
        """Return the digests of the blobs that were asked for."""
        paths = [access.path for access in self.registry.requests(since)]
        return [path.rsplit("/", 1)[-1] for path in paths if "/blobs/" in path]

    @property
    def lock(self) -> dict[str, object]:
        """The lock."""
        value = json.loads((self.repository.root / LOCK).read_bytes())
        assert isinstance(value, dict)
        return value

    def layers(self, role: str, platform: str) -> list[str]:
        """Return the digests of the layers that the lock has: of ``base`` or ``builder``."""
        row = self.lock["platforms"][platform]  # type: ignore[index]
        return [layer["digest"] for layer in (row if role == "base" else row["builder"])["layers"]]


@pytest.fixture(scope="module")
def on_registry(packaged: Packaged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnRegistry]:
    """Give a locked clone, with the caches of the run that packaged the example."""
    folder = tmp_path_factory.mktemp("registry")
    registry = Registry(folder / "registry")
    registry.start()
    try:
        pair = make_pair(registry.host, folder / "pair", PLATFORMS)
        clone = fresh_clone(folder / "repository")
        repository = Repository(clone.root, packaged.repository.caches, clone.env)
        repository.write(
            "3rdparty/images/BUILD",
            f'registry_python_base(name="python-slim", image="@here/python:3.11-slim",\n'
            f'    builder_image="{pair.builder_image}", platforms={list(PLATFORMS)})\n',
        )
        with (repository.root / "pants.toml").open("a") as file:
            file.write(f'\n[docker.registries.here]\naddress = "{registry.host}"\n')
        defaults = repository.root / "src/brewblox/BUILD"
        text = defaults.read_text().replace(
            "//3rdparty/debian:bookworm-py311", "//3rdparty/images:python-slim"
        )
        defaults.write_text(re.sub(r"platforms=\[.*?\]", 'platforms=["linux/amd64"]', text, flags=re.DOTALL))
        with stopped(repository):
            yield OnRegistry(repository, registry)
    finally:
        registry.stop()


def test_tags_are_locked_by_digest(on_registry: OnRegistry) -> None:
    since = len(on_registry.registry.requests())
    run = on_registry.repository.pants("generate-lockfiles", "--resolve=python-slim", daemon=True)
    assert run.exit_code == 0, run.stderr
    text = (on_registry.repository.root / LOCK).read_text()
    assert on_registry.registry.host not in text
    row = on_registry.lock["platforms"]["linux/arm/v7"]  # type: ignore[index]
    assert row["target"] == {
        "libc": "glibc", "libc_version": "2.36", "platform": "linux/arm/v7", "python": "3.11.2",
    }  # fmt: skip
    assert row["found"]["interpreter"] == "/usr/bin/python3.11"
    asked = on_registry.blobs(since)
    for platform in PLATFORMS:
        assert not set(on_registry.layers("builder", platform)) & set(asked), "nothing is compiled yet"
    assert (
        on_registry.repository.pants("generate-lockfiles", "--resolve=python-slim", daemon=True).exit_code
        == 0
    )
    assert (on_registry.repository.root / LOCK).read_text() == text


def test_the_services_answer_on_that_base(on_registry: OnRegistry, engine: Engine, tmp_path: Path) -> None:
    repository = on_registry.repository
    repository.package(*(f"src/brewblox/{service}:image" for service in SERVICES), daemon=True)
    fetched = [a.path.rsplit("/", 1)[-1] for a in on_registry.registry.requests() if a.method == "GET"]
    for role in ("base", "builder"):
        for layer in on_registry.layers(role, "linux/amd64"):
            assert fetched.count(layer) == 1, "each layer is fetched once"
    assert not set(on_registry.layers("builder", "linux/arm/v7")) & set(fetched), "not built for it"
    for service in SERVICES:
        layout = repository.layout(f"src.brewblox.{service}/image")
        assert layout.layers()[: len(on_registry.layers("base", "linux/amd64"))] == on_registry.layers(
            "base", "linux/amd64"
        )
        archive = tmp_path / f"{service}.tar"
        engine_name = f"{service}:registry"
        copy = [
            "copy",
            "--quiet",
            "--insecure-policy",
            f"oci:{layout.folder}",
            f"docker-archive:{archive}:{engine_name}",
        ]
        run_skopeo(*copy)
        with engine.run(engine.load(archive), "--user", layout.config()["config"]["User"]) as container:
            assert container.wait_for_health()["name"] == service
            assert (
                container.execute("/app/bin/python", "-c", "import os; print(os.getuid())").stdout
                == "65532\n"
            )


def run_skopeo(*arguments: str) -> None:
    subprocess.run(["skopeo", *arguments], check=True, stdin=subprocess.DEVNULL)


def test_packaging_again_asks_the_registry_nothing(on_registry: OnRegistry) -> None:
    since = len(on_registry.registry.requests())
    assert on_registry.repository.package("src/brewblox/service:image", daemon=True).started == []
    assert on_registry.registry.requests(since) == []


def test_a_build_that_needs_no_byte_of_the_base_fetches_none(on_registry: OnRegistry, tmp_path: Path) -> None:
    repository = Repository(on_registry.repository.root, Caches(tmp_path), on_registry.repository.env)
    repository.write(
        "src/pure/BUILD",
        'python_wheel_set(name="wheels", dependencies=["//3rdparty/python:reqs#sortedcontainers"],\n'
        f'    base="//3rdparty/images:python-slim", platforms={list(PLATFORMS)})\n',
    )
    since = len(on_registry.registry.requests())
    repository.package("src/pure:wheels")
    wheels = repository.root / "dist/src.pure/wheels/linux-arm-v7"
    assert [wheel.name.partition("-")[0] for wheel in wheels.iterdir()] == ["sortedcontainers"]
    assert on_registry.registry.requests(since) == []


def test_a_base_that_is_gone_says_what_to_do(on_registry: OnRegistry, tmp_path: Path) -> None:
    repository = Repository(on_registry.repository.root, Caches(tmp_path), on_registry.repository.env)
    lock = repository.root / LOCK
    before = lock.read_text()
    (layer,) = on_registry.layers("base", "linux/amd64")
    lock.write_text(before.replace(layer, "sha256:" + "0" * 64))
    try:
        run = repository.pants("package", "src/brewblox/service:image")
    finally:
        lock.write_text(before)
    assert run.exit_code == 1
    assert "the base's blob is gone: no registry has it any more" in run.error
    assert run.error.endswith("generate-lockfiles --resolve=python-slim")
