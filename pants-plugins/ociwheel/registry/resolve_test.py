from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.registry import MANIFEST, Answer, Entry, FakeRegistry, Layer, tar

from ociwheel.digest import Digest
from ociwheel.errors import BaseError, FetchError, OciwheelError
from ociwheel.image_name import ImageName
from ociwheel.registry.blobs import WantedBlob, fetch_blob
from ociwheel.registry.client import RegistryClient
from ociwheel.registry.logins import RegistryLogin
from ociwheel.registry.resolve import resolve
from ociwheel.registry.session import Session
from ociwheel.transport.settings import NetworkSettings

AMD64 = {"os": "linux", "architecture": "amd64"}
ARM = {"os": "linux", "architecture": "arm", "variant": "v7"}
LAYER = Layer(tar([Entry("etc/os-release", b"x")]))


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


def client(registry: FakeRegistry, tag: str = "3.11", login: RegistryLogin | None = None) -> RegistryClient:
    name = ImageName.parse(f"{registry.host}/team/python:{tag}")
    session = Session(name.domain, NetworkSettings(), lambda _: login, sleep=lambda _: None)
    return RegistryClient(session, name)


def push(registry: FakeRegistry, **options: Any) -> None:
    registry.add_index(
        [registry.add_image([LAYER], platform, **options) for platform in (AMD64, ARM)], "3.11"
    )


def refusal(registry: FakeRegistry, *platforms: str, tag: str = "3.11") -> OciwheelError:
    with pytest.raises(OciwheelError) as caught:
        resolve(client(registry, tag), platforms or ("linux/amd64",))
    return caught.value


def fetch(registry: FakeRegistry, digest: str, size: int, output: Path, **environ: str) -> Path:
    names = [f"{registry.host}/team/python:3.11"]
    done = fetch_blob(
        NetworkSettings(), WantedBlob(Digest.parse(digest), size), names, output, environ=environ
    )
    return done.path


def test_an_index_is_resolved_for_each_platform(registry: FakeRegistry) -> None:
    push(registry, run_time={"Env": ["PATH=/bin", "A=b=c"], "Labels": {"x": "y"}})
    found = resolve(client(registry), ["linux/amd64", "linux/arm/v7"], ["linux/arm64"])
    assert sorted(found.platforms) == ["linux/amd64", "linux/arm/v7"]
    row = found.platforms["linux/arm/v7"]
    assert row["image"] == {"env": {"PATH": "/bin", "A": "b=c"}, "labels": {"x": "y"}}
    (layer,) = row["layers"]
    assert layer["diff_id"] == LAYER.diff_id
    assert layer["created_by"] == "RUN layer 0"
    assert not any(layer["digest"] in path for path in registry.paths()), (
        "no layer is fetched to know its digest"
    )


def test_an_image_without_an_index_is_one_platform_s(registry: FakeRegistry) -> None:
    registry.add_image([LAYER], AMD64, tag="3.11")
    assert list(resolve(client(registry), ["linux/amd64"]).platforms) == ["linux/amd64"]
    assert "is of an image for linux/amd64" in refusal(registry, "linux/arm/v7").render()


def test_a_configuration_without_a_variant_will_do(registry: FakeRegistry) -> None:
    row = registry.add_image([LAYER], {"os": "linux", "architecture": "arm"})
    registry.add_index([{**row, "platform": ARM}], "3.11")
    assert list(resolve(client(registry), ["linux/arm/v7"]).platforms) == ["linux/arm/v7"]


def test_a_platform_that_is_not_there_is_told_with_those_that_are(registry: FakeRegistry) -> None:
    push(registry)
    message = refusal(registry, "linux/amd64", "linux/riscv64").render()
    assert "the image is not for linux/riscv64" in message
    assert "linux/amd64, linux/arm/v7" in message


def test_a_manifest_of_the_wrong_platform_is_told(registry: FakeRegistry) -> None:
    row = registry.add_image([LAYER], {"os": "linux", "architecture": "s390x"})
    registry.add_index([{**row, "platform": AMD64}], "3.11")
    assert "its manifest for linux/amd64 is of an image for linux/s390x" in refusal(registry).render()


