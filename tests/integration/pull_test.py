"""What the steps that read a base's registry say and do on a bad day: a real registry, behind a proxy of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ociwheel.cli.main import main
from tests.support.base_pair import push
from tests.support.faulty_registry import Asked, Fault, Instead, every_third, faulty, retry_later
from tests.support.registry_server import Registry, login
from tests.support.small_image import digest_of, write_layout

FETCH_ERROR, BASE_ERROR = 14, 17
REACH = "check the address, the proxy settings, and that the registry runs; then try again"
RELOCK = "lock the base again"


@dataclass
class Steps:
    """Runs steps in this process, without pauses between attempts."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def run(self, *argv: str) -> tuple[int, str, str]:
        """Run a step and return its exit code, its document when it is no error, and its message."""
        code = main(list(argv))
        out, err = self.capture.readouterr()
        out = "" if code else out
        return code, out, err[err.index("error: ") :] if "error: " in err else ""

    def resolve(self, image: str, *platforms: str) -> tuple[int, str, str]:
        """Ask for the digests of an image."""
        request = self.folder / "request.json"
        request.write_text(json.dumps({"image": image, "platforms": platforms or ["linux/amd64"]}))
        return self.run("registry-resolve", "--request", str(request))

    def resolved(self, image: str, *platforms: str) -> Any:
        """Ask for the digests of an image, which has to work."""
        code, out, error = self.resolve(image, *platforms)
        assert code == 0, error
        return json.loads(out)

    def fetch(self, image: str, layer: dict[str, Any]) -> tuple[int, str, str]:
        """Fetch a layer below ``out``."""
        wanted = ("--digest", layer["digest"], "--size", str(layer["size"]), "--repository", image)
        return self.run("fetch-blob", *wanted, "--output", str(self.folder / "out"))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Steps:
    """Give the steps with an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("ociwheel.registry.session.BACKOFF", 0.0)
    return Steps(tmp_path, capsys)


def image_of(registry: Registry, folder: Path, name: str, **options: Any) -> Path:
    """Put an image into a repository, with the tag 1, and return its layout."""
    layout = write_layout(folder / "layout", name, common=name.encode(), **options)
    push(layout, f"{registry.host}/{name}:1")
    return layout


def test_a_tag_that_does_not_exist(registry: Registry, steps: Steps, tmp_path: Path) -> None:
    image_of(registry, tmp_path, "tags")
    assert steps.resolve(f"{registry.host}/tags:2") == (
        FETCH_ERROR,
        "",
        (
            f"error: {registry.host}/tags:2: the registry has no image tags with the tag or digest 2\n"
            f"  http://{registry.host}/v2/tags/manifests/2: answered 404 Not Found "
            "(MANIFEST_UNKNOWN: manifest unknown)\n"
            f"  -> look what it has: skopeo list-tags docker://{registry.host}/tags\n"
        ),
    )


def test_a_digest_that_is_gone(registry: Registry, steps: Steps, tmp_path: Path) -> None:
    layout = image_of(registry, tmp_path, "digests")
    index, image = digest_of(layout), f"{registry.host}/digests:1"
    of_amd64 = steps.resolved(image)["image"]["platforms"]["linux/amd64"]["manifest"]["digest"]
    assert registry.get(f"digests/manifests/{of_amd64}", "DELETE")[0] == 202
    code, _, error = steps.resolve(image)
    assert code == FETCH_ERROR
    assert error.startswith(f"error: {image}: the registry no longer has {of_amd64}\n")
    assert error.endswith("  -> it was deleted there: lock the base again\n")
    assert registry.get(f"digests/manifests/{index}", "DELETE")[0] == 202
    code, _, error = steps.resolve(f"{registry.host}/digests@{index}")
    assert code == FETCH_ERROR
    assert f"the registry has no image digests with the tag or digest {index}" in error


def test_a_layer_that_is_gone(registry: Registry, steps: Steps, tmp_path: Path) -> None:
    image_of(registry, tmp_path, "layers")
    image = f"{registry.host}/layers:1"
    layer = steps.resolved(image)["image"]["platforms"]["linux/amd64"]["layers"][0]
    assert registry.get(f"layers/blobs/{layer['digest']}", "DELETE")[0] == 202
    assert steps.fetch(image, layer) == (
        FETCH_ERROR,
        "",
        (
            f"error: {layer['digest']}: the base's blob is gone: no registry has it any more\n"
            f"  http://{registry.host}/v2/layers/blobs/{layer['digest']}: answered 404 Not Found "
            "(BLOB_UNKNOWN: blob unknown to registry)\n"
            "  -> lock the base again\n"
        ),
    )


def test_a_manifest_of_the_wrong_platform(registry: Registry, steps: Steps, tmp_path: Path) -> None:
    image_of(registry, tmp_path, "wrong", architecture="s390x")
    code, _, error = steps.resolve(f"{registry.host}/wrong:1")
    assert code == BASE_ERROR
    assert "its manifest for linux/amd64 is of an image for linux/s390x\n" in error
    assert error.count("error:") == 1
    code, _, error = steps.resolve(f"{registry.host}/wrong:1", "linux/arm/v7")
    assert code == BASE_ERROR
    assert "the image is not for linux/arm/v7\n  it is for linux/amd64, linux/arm64\n" in error


# --- logins -----------------------------------------------------------------------------------------------


def login_hint(host: str) -> str:
    """Return the last line of an error about a login."""
    command = f"docker login {host}, podman login {host} or skopeo login {host}"
    return f"  -> log in with an account that may: {command}\n"


def test_no_credentials_and_wrong_ones(guarded: Registry, steps: Steps) -> None:
    image = f"{guarded.host}/python:3.11"
    layer = {"digest": f"sha256:{'a' * 64}", "size": 3}
    answered = "answered 401 Unauthorized (UNAUTHORIZED: authentication required)\n"
    what = f"the registry wants credentials, and none are known: {answered}"
    assert steps.resolve(image) == (FETCH_ERROR, "", f"error: {image}: {what}{login_hint(guarded.host)}")
    code, _, error = steps.fetch(image, layer)
    assert code == FETCH_ERROR
    assert error == (
        f"error: {layer['digest']}: no registry gives this blob\n"
        f"  {guarded.host}/python: {what}{login_hint(guarded.host)}"
    )
    login(steps.folder / ".docker/config.json", guarded.host, "ali:guess")
    what = f"the registry refuses the credentials of 'ali': {answered}"
    assert steps.resolve(image) == (FETCH_ERROR, "", f"error: {image}: {what}{login_hint(guarded.host)}")
    login(steps.folder / ".docker/config.json", guarded.host, "ali:open sesame")
    assert "has no image python with the tag or digest 3.11" in steps.resolve(image)[2]


def test_no_permission(registry: Registry, steps: Steps, tmp_path: Path) -> None:
    image_of(registry, tmp_path, "mine")

    def deny(_asked: Asked) -> Instead:
        return Instead(403, b'{"errors":[{"code":"DENIED","message":"access to the resource is denied"}]}')

    with faulty(registry.port, deny) as host:
        login(steps.folder / ".docker/config.json", host, "ali:secret")
        found = steps.resolve(f"{host}/mine:1")
    what = "'ali' may not read there: answered 403 Forbidden (DENIED: access to the resource is denied)"
    assert found == (FETCH_ERROR, "", f"error: {host}/mine:1: {what}\n{login_hint(host)}")


# --- bad days ---------------------------------------------------------------------------------------------


def first(times: int, instead: Callable[[Asked], Instead]) -> Fault:
    """Do something else with the first requests for blobs."""
    done: list[Asked] = []

    def fault(asked: Asked) -> Instead | None:
        if "/blobs/" not in asked.path or len(done) >= times:
            return None
        done.append(asked)
        return instead(asked)

    return fault


def cut_off(_asked: Asked) -> Instead:
    """Announce more than what comes."""
    return Instead(200, b"a part of it", {"Content-Length": "1000"})


def lost(_asked: Asked) -> Instead:
    """Break the connection."""
    return Instead()


@pytest.mark.parametrize(
    "fault",
    [every_third, retry_later(4), first(4, cut_off), first(4, lost), first(4, lambda _: Instead(503))],
    ids=["third", "busy", "truncated", "broken", "unavailable"],
)
def test_a_bad_day_ends_well(registry: Registry, steps: Steps, tmp_path: Path, fault: Fault) -> None:
    layout = image_of(registry, tmp_path, "bad")
    expected = steps.resolved(f"{registry.host}/bad:1", "linux/amd64", "linux/arm64")
    with faulty(registry.port, fault) as host:
        assert steps.resolved(f"{host}/bad:1", "linux/amd64", "linux/arm64") == expected
        for layer in expected["image"]["platforms"]["linux/amd64"]["layers"]:
            assert steps.fetch(f"{host}/bad:1", layer)[0] == 0
            path = f"blobs/sha256/{layer['digest'].partition(':')[2]}"
            assert (tmp_path / "out" / path).read_bytes() == (layout / path).read_bytes()


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        (lambda _: Instead(500), ("answered 500 Internal Server Error", REACH)),
        (cut_off, ("of 1000 bytes", REACH)),
        (lost, ("the connection failed: Remote end closed connection without response", REACH)),
        (lambda _: Instead(200, b"not that"), ("gives 8 bytes with SHA-256", RELOCK)),
    ],
    ids=["500", "truncated", "broken", "exchanged"],
)
def test_a_registry_that_stays_broken_is_one_error(
    registry: Registry,
    steps: Steps,
    tmp_path: Path,
    instead: Callable[[Asked], Instead],
    said: tuple[str, str],
) -> None:
    image_of(registry, tmp_path, "never")
    layer = steps.resolved(f"{registry.host}/never:1")["image"]["platforms"]["linux/amd64"]["layers"][0]
    with faulty(registry.port, first(1000, instead)) as host:
        code, _, error = steps.fetch(f"{host}/never:1", layer)
    assert code == FETCH_ERROR
    assert error.startswith(f"error: {layer['digest']}: no registry gives this blob\n")
    assert said[0] in error
    assert error.count("error:") == 1
    assert error.splitlines()[-1] == f"  -> {said[1]}"
    assert [path for path in tmp_path.glob("out/**/*") if path.is_file()] == []
