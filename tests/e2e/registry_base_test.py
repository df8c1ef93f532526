"""The example on a base that a registry has: the pair of a two-stage Dockerfile, made of Debian packages.

Locked, built for three platforms, published to that registry, pulled and run; what the registry was asked
meanwhile is read from its access log.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Packaged
from tests.integration.repository import Layout, Repository, Run, fresh_clone, stopped
from tests.support.base_pair import DISTROLESS, FULL, PLATFORMS, make_layouts, push
from tests.support.engine import Engine, register_emulation
from tests.support.publisher import LIMITS, SERVICES, Podman, Publisher
from tests.support.registry_server import Access, Registry, running_registry
from tests.support.zstd_layer import zstd_pair

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LOCK = "3rdparty/images/python-slim.lock"
SOURCE = "src/brewblox/devcon_spark/brewblox_devcon_spark/settings.py"
EMULATED_SECONDS = 180
"""How long an emulated service may take to answer."""


@dataclass(frozen=True)
class OnRegistry:
    """A clone whose services stand on a registry's images, and the registry."""

    repository: Repository
    registry: Registry

    @property
    def lock(self) -> dict[str, Any]:
        """The lock."""
        value = json.loads((self.repository.root / LOCK).read_bytes())
        assert isinstance(value, dict)
        return value

    def layers(self, *roles: str, platforms: tuple[str, ...] = PLATFORMS) -> list[str]:
        """Return the digests of the layers of ``base`` and of ``builder`` that the lock has."""
        rows = [self.lock["platforms"][platform] for platform in platforms]
        chosen = [row if role == "base" else row["builder"] for row in rows for role in roles]
        return [layer["digest"] for one in chosen for layer in one["layers"]]

    @contextmanager
    def lock_without(self, *layers: str) -> Iterator[None]:
        """Name blobs that nobody has instead of some layers, for a while."""
        file = self.repository.root / LOCK
        before = file.read_text()
        text = before
        for layer in layers:
            text = text.replace(layer, f"sha256:{hashlib.sha256(layer.encode()).hexdigest()}")
        assert text != before
        file.write_text(text)
        try:
            yield
        finally:
            file.write_text(before)

    def lock_base(self, name: str, image: str, **more: str) -> Run:
        """Add a base for linux/amd64 and try to lock it."""
        fields = {"name": name, "image": image, **more}
        with (self.repository.root / "3rdparty/images/BUILD").open("a") as file:
            file.write(f'registry_python_base(platforms=["linux/amd64"], **{fields})\n')
        return self.repository.pants("generate-lockfiles", f"--resolve={name}", daemon=True)

    def add_base(self, name: str, image: str, **more: str) -> dict[str, Any]:
        """Add a base for linux/amd64 and lock it, which has to work; return the lock."""
        run = self.lock_base(name, image, **more)
        assert run.exit_code == 0, run.stderr
        value = json.loads((self.repository.root / f"3rdparty/images/{name}.lock").read_bytes())
        assert isinstance(value, dict)
        return value

    @contextmanager
    def service_with(self, **fields: object) -> Iterator[None]:
        """Give the target of the service's image other fields, for a while."""
        build, head = "src/brewblox/service/BUILD", "slim_python_image(\n"
        before = (self.repository.root / build).read_text()
        assert before.count(head) == 1
        own = "".join(f"    {name}={value!r},\n" for name, value in fields.items())
        self.repository.write(build, before.replace(head, head + own))
        try:
            yield
        finally:
            self.repository.write(build, before)

    def layout(self, service: str) -> Layout:
        """Return the image of a service."""
        return self.repository.layout(f"src.brewblox.{service}/image")


def fetched(log: list[Access]) -> list[str]:
    """Return the digests of the blobs that were sent to somebody."""
    return [one.path.rsplit("/", 1)[-1] for one in log if one.method == "GET" and "/blobs/" in one.path]


@pytest.fixture(scope="module")
def on_registry(packaged: Packaged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnRegistry]:
    """Give a clone that names the pair of a registry, with the caches of the run that packaged the example."""
    folder = tmp_path_factory.mktemp("registry")
    with running_registry(folder / "registry") as registry:
        for name, layout in make_layouts(folder / "pair").items():
            push(layout, f"{registry.host}/{name}")
        clone = fresh_clone(folder / "repository")
        repository = Repository(clone.root, packaged.repository.caches, clone.env)
        repository.write(
            "3rdparty/images/BUILD",
            'registry_python_base(name="python-slim", image="@local/python:3.11-slim",\n'
            f'    builder_image="{registry.host}/python:3.11", platforms={list(PLATFORMS)})\n',
        )
        with (repository.root / "pants.toml").open("a") as file:
            file.write(f'\n[docker.registries.local]\naddress = "{registry.host}"\n')
        defaults = repository.root / "src/brewblox/BUILD"
        text = defaults.read_text().replace(
            "//3rdparty/debian:bookworm-py311", "//3rdparty/images:python-slim"
        )
        # Where there is a wheel, it is taken: compiling is what other tests are about.
        defaults.write_text(re.sub(r"no_binary=\[.*?\]", 'no_binary=["netifaces"]', text))
        with stopped(repository):
            yield OnRegistry(repository, registry)