def test_a_tag_that_is_not_there_is_told_with_the_command_that_lists_them(registry: FakeRegistry) -> None:
    push(registry)
    error = refusal(registry, tag="3.12")
    assert isinstance(error, FetchError)
    assert "no image team/python with the tag or digest 3.12" in error.what
    assert error.hint == f"look what it has: skopeo list-tags docker://{registry.host}/team/python"


def test_a_manifest_that_is_gone_is_told(registry: FakeRegistry) -> None:
    push(registry)
    for digest in [key for key in registry.manifests if key.startswith("sha256:")]:
        del registry.manifests[digest]
    assert "no longer has sha256:" in refusal(registry).render()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<html>", "does not answer in JSON"),
        (b"[]", "no JSON object"),
        (b'{"mediaType":"text/plain"}', "neither an image nor an index"),
        (b'{"mediaType":"application/vnd.oci.image.index.v1+json"}', "lists no manifests"),
        (
            b'{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{}]}',
            "needs mediaType and size",
        ),
        (json.dumps({"mediaType": MANIFEST, "layers": []}).encode(), "no list of 1 to 127 layers"),
        (json.dumps({"mediaType": MANIFEST, "layers": [{}]}).encode(), "expected a descriptor"),
        (b" " * ((4 << 20) + 1), "a document of more than 4194304 bytes"),
    ],
)
def test_damaged_documents_are_refused(registry: FakeRegistry, body: bytes, expected: str) -> None:
    registry.manifests["3.11"] = body
    registry.script["/v2/team/python/manifests/3.11"] = [Answer(200, body, {"Content-Type": "x"})]
    assert expected in refusal(registry).render()


def test_a_configuration_that_does_not_describe_the_layers_is_refused(registry: FakeRegistry) -> None:
    push(registry, config={"rootfs": {"diff_ids": []}})
    assert "does not describe the layers" in refusal(registry).render()


def test_layers_that_are_no_archives_are_refused(registry: FakeRegistry) -> None:
    row = registry.add_image([LAYER], AMD64)
    manifest = json.loads(registry.manifests[row["digest"]])
    manifest["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    registry.add_index([{**registry.add_manifest(manifest), "platform": AMD64}], "3.11")
    error = refusal(registry)
    assert isinstance(error, BaseError)
    assert "foreign" in error.what


@pytest.mark.parametrize("basic", [False, True])
def test_logins_are_used(basic: bool) -> None:
    with FakeRegistry(login=("me", "secret"), basic=basic) as registry:
        push(registry)
        found = resolve(client(registry, login=RegistryLogin("me", "secret")), ["linux/amd64"])
        assert list(found.platforms) == ["linux/amd64"]
        challenged = [p for p, h in registry.requests if "manifests" in p and "authorization" not in h]
        assert len(challenged) == 1, "the answer to a challenge is remembered"


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        (None, "the registry wants credentials, and none are known: answered 401 Unauthorized"),
        (
            RegistryLogin("me", "wrong"),
            "the registry refuses the credentials of 'me': answered 401 Unauthorized",
        ),
    ],
)
def test_a_missing_or_wrong_login_is_told_without_it(login: RegistryLogin | None, expected: str) -> None:
    with FakeRegistry(login=("me", "secret")) as registry:
        push(registry)
        with pytest.raises(FetchError) as caught:
            resolve(client(registry, login=login), ["linux/amd64"])
    assert caught.value.what == expected
    assert str(caught.value.hint).startswith(
        f"log in with an account that may: docker login {registry.host}, "
    )
    assert "wrong" not in caught.value.render()


def test_a_repository_without_permission_is_told(registry: FakeRegistry) -> None:
    registry.script["/v2/team/python/manifests/3.11"] = [Answer(403, b"{}")]
    with pytest.raises(FetchError) as caught:
        resolve(client(registry, login=RegistryLogin("me", "secret")), ["linux/amd64"])
    assert caught.value.what == "'me' may not read there: answered 403 Forbidden"


