from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ociwheel.image_name import DEFAULT_LOGIN, ImageName
from ociwheel.registry.logins import RegistryLogin, find_login, machine_environment

TEAM = ImageName.parse("registry.example.com/team/python:3.11")


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def environ(folder: Path, docker: Any = None, containers: Any = None, **more: str) -> dict[str, str]:
    for path, value in ((".docker/config.json", docker), (".config/containers/auth.json", containers)):
        if value is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(json.dumps(value))
    return {"HOME": str(folder), **more}


def helper(folder: Path, name: str, answer: str, code: int = 0) -> str:
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\ncat > {folder}/asked\necho '{answer}'\nexit {code}\n")
    program.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_docker_s_file_is_read(tmp_path: Path) -> None:
    env = environ(tmp_path, docker={"auths": {"registry.example.com": auth("me", "a:b")}})
    assert find_login(TEAM, env) == RegistryLogin("me", "a:b")


def test_the_most_specific_entry_of_podman_wins(tmp_path: Path) -> None:
    entries = {"registry.example.com": auth("all", "1"), "registry.example.com/team": auth("team", "2")}
    env = environ(
        tmp_path, containers={"auths": entries}, docker={"auths": {"registry.example.com": auth("d", "3")}}
    )
    assert find_login(TEAM, env) == RegistryLogin("team", "2")


def test_the_default_registry_has_a_key_of_its_own(tmp_path: Path) -> None:
    env = environ(tmp_path, docker={"auths": {DEFAULT_LOGIN: auth("hub", "1")}})
    assert find_login(ImageName.parse("python"), env) == RegistryLogin("hub", "1")
    assert find_login(TEAM, env) is None


def test_an_identity_token_is_one(tmp_path: Path) -> None:
    row = {**auth("me", ""), "identitytoken": "secret"}
    env = environ(tmp_path, docker={"auths": {"https://registry.example.com": row}})
    assert find_login(TEAM, env) == RegistryLogin("me", "secret", is_token=True)


@pytest.mark.parametrize("config", [{"credHelpers": {"registry.example.com": "x"}}, {"credsStore": "x"}])
def test_helpers_are_asked(tmp_path: Path, config: dict[str, Any]) -> None:
    path = helper(tmp_path, "x", '{"Username": "me", "Secret": "s"}')
    env = environ(tmp_path, docker=config, PATH=path)
    assert find_login(TEAM, env) == RegistryLogin("me", "s")
    assert (tmp_path / "asked").read_text().startswith("registry.example.com")


@pytest.mark.parametrize(("answer", "code"), [("credentials not found", 1), ("no JSON", 0), ("{}", 0)])
def test_a_helper_without_an_answer_is_no_login(tmp_path: Path, answer: str, code: int) -> None:
    env = environ(tmp_path, docker={"credsStore": "x"}, PATH=helper(tmp_path, "x", answer, code))
    assert find_login(TEAM, env) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"auths": 1}', '{"auths": {"registry.example.com": {"auth": "%%"}}}']
)
def test_damaged_files_are_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "auth.json").write_text(text)
    assert (
        find_login(TEAM, {"HOME": str(tmp_path), "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}) is None
    )


def test_a_secret_is_not_in_what_is_printed_of_a_login() -> None:
    assert "secret" not in repr(RegistryLogin("me", "secret"))


def test_the_user_s_variables_come_from_the_machine_s_folder(tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text('{"env": {"DOCKER_CONFIG": "/x", "HOME": "/home/me"}}')
    env = machine_environment({"OCIWHEEL_MACHINE": str(tmp_path), "HOME": "/other"})
    assert (env["DOCKER_CONFIG"], env["HOME"]) == ("/x", "/other")
