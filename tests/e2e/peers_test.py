"""What cosign, oras and crane make of a service that is published with all that is said of it, and signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import Packaged
from tests.integration.repository import Run
from tests.support.peers import ask, distribution_registry, make_key, referrers_registry
from tests.support.registry_server import running_registry

_TYPES = {
    "application/spdx+json",
    "application/vnd.cyclonedx+json",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
}
_PASSWORD = "of the test"


@dataclass(frozen=True)
class Signed:
    """A service in a registry, published twice."""

    host: str
    runs: tuple[Run, Run]
    index: str
    """Its reference, by digest."""
    images: tuple[str, ...]
    home: Path

    def cosign(self, command: str, *arguments: str) -> str:
        """Verify with the public key alone."""
        options = (
            "--key",
            str(self.home / "cosign.pub"),
            "--insecure-ignore-tlog=true",
            "--allow-http-registry",
        )
        return ask("cosign", command, *options, *arguments, home=self.home)


def _published(packaged: Packaged, host: str, home: Path) -> Signed:
    registries = repr({"local": {"address": host, "default": True}})
    runs = tuple(
        packaged.repository.pants(
            f"--docker-registries={registries}",
            "--docker-default-repository=said/{directory}",
            "--slim-image-publish-attach",
            f"--slim-image-publish-sign-key={home / 'cosign.key'}",
            "publish",
            f"--output={home / 'published.json'}",
            "src/brewblox/service:image",
            prefix=("env", f"COSIGN_PASSWORD={_PASSWORD}"),
        )
        for _ in range(2)
    )
    assert [run.exit_code for run in runs] == [0, 0], runs[0].stderr + runs[1].stderr
    (row,) = json.loads((home / "published.json").read_text())
    place = row["reference"].partition("@")[0]
    images = tuple(f"{place}@{digest}" for digest in row["platforms"].values())
    return Signed(host, (runs[0], runs[1]), row["reference"], images, home)


@pytest.fixture(scope="module", params=["referrers", "docker-registry", "distribution"])
def signed(
    request: pytest.FixtureRequest, packaged: Packaged, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Signed]:
    home = tmp_path_factory.mktemp("signed")
    make_key(home, _PASSWORD)
    if request.param == "referrers":
        with referrers_registry() as host:
            yield _published(packaged, host, home)
    elif request.param == "distribution":
        with distribution_registry(home) as host:
            yield _published(packaged, host, home)
    else:
        with running_registry(home / "registry") as registry:
            yield _published(packaged, registry.host, home)


def test_oras_finds_sboms_provenance_and_signatures(signed: Signed) -> None:
    def types(reference: str) -> set[str]:
        said = json.loads(
            ask("oras", "discover", "--plain-http", "--format", "json", reference, home=signed.home)
        )
        place = reference.partition("@")[0]
        # go-containerregistry lists the type of the configuration in place of the artifact's.
        rows = said.get("referrers") or said.get("manifests")
        manifests = [ask("crane", "manifest", f"{place}@{one['digest']}", home=signed.home) for one in rows]
        return {json.loads(one)["artifactType"] for one in manifests}

    assert types(signed.index) == {
        "application/vnd.in-toto+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
    }
    assert all(types(image) == _TYPES for image in signed.images)


def test_cosign_verifies_index_and_images(signed: Signed) -> None:
    for reference in (signed.index, *signed.images):
        signed.cosign("verify", reference)
        signed.cosign("verify", "--new-bundle-format=false", reference)


def test_cosign_verifies_what_is_said_of_them(signed: Signed) -> None:
    signed.cosign("verify-attestation", "--type", "slsaprovenance1", signed.index)
    for image in signed.images:
        for kind in ("spdxjson", "cyclonedx"):
            signed.cosign("verify-attestation", "--type", kind, image)


def test_cosign_refuses_another_key(signed: Signed, tmp_path: Path) -> None:
    make_key(tmp_path, "")
    with pytest.raises(AssertionError, match=r"(?i)signature"):
        ask(
            "cosign", "verify", "--key", str(tmp_path / "cosign.pub"), "--insecure-ignore-tlog=true",
            "--allow-http-registry", signed.index, home=signed.home,
        )  # fmt: skip


def test_crane_validates_the_image(signed: Signed) -> None:
    ask("crane", "validate", "--remote", signed.index, home=signed.home)


def test_a_second_publish_sends_nothing(signed: Signed) -> None:
    assert "already there, nothing sent" in signed.runs[1].stderr
