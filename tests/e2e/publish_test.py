"""`./pants publish` of the example to a real registry, from which Docker and podman pull and run it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import SERVICES, Packaged
from tests.integration.repository import Repository, Run
from tests.support.engine import Engine, find_tool
from tests.support.registry_server import Access, Registry, free_port, running_registry
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOURCE = "src/brewblox/devcon_spark/brewblox_devcon_spark/settings.py"
# Of runs of this sort on small machines, where a container may not have as many files and processes as it asks for.
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")


@dataclass
class Publisher:
    """Publishes the three services of the clone."""

    repository: Repository
    registry: Registry
    output: Path

    def run(self, *options: str, code: int = 0) -> Run:
        """Run ``./pants publish``."""
        # Pants reads a literal of Python's here.
        registries = repr({"local": {"address": self.registry.host, "default": True}})
        run = self.repository.pants(
            f"--docker-registries={registries}",
            "--docker-default-repository=brewblox/{directory}",
            "publish",
            f"--output={self.output}",
            *options,
            *(f"src/brewblox/{service}:image" for service in SERVICES),
            daemon=True,
        )
        assert run.exit_code == code, run.stderr
        return run

    def data(self) -> dict[str, Any]:
        """Return what ``--output`` says, by repository."""
        rows = json.loads(self.output.read_text())
        return {row["names"][0].partition("/")[2].partition(":")[0]: row for row in rows}


@dataclass(frozen=True)
class Published:
    """The first publish, and what the registry was asked in it."""

    publisher: Publisher
    run: Run
    log: list[Access]

    def name(self, service: str) -> str:
        """Return the name of an image in the registry."""
        return f"{self.publisher.registry.host}/brewblox/{service}:latest"


@pytest.fixture(scope="module")
def published(packaged: Packaged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Publish the three services to an empty registry."""
    folder = tmp_path_factory.mktemp("published")
    with running_registry(folder / "registry") as registry:
        publisher = Publisher(packaged.repository, registry, folder / "published.json")
        dry = publisher.run("--slim-image-publish-dry-run")
        assert "skipped (dry run: would send " in dry.stderr
        assert not [one for one in registry.accesses() if one.writes]
        run = publisher.run()
        yield Published(publisher, run, registry.accesses())


def test_each_shared_blob_goes_up_once(published: Published) -> None:
    sent = [one.sent_blob for one in published.log if one.sent_blob]
    assert len(sent) == len(set(sent))
    assert any(one.mounted_blob for one in published.log)
    data = published.publisher.data()
    registry = published.publisher.registry
    for service in SERVICES:
        row = data[f"brewblox/{service}"]
        assert row["published"] is True
        assert registry.tag(f"brewblox/{service}", "latest") == row["digest"]
        assert row["reference"] == f"{registry.host}/brewblox/{service}@{row['digest']}"
        assert registry.check_complete(f"brewblox/{service}", row["digest"]) > 10
    assert "published." in published.run.stderr


def test_unchanged_images_send_no_blob_and_no_manifest(published: Published) -> None:
    published.publisher.registry.accesses()
    run = published.publisher.run()
    log = published.publisher.registry.accesses()
    assert log, "the registry was not even asked"
    assert not [one for one in log if one.writes]
    assert run.stderr.count("already there, nothing sent") == len(SERVICES)


def test_an_edit_sends_its_source_layer_and_documents(published: Published) -> None:
    publisher, registry = published.publisher, published.publisher.registry
    before = {service: registry.tag(f"brewblox/{service}", "latest") for service in SERVICES}
    source = publisher.repository.root / SOURCE
    source.write_text(source.read_text() + "\nEDITED = True\n")
    try:
        registry.accesses()
        run = publisher.run()
        log = registry.accesses()
    finally:
        subprocess.run(["git", "checkout", "--quiet", SOURCE], cwd=publisher.repository.root, check=True)
    assert {one.path.split("/")[3] for one in log if one.writes} == {"devcon_spark"}
    blobs = [one.sent_blob for one in log if one.sent_blob]
    row = publisher.data()["brewblox/devcon_spark"]
    platforms = len(row["platforms"])
    # The source layer, which is one for all platforms, and a configuration per platform.
    assert len(blobs) == 1 + platforms
    # A manifest per platform, the index by its digest, and the tag.
    assert len([one for one in log if one.sent_manifest]) == platforms + 2
    size = sum(
        int(registry.get(f"brewblox/devcon_spark/blobs/{blob}", "HEAD")[1]["content-length"])
        for blob in blobs
    )
    assert size < 100_000, size
    assert row["digest"] != before["devcon_spark"]
    assert registry.tag("brewblox/service", "latest") == before["service"]
    assert f"{len(blobs)} blobs and {platforms + 1} manifests" in run.stderr


def test_docker_pulls_and_runs_what_was_published(published: Published, engine: Engine) -> None:
    for service in SERVICES:
        engine.docker("pull", "--quiet", published.name(service))
        with engine.run(published.name(service)) as container:
            assert container.wait_for_health()["name"] == service


def podman(*args: str, storage: Path) -> str:
    """Run podman with images and containers of the test's own."""
    program = find_tool("podman")
    assert program, "apt-get install podman"
    places = ("--root", str(storage / "root"), "--runroot", str(storage / "run"))
    done = subprocess.run([program, *places, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def storage() -> Iterator[Path]:
    """Give a place for podman's images: a short one, podman takes no path of more than 50 characters."""
    place = Path(tempfile.mkdtemp(prefix="podman-"))
    yield place
    podman("rm", "--all", "--force", storage=place)
    subprocess.run(["umount", "--quiet", place / "root/overlay"], check=False)
    shutil.rmtree(place, ignore_errors=True)


def health(port: int) -> Any:
    """Return what ``/health`` answers, ``None`` while nobody does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def test_podman_pulls_and_runs_what_was_published(published: Published, storage: Path) -> None:
    port = free_port()
    # The host's network: one of podman's own is not to be had everywhere that tests run.
    options = (*LIMITS, "--network", "host", "--env", f"BREWBLOX_PORT={port}", "--user", "nonroot")
    podman("pull", "--quiet", "--tls-verify=false", published.name("service"), storage=storage)
    podman("run", "--detach", *options, published.name("service"), storage=storage)
    assert wait_for(lambda: health(port), 60)["name"] == "service"
