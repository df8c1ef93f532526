"""`./pants publish` of the example to a real registry, from which Docker and podman pull and run it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import Packaged
from tests.integration.repository import Run
from tests.support.engine import Engine
from tests.support.publisher import SERVICES, Podman, Publisher
from tests.support.registry_server import Access, running_registry

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TWO_PLACES = 'registries=["@local", "@other", "@lab"], image_tags=["1.0", "{pants.hash}"]'
SOURCE = "src/brewblox/devcon_spark/brewblox_devcon_spark/settings.py"


@dataclass(frozen=True)
class Published:
    """The first publish, and what the registry was asked in it."""

    publisher: Publisher
    run: Run
    log: list[Access]


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
    with publisher.edited(SOURCE):
        registry.accesses()
        run = publisher.run()
        log = registry.accesses()
    assert {one.path.split("/")[3] for one in log if one.writes} == {"devcon_spark"}
    blobs = [one.sent_blob for one in log if one.sent_blob]
    row = publisher.data()["brewblox/devcon_spark"]
    platforms = len(row["platforms"])
    # The source layer, which is one for all platforms, and a configuration per platform.
    assert len(blobs) == 1 + platforms
    # A manifest per platform, and the index, by its tag alone.
    assert len([one for one in log if one.sent_manifest]) == platforms + 1
    assert publisher.size("brewblox/devcon_spark", blobs) < 100_000
    assert row["digest"] != before["devcon_spark"]
    assert registry.tag("brewblox/service", "latest") == before["service"]
    assert f"{len(blobs)} blobs and {platforms + 1} manifests" in run.stderr


def test_docker_pulls_and_runs_what_was_published(published: Published, engine: Engine) -> None:
    for service in SERVICES:
        engine.docker("pull", "--quiet", published.publisher.name(service))
        with engine.run(published.publisher.name(service)) as container:
            assert container.wait_for_health()["name"] == service


def test_podman_pulls_and_runs_what_was_published(published: Published, podman: Podman) -> None:
    assert podman.health_of(published.publisher.name("service"))["name"] == "service"


def test_registries_tags_and_skip_push_are_those_of_docker_image(
    published: Published, tmp_path: Path
) -> None:
    repository, registry = published.publisher.repository, published.publisher.registry
    fields = {"service": TWO_PLACES, "history": "skip_push=True"}
    builds = {service: f"src/brewblox/{service}/BUILD" for service in fields}
    for service, build in builds.items():
        repository.edit(build, '    ports=["5000"],\n', f'    ports=["5000"],\n    {fields[service]},\n')
    with running_registry(tmp_path / "other") as other:
        registries = {
            "local": {"address": registry.host, "default": True, "extra_image_tags": ["edge"]},
            "other": {"address": other.host, "repository": "team/{name}-{directory}"},
            "lab": {"address": "lab.example.com", "skip_push": True},
        }
        try:
            run = repository.pants(
                f"--docker-registries={registries!r}",
                "--docker-default-repository=names/{parent_directory}/{directory}",
                *("publish", f"--output={tmp_path}/published.json"),
                *(f"src/brewblox/{service}:image" for service in fields),
                daemon=True,
            )
        finally:
            subprocess.run(["git", "checkout", "--quiet", *builds.values()], cwd=repository.root, check=True)
        assert run.exit_code == 0, run.stderr
        rows = {row["names"][0]: row for row in json.loads((tmp_path / "published.json").read_bytes())}
        digest = rows[f"{registry.host}/names/brewblox/service:1.0"]["digest"]
        tag = digest.partition(":")[2]
        local = {one: registry.tag("names/brewblox/service", one) for one in ("1.0", tag, "edge", "latest")}
        assert local == {"1.0": digest, tag: digest, "edge": digest, "latest": None}
        assert {one: other.tag("team/image-service", one) for one in ("1.0", tag, "edge")} == {
            "1.0": digest, tag: digest, "edge": None,
        }  # fmt: skip
        assert other.check_complete("team/image-service", tag) > 10
    assert rows["lab.example.com/names/brewblox/service:1.0"]["published"] is False
    assert (
        "lab.example.com/names/brewblox/service:1.0 skipped (by `skip_push` on registry @lab)." in run.stderr
    )
    assert "skipped (by `skip_push` on src/brewblox/history:image)." in run.stderr
    assert registry.tag("names/brewblox/history", "latest") is None
