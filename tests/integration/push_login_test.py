"""Logins of the step `push`: whose are used, and where they never go."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import pytest

from tests.support.faulty_registry import Asked, Instead, faulty
from tests.support.pusher import Pusher
from tests.support.registry_server import Registry, login
from tests.support.small_image import write_layout


@pytest.mark.parametrize("file", [".docker/config.json", ".config/containers/auth.json"])
def test_logins_of_docker_and_podman(guarded: Registry, push: Pusher, tmp_path: Path, file: str) -> None:
    login(push.home / file, guarded.host, "ali:open sesame")
    layout = write_layout(tmp_path / "layout", file)
    document = push(layout, f"--image={guarded.host}/login/a:1", f"--image={guarded.host}/login/a:2")
    assert document["tags"] == ["1", "2"]


def test_wrong_credentials_and_none(guarded: Registry, push: Pusher, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "layout", "x")
    image = f"--image={guarded.host}/wrong/a:1"
    error = push.fails(layout, image)
    assert "the registry wants credentials, and none are known" in error
    assert f"docker login {guarded.host}" in error
    login(push.home / ".docker/config.json", guarded.host, "ali:guess")
    process = push.start(layout, image)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 21
    assert "the registry refuses the credentials of 'ali'" in err
    assert "guess" not in out + err
    assert base64.b64encode(b"ali:guess").decode() not in out + err


def test_a_token_is_fetched_with_the_login_and_the_scope(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    """The proxy plays a token service: Docker Hub, GitHub and GitLab work that way."""
    asked: list[str] = []
    here: list[str] = []

    def fault(request: Asked) -> Instead | None:
        if request.path.startswith("/token"):
            asked.append(request.path)
            return Instead(200, b'{"token":"granted"}', {"Content-Type": "application/json"})
        return None

    def guard(request: Asked) -> Instead | None:
        answer = fault(request)
        if answer is None and request.headers.get("Authorization") != "Bearer granted":
            challenge = f'Bearer realm="http://{here[0]}/token",service="test"'
            return Instead(401, headers={"WWW-Authenticate": challenge})
        return answer

    layout = write_layout(tmp_path / "layout", "token", common=b"token")
    with faulty(registry.port, guard) as host:
        here.append(host)
        login(push.home / ".docker/config.json", host, "ali:secret")
        push(layout, f"--image={host}/token/a:1", "--jobs=1")
    assert registry.check_complete("token/a", "1") == 6
    assert asked == ["/token?service=test&scope=repository%3Atoken%2Fa%3Apull%2Cpush"]


def test_an_identity_token_is_exchanged_and_never_sent_to_the_registry(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    """What `docker login` keeps of registries that do not want passwords kept (OAuth 2.0, refresh token)."""
    exchanged: list[Asked] = []
    here: list[str] = []

    def guard(request: Asked) -> Instead | None:
        if request.path == "/token":
            exchanged.append(request)
            return Instead(200, b'{"access_token":"granted"}')
        if request.headers.get("Authorization") != "Bearer granted":
            assert "Authorization" not in request.headers
            challenge = f'Bearer realm="http://{here[0]}/token",service="test"'
            return Instead(401, headers={"WWW-Authenticate": challenge})
        return None

    layout = write_layout(tmp_path / "layout", "identity", common=b"identity")
    with faulty(registry.port, guard) as host:
        here.append(host)
        config = push.home / ".docker/config.json"
        config.parent.mkdir()
        config.write_text(json.dumps({"auths": {host: {"identitytoken": "refresh me"}}}))
        push(layout, f"--image={host}/identity/a:1", "--jobs=1")
    assert registry.check_complete("identity/a", "1") == 6
    assert {asked.method for asked in exchanged} == {"POST"}
    forms = [dict(urllib.parse.parse_qsl(asked.body.decode())) for asked in exchanged]
    assert [form.pop("scope") for form in forms] == ["repository:identity/a:pull,push"]
    expected = {"service": "test", "client_id": "ociwheel", "grant_type": "refresh_token"}
    assert all(form == {**expected, "refresh_token": "refresh me"} for form in forms)


@pytest.mark.parametrize("status", [201, 401])
def test_uploads_that_go_to_another_host_take_no_credentials_along(
    registry: Registry, push: Pusher, tmp_path: Path, status: int
) -> None:
    """Registries send uploads to a storage service, by the URL that they answer with."""
    seen: list[Asked] = []

    def storage(asked: Asked) -> Instead:
        seen.append(asked)
        realm = f'Bearer realm="http://{there[0]}/token"'
        return Instead(status, headers={"WWW-Authenticate": realm})

    def guard(asked: Asked) -> Instead | None:
        if "Authorization" not in asked.headers:
            return Instead(401, headers={"WWW-Authenticate": 'Basic realm="test"'})
        if asked.method == "POST":
            return Instead(202, headers={"Location": f"http://{there[0]}/bucket/1?signed=yes"})
        return Instead(201) if asked.method == "PUT" else None

    there: list[str] = []
    layout = write_layout(tmp_path / "layout", "elsewhere", common=b"elsewhere")
    with faulty(registry.port, storage) as elsewhere, faulty(registry.port, guard) as host:
        there.append(elsewhere)
        login(push.home / ".docker/config.json", host, "ali:secret")
        process = push.start(layout, f"--image={host}/elsewhere/a:1", "--jobs=1")
        process.communicate(timeout=60)
    # A token is not asked for where the other host says, either.
    assert process.returncode == (0 if status == 201 else 21)
    assert {asked.path.partition("?")[0] for asked in seen} == {"/bucket/1"}
    assert not [asked for asked in seen if "Authorization" in asked.headers]
