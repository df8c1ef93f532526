"""What is attached to an image and signed, in a registry without an API that lists it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.pusher import Pusher
from tests.support.registry_server import Registry
from tests.support.small_image import digest_of, write_layout

_SPDX = {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT"}
_PROVENANCE = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {"buildDefinition": {"buildType": "urn:x"}},
}


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def key_file(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    path = tmp_path / "signing.key"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return write_layout(tmp_path / "layout", "print(1)")


@pytest.fixture
def attached(tmp_path: Path, layout: Path) -> str:
    """Give the file that lists two documents: one of the first platform's image, one of the index."""
    root = digest_of(layout)
    index = json.loads((layout / "blobs/sha256" / root.removeprefix("sha256:")).read_text())
    (tmp_path / "a.spdx.json").write_text(json.dumps(_SPDX))
    (tmp_path / "provenance.json").write_text(json.dumps(_PROVENANCE))
    rows = [
        {"subject": index["manifests"][0]["digest"], "media_type": "application/spdx+json",
         "path": "a.spdx.json", "predicate_type": "https://spdx.dev/Document"},
        {"subject": root, "media_type": "application/vnd.in-toto+json",
         "path": "provenance.json", "predicate_type": "https://slsa.dev/provenance/v1"},
    ]  # fmt: skip
    path = tmp_path / "list.json"
    path.write_text(json.dumps(rows))
    return str(path)


def _blob(registry: Registry, repository: str, digest: str) -> bytes:
    status, _, body = registry.get(f"{repository}/blobs/{digest}")
    assert status == 200
    return body


def _referring(registry: Registry, repository: str, digest: str) -> dict[str, list[Any]]:
    """Return the manifests that refer to a digest, by their type."""
    found: dict[str, list[Any]] = {}
    for row in registry.manifest(repository, digest.replace(":", "-"))["manifests"]:
        manifest = registry.manifest(repository, row["digest"])
        assert manifest["subject"]["digest"] == digest
        assert manifest["artifactType"] == row["artifactType"]
        assert manifest.get("annotations", {}) == row.get("annotations", {})
        found.setdefault(row["artifactType"], []).append(manifest)
    return found


def test_documents_are_found_by_the_fallback_tag_and_sent_once(
    registry: Registry, push: Pusher, layout: Path, attached: str
) -> None:
    image = f"--image={registry.host}/attach/a:latest"
    registry.accesses()
    push(layout, image, "--attach", attached)
    log = [one.path for one in registry.accesses() if one.method == "PUT" and "/manifests/" in one.path]
    assert log[-1].endswith("/manifests/latest")  # no tag names an image before all is there
    root = digest_of(layout)
    (provenance,) = _referring(registry, "attach/a", root)["application/vnd.in-toto+json"]
    assert json.loads(_blob(registry, "attach/a", provenance["layers"][0]["digest"])) == _PROVENANCE
    first = registry.manifest("attach/a", root)["manifests"][0]["digest"]
    (spdx,) = _referring(registry, "attach/a", first)["application/spdx+json"]
    assert json.loads(_blob(registry, "attach/a", spdx["layers"][0]["digest"])) == _SPDX
    assert spdx["layers"][0]["annotations"] == {"org.opencontainers.image.title": "a.spdx.json"}
    again = push(layout, image, "--attach", attached)
    assert (again["sent"], again["manifests"], again["tags"]) == ([], [], [])
    assert not any(one.writes for one in registry.accesses())


def test_what_others_attached_stays(registry: Registry, push: Pusher, layout: Path, attached: str) -> None:
    image = f"--image={registry.host}/attach/b:latest"
    push(layout, image, "--attach", attached)
    rows = json.loads(Path(attached).read_text())
    (Path(attached).parent / "a.spdx.json").write_text(json.dumps({**_SPDX, "name": "other"}))
    push(layout, image, "--attach", attached)
    assert len(_referring(registry, "attach/b", rows[0]["subject"])["application/spdx+json"]) == 2


def test_a_dry_run_attaches_nothing(registry: Registry, push: Pusher, layout: Path, attached: str) -> None:
    document = push(layout, f"--image={registry.host}/attach/c:latest", "--attach", attached, "--dry-run")
    assert len(document["manifests"]) > 3
    assert registry.get("attach/c/tags/list")[0] == 404


def test_a_signature_is_of_the_digest_and_the_same_the_next_time(  # noqa: PLR0917 (fixtures)
    registry: Registry,
    push: Pusher,
    layout: Path,
    attached: str,
    key: ec.EllipticCurvePrivateKey,
    key_file: Path,
) -> None:
    """Verified by hand, with the library alone; `tests/e2e/peers_test.py` asks cosign."""
    arguments = (f"--image={registry.host}/attach/d:latest", "--attach", attached, "--sign", str(key_file))
    push(layout, *arguments)
    root = digest_of(layout)
    bundles = _referring(registry, "attach/d", root)["application/vnd.dev.sigstore.bundle.v0.3+json"]
    types = set()
    for manifest in bundles:
        bundle = json.loads(_blob(registry, "attach/d", manifest["layers"][0]["digest"]))
        envelope = bundle["dsseEnvelope"]
        payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
        signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
        signature = base64.b64decode(envelope["signatures"][0]["sig"])
        key.public_key().verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        said = json.loads(payload)
        assert said["subject"] == [{"digest": {"sha256": root.removeprefix("sha256:")}}]
        types.add(said["predicateType"])
    assert types == {"https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/provenance/v1"}
    (layer,) = registry.manifest("attach/d", f"{root.replace(':', '-')}.sig")["layers"]
    simple = base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
    payload = _blob(registry, "attach/d", layer["digest"])
    key.public_key().verify(simple, payload, ec.ECDSA(hashes.SHA256()))
    assert json.loads(payload)["critical"]["image"] == {"docker-manifest-digest": root}
    again = push(layout, *arguments)
    assert (again["sent"], again["manifests"]) == ([], [])


def test_signatures_of_two_keys_stand_beside_each_other(
    registry: Registry, push: Pusher, layout: Path, key_file: Path, tmp_path: Path
) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    second = tmp_path / "second.key"
    second.write_bytes(
        other.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    for path in (key_file, second):
        push(layout, f"--image={registry.host}/attach/e:latest", "--sign", str(path))
    tag = f"{digest_of(layout).replace(':', '-')}.sig"
    assert len(registry.manifest("attach/e", tag)["layers"]) == 2


def test_a_key_that_is_none_sends_nothing(
    registry: Registry, push: Pusher, layout: Path, tmp_path: Path
) -> None:
    missing = str(tmp_path / "none.key")
    process = push.start(layout, f"--image={registry.host}/attach/f:latest", "--sign", missing)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 11
    assert "the key cannot be read: No such file" in err
    assert "cosign generate-key-pair" in err
    assert registry.get("attach/f/tags/list")[0] == 404
