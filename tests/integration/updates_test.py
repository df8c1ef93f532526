"""`slim-updates` against a mirror, an index and a registry of the test's own, with the daemon."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ociwheel_testing.registry import FakeRegistry
from ociwheel_testing.simple_index import Offered, SimpleIndex, sha256

from tests.integration.repository import Caches, Repository, Run, copy_plugin, make_repository, stopped
from tests.support.debian import Mirror, paragraph, signing_key
from tests.support.debian_lock import LOCK
from tests.support.published_schemas import check_published

pytestmark = pytest.mark.slow

WHEEL = Offered("demo-1.0-py3-none-any.whl", b"demo")
TOOL = Offered("tool-1.0-py3-none-any.whl", b"tool")
BUILDER = Offered("setuptools-1.0-py3-none-any.whl", b"setuptools")
OCI = {"mediaType": "application/vnd.oci.image.index.v1+json", "schemaVersion": 2, "manifests": []}
TINY = 'debian_python_base(name="tiny", suites=["tiny", "tiny-security"], packages=["tzdata"])\n'
SLIM = 'registry_python_base(name="slim", image="{host}/team/python:3.11", platforms=["linux/amd64"])\n'
IMAGE = """\
python_sources(name="lib", sources=["app.py"])
slim_python_image(name="image", dependencies=[":lib"], entry_point="app", base="//3rdparty/bases:tiny",
    platforms=["linux/amd64"])
"""
BUILD_LOCK = {
    "schema": "ociwheel.build-lock/1",
    "environments": [],
    "files": {"setuptools==1.0": [{"filename": BUILDER.filename, "sha256": sha256(BUILDER.data)}]},
}


@dataclass
class World:
    """A repository whose locks are right, and what they were made from."""

    repository: Repository
    mirror: Mirror
    index: SimpleIndex
    registry: FakeRegistry

    def publish(self, **newer: str) -> None:
        """Let the suites have packages, some in newer versions."""
        versions = {"libssl3": "3.0.9", "libc6": "2.36-9", "libc6-dev": "2.36-9", "gone": "1", **newer}
        tzdata = paragraph("tzdata", versions.pop("tzdata", "2024a-0"), architecture="all")
        self.mirror.publish(
            "tiny",
            {
                one: [*(paragraph(*each, architecture=one) for each in versions.items()), tzdata]
                for one in ("amd64", "arm64")
            },
        )

    def ask(self, *options: str) -> Run:
        """Run the goal; only mirrors, indexes and registries of the test's own are asked by its steps."""
        mirrors = {"debian": [self.mirror.url], "debian-security": [self.mirror.url]}
        return self.repository.pants(
            f"--slim-image-debian-mirrors={mirrors!r}",
            f"--python-repos-indexes=+['{self.index.url}']",
            "slim-updates",
            *options,
            "::",
            daemon=True,
        )


@pytest.fixture
def world(tmp_path: Path, caches: Caches) -> Iterator[World]:
    plugin = copy_plugin(tmp_path / "plugin")
    made = make_repository(tmp_path / "repository", caches, plugin=plugin)
    projects = {"demo": [WHEEL], "tool": [TOOL], "setuptools": [BUILDER]}
    with signing_key() as key, SimpleIndex(projects) as index, FakeRegistry() as registry, stopped(made):
        shutil.copyfile(key.keyring, plugin / "ociwheel/debian/keys/test.gpg")
        mirror = Mirror(tmp_path / "mirror", key)
        mirror.publish("tiny-security", {"amd64": [], "arm64": []})
        root = registry.add_manifest(OCI, "3.11")
        slim = {
            "schema": "ociwheel.registry-lock/1",
            "inputs": {"image": "team/python:3.11"},
            "platforms": {"linux/amd64": {}},
            "image": {"digest": root["digest"]},
        }
        made.write("3rdparty/bases/BUILD", TINY + SLIM.format(host=registry.host))
        made.write("3rdparty/bases/tiny.lock", json.dumps(LOCK))
        made.write("3rdparty/bases/slim.lock", json.dumps(slim))
        shutil.rmtree(made.root / "3rdparty/debian")
        made.write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
        made.write("3rdparty/python/requirements.txt", "demo\ntool\n")
        pins = [
            f"{one.filename.split('-')[0]}==1.0 --hash=sha256:{sha256(one.data)}\n    # via -r x\n"
            for one in (WHEEL, TOOL)
        ]
        made.write("3rdparty/python/default.lock", "".join(pins))
        made.write("3rdparty/python/python-default.build.lock", json.dumps(BUILD_LOCK))
        made.write("src/app/app.py", "import demo\n")
        made.write("src/app/BUILD", IMAGE)
        yield World(made, mirror, index, registry)


def test_updates(world: World) -> None:
    world.publish()
    run = world.ask()
    assert run.exit_code == 0, run.stdout + run.stderr
    assert run.stdout.splitlines() == [
        "3rdparty/bases:slim: none of 1 images are others now",
        "3rdparty/bases:tiny: none of 7 packages have newer versions",
        "3rdparty/python/default.lock: none of 2 versions were taken back",
        "3rdparty/python/python-default.build.lock: none of 1 versions were taken back",
    ]

    # Nothing in the repository changes: only what mirror, index and registry have.
    before = {path: path.read_bytes() for path in world.repository.root.rglob("*.lock")}
    world.publish(libssl3="3.0.12", **{"libc6-dev": "2.36-10"})
    newer = [paragraph("libssl3", "3.0.11")]
    world.mirror.publish("tiny-security", {"amd64": newer, "arm64": []})
    world.registry.add_manifest({**OCI, "annotations": {"is": "newer"}}, "3.11")
    world.index.projects["demo"] = [Offered(WHEEL.filename, WHEEL.data, yanked=True)]
    world.index.projects["setuptools"] = []
    run = world.ask()
    assert run.exit_code == 1, run.stdout + run.stderr
    tiny = [line.strip() for line in run.stdout.splitlines() if line.startswith("  ")]
    assert tiny[0].startswith("image team/python:3.11: sha256:")
    assert tiny[1:] == [
        "-> lock it again: ./pants generate-lockfiles --resolve=slim",
        "security: libssl3 3.0.9 -> 3.0.12 (tiny; in images; amd64, arm64)",
        "libc6-dev 2.36-9 -> 2.36-10 (tiny; only for building; amd64)",
        "-> lock it again: ./pants generate-lockfiles --resolve=tiny",
        "demo 1.0 is yanked (needed by src/app:image)",
        "-> ask for other versions, then lock again: ./pants generate-lockfiles --resolve=python-default",
        "setuptools 1.0 is on no index any more (needed by builds of python-default)",
        "-> lock it again: ./pants generate-lockfiles --resolve=python-default-build",
    ]
    assert {path: path.read_bytes() for path in world.repository.root.rglob("*.lock")} == before

    # What does not answer is told beside the rest, and is no "nothing".
    shutil.rmtree(world.mirror.root / "dists/tiny-security")
    run = world.ask("--format=json", "--fail-on=nothing")
    assert run.exit_code == 2, run.stdout + run.stderr
    document = json.loads(run.stdout)
    check_published(document)
    assert "tiny-security" in document["packages"][0]["error"]
    assert document["images"][0]["updates"][0]["name"] == "team/python:3.11"
    assert document["distributions"][0]["updates"][0]["targets"] == ["src/app:image"]