def test_no_proxy_is_asked_for_this_machine_s_own_registry(registry: FakeRegistry) -> None:
    push(registry)
    name = ImageName.parse(f"{registry.host}/team/python:3.11")
    nobody = NetworkSettings(proxies={"http": "http://127.0.0.1:9", "no": "example.com"})
    session = Session(name.domain, nobody, lambda _: None, sleep=lambda _: None)
    reader = RegistryClient(session, name)
    assert list(resolve(reader, ["linux/amd64"]).platforms) == ["linux/amd64"]


def test_a_token_is_not_sent_where_the_registry_redirects_to(tmp_path: Path) -> None:
    with FakeRegistry(login=("me", "secret")) as registry, FakeRegistry() as storage:
        digest = storage.add_blob(LAYER.blob)
        url = f"http://{storage.host}/v2/x/blobs/{digest}"
        path = f"/v2/team/python/blobs/{digest}"
        registry.blobs[digest] = b"not asked"
        registry.script[path] = [
            Answer(401, b"{}", {"WWW-Authenticate": f'Bearer realm="http://{registry.host}/token"'}),
            Answer(307, b"", {"Location": url}),
        ]
        (tmp_path / ".docker").mkdir()
        auth = base64.b64encode(b"me:secret").decode()
        (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
        blob = fetch(registry, digest, len(LAYER.blob), tmp_path / "out", HOME=str(tmp_path))
    assert blob.read_bytes() == LAYER.blob
    assert registry.requests[-1][1]["authorization"] == "Bearer ticket"
    assert "authorization" not in storage.requests[0][1]


def test_a_broken_answer_is_asked_for_again(registry: FakeRegistry, tmp_path: Path) -> None:
    digest = registry.add_blob(LAYER.blob)
    registry.script[f"/v2/team/python/blobs/{digest}"] = [
        Answer(500),
        Answer(200, LAYER.blob[:10], announced=len(LAYER.blob)),
    ]
    assert fetch(registry, digest, len(LAYER.blob), tmp_path).read_bytes() == LAYER.blob
    assert len(registry.requests) == 3


def test_a_truncated_or_exchanged_blob_is_never_kept(registry: FakeRegistry, tmp_path: Path) -> None:
    digest = registry.add_blob(LAYER.blob)
    registry.blobs[digest] = LAYER.blob[:-1]
    with pytest.raises(FetchError, match="no registry gives this blob") as caught:
        fetch(registry, digest, len(LAYER.blob), tmp_path)
    assert f"gives {len(LAYER.blob) - 1} bytes" in caught.value.render()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_blob_that_is_gone_says_to_lock_again(registry: FakeRegistry, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="the base's blob is gone") as caught:
        fetch(registry, "sha256:" + "0" * 64, 1, tmp_path)
    assert caught.value.hint == "lock the base again"


def test_a_machine_that_knows_no_registry_says_so(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="does not know which registry"):
        fetch_blob(NetworkSettings(), WantedBlob(Digest.of_hex("0" * 64), 1), [], tmp_path, environ={})


@pytest.mark.parametrize(
    ("run_time", "expected"),
    [
        ({"Env": 7}, "config.Env: expected a list, found a number"),
        ({"Env": ["A=b", None]}, "config.Env[1]: expected a text, found null"),
        ({"Labels": {"a": 1}}, "config.Labels.a: expected a text, found a number"),
    ],
)
def test_a_configuration_of_other_types_is_refused(
    registry: FakeRegistry, run_time: dict[str, Any], expected: str
) -> None:
    push(registry, run_time=run_time)
    assert str(refusal(registry)).endswith(f": configuration: {expected}")


@pytest.mark.parametrize("history", [7, 1.5, "x", {"a": "b"}, [7, None]])
def test_a_history_that_is_none_says_nothing(registry: FakeRegistry, history: object) -> None:
    push(registry, config={"history": history})
    found = resolve(client(registry, "3.11"), ["linux/amd64"])
    assert {layer["created_by"] for layer in found.platforms["linux/amd64"]["layers"]} == {""}