def test_tags_are_locked_by_digest(on_registry: OnRegistry) -> None:
    registry, repository = on_registry.registry, on_registry.repository
    registry.accesses()
    locking = ("generate-lockfiles", "--resolve=python-slim")
    run = repository.pants(*locking, daemon=True)
    assert run.exit_code == 0, run.stderr
    text = (repository.root / LOCK).read_text()
    assert registry.host not in text
    row = on_registry.lock["platforms"]["linux/arm/v7"]
    assert row["target"] == {
        "libc": "glibc", "libc_version": "2.36", "platform": "linux/arm/v7", "python": "3.11.2",
    }  # fmt: skip
    assert row["found"]["interpreter"] == "/usr/bin/python3.11"
    asked = fetched(registry.accesses())
    assert not set(on_registry.layers("builder")) & set(asked), "nothing is compiled yet"
    assert all(asked.count(layer) == 1 for layer in on_registry.layers("base"))
    assert repository.pants(*locking, daemon=True).exit_code == 0
    assert (repository.root / LOCK).read_text() == text
    assert not set(on_registry.layers("base", "builder")) & set(fetched(registry.accesses()))


def test_a_tag_that_is_not_there_is_one_error(on_registry: OnRegistry) -> None:
    run = on_registry.lock_base("missing", "@local/python:4.0")
    host = on_registry.registry.host
    assert run.exit_code == 1
    assert run.error == (
        f"StepFailed: {host}/python:4.0: the registry has no image python with the tag or digest 4.0\n"
        f"  http://{host}/v2/python/manifests/4.0: answered 404 Not Found (MANIFEST_UNKNOWN: manifest unknown)\n"
        f"  -> look what it has: skopeo list-tags docker://{host}/python"
    )


def test_a_build_that_needs_no_byte_of_the_base_fetches_none(on_registry: OnRegistry) -> None:
    repository = on_registry.repository
    repository.write(
        "src/pure/BUILD",
        'python_wheel_set(name="wheels", dependencies=["//3rdparty/python:reqs#sortedcontainers"],\n'
        f'    base="//3rdparty/images:python-slim", platforms={list(PLATFORMS)})\n',
    )
    on_registry.registry.accesses()
    # No cache and no registry has these blobs: a step that wanted one would fail.
    with on_registry.lock_without(*on_registry.layers("base", "builder")):
        repository.package("src/pure:wheels", daemon=True)
    for name in ("linux-amd64", "linux-arm64", "linux-arm-v7"):
        wheels = (repository.root / "dist/src.pure/wheels" / name).iterdir()
        assert [wheel.name.partition("-")[0] for wheel in wheels] == ["sortedcontainers"]
    assert on_registry.registry.accesses() == []


def test_each_layer_of_the_pair_is_fetched_at_most_once(on_registry: OnRegistry) -> None:
    repository, registry = on_registry.repository, on_registry.registry
    registry.accesses()
    images = [f"src/brewblox/{service}:image" for service in SERVICES]
    repository.package(*images, daemon=True)
    asked = fetched(registry.accesses())
    # Those of the base are in the cache since the lock was written.
    assert sorted(asked) == sorted(on_registry.layers("builder"))
    for service in SERVICES:
        layout = on_registry.layout(service)
        for number, row in enumerate(layout.index["manifests"]):
            parts = [
                row["platform"][key] for key in ("os", "architecture", "variant") if key in row["platform"]
            ]
            base = on_registry.layers("base", platforms=("/".join(parts),))
            assert layout.layers(number)[: len(base)] == base
    assert repository.package(*images, daemon=True).started == []
    assert registry.accesses() == []


@dataclass(frozen=True)
class Published:
    """The first publish, and what the registry was asked in it."""

    publisher: Publisher
    run: Run
    log: list[Access]


