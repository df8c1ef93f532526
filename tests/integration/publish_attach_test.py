"""`./pants publish` with all that is said of an image, signed: the backend's part, with a key in a variable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.monorepo import write_monorepo
from tests.integration.repository import Caches, Repository, make_repository, stopped
from tests.support.registry_server import Registry

pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path: Path, plugin: Path, caches: Caches) -> Iterator[Repository]:
    with stopped(write_monorepo(make_repository(tmp_path / "repository", caches, plugin=plugin))) as made:
        yield made


def test_publish_attaches_and_signs_and_the_second_time_sends_nothing(
    repository: Repository, registry: Registry
) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    registries = repr({"local": {"address": registry.host, "default": True}})
    runs = [
        repository.pants(
            f"--docker-registries={registries}",
            "--docker-default-repository=attached/{directory}",
            "--slim-image-publish-attach",
            "--slim-image-publish-sign-key=env://THE_KEY",
            "publish",
            "--output=published.json",
            "src/service:image",
            prefix=("env", f"THE_KEY={key.decode()}"),
        )
        for _ in range(2)
    ]
    assert [run.exit_code for run in runs] == [0, 0], runs[0].stderr + runs[1].stderr
    assert "already there, nothing sent" in runs[1].stderr
    assert not any("PRIVATE KEY" in run.stderr + run.stdout for run in runs)
    (row,) = json.loads((repository.root / "published.json").read_text())
    (platform,) = row["platforms"].values()
    bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
    found = {
        digest: sorted(
            one["artifactType"]
            for one in registry.manifest("attached/service", digest.replace(":", "-"))["manifests"]
        )
        for digest in (row["digest"], platform)
    }
    assert found == {
        row["digest"]: [bundle] * 2 + ["application/vnd.in-toto+json"],
        platform: ["application/spdx+json", "application/vnd.cyclonedx+json"] + [bundle] * 3,
    }
    assert registry.manifest("attached/service", f"{platform.replace(':', '-')}.sig")["layers"]