@pytest.fixture(scope="module")
def published(on_registry: OnRegistry, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Publish the three services to the registry that has their base."""
    output = tmp_path_factory.mktemp("published") / "published.json"
    publisher = Publisher(on_registry.repository, on_registry.registry, output)
    on_registry.registry.accesses()
    run = publisher.run()
    return Published(publisher, run, on_registry.registry.accesses())


def test_blobs_of_the_base_are_mounted_and_shared_ones_go_up_once(
    on_registry: OnRegistry, published: Published
) -> None:
    base = set(on_registry.layers("base"))
    sent = [one.sent_blob for one in published.log if one.sent_blob]
    mounted = [one for one in published.log if one.mounted_blob in base]
    assert len(sent) == len(set(sent)) > 0
    assert not base & set(sent)
    assert {one.path.split("/")[3] for one in mounted} == set(SERVICES)
    assert len(mounted) == len(base) * len(SERVICES)
    assert all("from=python" in one.path for one in mounted)
    assert not base & set(fetched(published.log))
    for service in SERVICES:
        digest = on_registry.registry.tag(f"brewblox/{service}", "latest")
        assert digest == on_registry.layout(service).index_digest
        assert on_registry.layout(service).index["annotations"] == {
            "org.opencontainers.image.base.name": "python:3.11-slim",
            "org.opencontainers.image.base.digest": on_registry.lock["image"]["digest"],
        }
        report = on_registry.repository.root / f"dist/src.brewblox.{service}/image.json"
        assert json.loads(report.read_bytes())["fields"]["base_image"] == on_registry.lock["image"]["digest"]
        assert on_registry.registry.check_complete(f"brewblox/{service}", digest) > 3 * len(PLATFORMS)


def test_unchanged_images_send_no_blob_and_no_manifest(on_registry: OnRegistry, published: Published) -> None:
    on_registry.registry.accesses()
    run = published.publisher.run()
    log = on_registry.registry.accesses()
    assert log, "the registry was not even asked"
    assert not [one for one in log if one.writes]
    assert fetched(log) == []
    assert run.stderr.count("already there, nothing sent") == len(SERVICES)


def test_an_edit_sends_its_source_layer_and_documents(on_registry: OnRegistry, published: Published) -> None:
    publisher, registry = published.publisher, on_registry.registry
    registry.accesses()
    with publisher.edited(SOURCE):
        run = publisher.run()
        log = registry.accesses()
    index = registry.manifest("brewblox/devcon_spark", "latest")
    manifest = registry.manifest("brewblox/devcon_spark", index["manifests"][0]["digest"])
    assert {one.path.split("/")[3] for one in log if one.writes} == {"devcon_spark"}
    blobs = [one.sent_blob for one in log if one.sent_blob]
    # The source layer, which is one for all platforms, and a configuration per platform.
    assert manifest["layers"][-1]["digest"] in blobs
    assert len(blobs) == 1 + len(PLATFORMS)
    # A manifest per platform, and the index, by its tag alone.
    assert len([one for one in log if one.sent_manifest]) == len(PLATFORMS) + 1
    assert publisher.size("brewblox/devcon_spark", blobs) < 100_000
    assert f"{len(blobs)} blobs and {len(PLATFORMS) + 1} manifests" in run.stderr
    assert fetched(log) == []


@pytest.mark.parametrize("service", SERVICES)
def test_docker_pulls_and_runs_them(published: Published, engine: Engine, service: str) -> None:
    name = published.publisher.name(service)
    engine.docker("pull", "--quiet", name)
    # Debian's base has no user of that name: the image says so by number.
    user = json.loads(engine.docker("image", "inspect", name))[0]["Config"]["User"]
    with engine.run(name, "--user", user) as container:
        assert container.wait_for_health()["name"] == service
        assert container.execute("/app/bin/python", "-c", "import os; print(os.getuid())").stdout == "65532\n"


def test_docker_runs_one_for_arm_under_qemu(published: Published, engine: Engine) -> None:
    arm = "linux/arm/v7"
    register_emulation(arm)
    name = published.publisher.name("devcon_spark")
    engine.docker("pull", "--quiet", "--platform", arm, name)
    with engine.run(name, "--platform", arm, "--user", "65532") as container:
        assert container.wait_for_health(EMULATED_SECONDS)["name"] == "devcon_spark"
        machine = container.execute("/app/bin/python", "-c", "import platform; print(platform.machine())")
        assert machine.stdout.strip() == "armv7l"


@pytest.mark.parametrize("service", SERVICES)
def test_podman_pulls_and_runs_them(published: Published, podman: Podman, service: str) -> None:
    assert podman.health_of(published.publisher.name(service))["name"] == service


def test_a_base_that_is_gone_says_what_to_do(on_registry: OnRegistry) -> None:
    with on_registry.lock_without(*on_registry.layers("base", platforms=("linux/amd64",))):
        run = on_registry.repository.pants("package", "src/brewblox/service:image", daemon=True)
    assert run.exit_code == 1
    assert "the base's blob is gone: no registry has it any more" in run.error
    assert run.error.endswith("generate-lockfiles --resolve=python-slim")


# --- other images than Debian's ---------------------------------------------------------------------------


def test_an_image_without_shell_and_package_database_is_a_base(
    on_registry: OnRegistry, engine: Engine, tmp_path: Path
) -> None:
    repository, registry = on_registry.repository, on_registry.registry
    (layout,) = make_layouts(tmp_path, ["linux/amd64"], [DISTROLESS]).values()
    push(layout, f"{registry.host}/{DISTROLESS.name}")
    on_registry.add_base("distroless", f"@local/{DISTROLESS.name}", builder_image=f"@local/{FULL.name}")
    base = "//3rdparty/images:distroless"
    with on_registry.service_with(platforms=["linux/amd64"], base=base, output_format="docker-archive"):
        repository.package("src/brewblox/service:image", daemon=True)
    image = engine.load(repository.root / "dist/src.brewblox.service/image.tar")
    # The image's own user: distroless bases have it.
    assert json.loads(engine.docker("image", "inspect", image))[0]["Config"]["User"] == "65532:65532"
    with engine.run(image) as container:
        assert container.wait_for_health()["name"] == "service"
        assert container.execute("/bin/sh", "-c", "true").returncode != 0


# --- a layout of the repository ----------------------------------------------------------------------------


def test_a_layout_of_the_repository_is_a_base_and_layers_of_zstd_arrive(
    on_registry: OnRegistry, published: Published, podman: Podman, tmp_path: Path
) -> None:
    repository, registry = on_registry.repository, on_registry.registry
    images = repository.root / "images"
    for layout in zstd_pair(tmp_path):
        shutil.copytree(layout, images / layout.name)
    lock = on_registry.add_base("on-disk", "oci:images/slim", builder_image="oci:images/full")
    assert lock["inputs"]["image"] == "oci:images/slim"
    base = lock["platforms"]["linux/amd64"]["layers"]
    debian, top = (one["digest"] for one in base)
    assert debian in on_registry.layers("base", platforms=("linux/amd64",))
    publisher = Publisher(repository, registry, tmp_path / "published.json")
    registry.accesses()
    with on_registry.service_with(platforms=["linux/amd64"], base="//3rdparty/images:on-disk"):
        publisher.run("--slim-image-compression=zstd", services=["service"], folder="on-disk")
        log = registry.accesses()
        blob = images / "slim/blobs/sha256" / debian.partition(":")[2]
        with blob.open("r+b") as file:
            file.truncate(1000)
        broken = repository.pants("package", "src/brewblox/service:image", daemon=True)
    # The images published before have the layer below: it is mounted from theirs. Nobody has the one on top.
    assert debian in {one.mounted_blob for one in log} - {one.sent_blob for one in log}
    assert top in {one.sent_blob for one in log}
    index = registry.manifest("on-disk/service", "latest")
    manifest = registry.manifest("on-disk/service", index["manifests"][0]["digest"])
    assert [one["digest"] for one in manifest["layers"][: len(base)]] == [one["digest"] for one in base]
    kinds = [one["mediaType"].rpartition("+")[2] for one in manifest["layers"]]
    assert kinds == ["gzip", *["zstd"] * (len(kinds) - 1)]
    # A layout has no name that could be pulled.
    named = "org.opencontainers.image.base.digest"
    assert index["annotations"] == {named: lock["image"]["digest"]}
    assert manifest["annotations"] == {named: lock["platforms"]["linux/amd64"]["manifest"]["digest"]}
    name = f"{registry.host}/on-disk/service:latest"
    assert podman.health_of(name)["name"] == "service"
    options = ("--rm", *LIMITS, "--network=none", "--entrypoint=/app/bin/python")
    read = "print(open('/srv/greeting').read())"
    assert podman("run", *options, name, "-c", read) == "hello\n"
    assert broken.exit_code == 1
    assert f"{debian.partition(':')[2]}: the blob is damaged: 1000 bytes of " in broken.error
    assert broken.error.endswith("generate-lockfiles --resolve=on-disk")


def test_layouts_that_pants_does_not_see(on_registry: OnRegistry) -> None:
    missing = on_registry.lock_base("nowhere", "oci:images/nowhere")
    assert missing.exit_code == 1
    assert "nowhere: there is no layout images/nowhere in the repository" in missing.error
    ignored = on_registry.repository.root / "dist/base"
    ignored.mkdir(parents=True)
    (ignored / "oci-layout").write_text("{}")
    unseen = on_registry.lock_base("ignored", "oci:dist/base")
    assert unseen.exit_code == 1
    assert "ignored: Pants sees no file of the layout dist/base, it is empty or ignored" in unseen.error
