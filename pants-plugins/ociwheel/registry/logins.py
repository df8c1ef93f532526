"""Logins of container tools: Docker's ``config.json``, podman's and skopeo's ``auth.json``, helpers.

Formats: docker/cli's ``config.json`` (``auths``, ``credHelpers``, ``credsStore``), containers-auth.json(5),
and the protocol of docker-credential-helpers. Nothing found here is ever written anywhere.
"""

from __future__ import annotations

import base64
import binascii
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ociwheel.errors import ToolError
from ociwheel.image_name import DEFAULT_DOMAIN, DEFAULT_LOGIN, ImageName
from ociwheel.notes import note
from ociwheel.reading import LIMITS, bytes_of, parse_json
from ociwheel.transport.pip_config import home

_HELPER_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin"
# docker-credential-helpers: the name that says that the secret is an identity token.
_TOKEN_USER = "<token>"  # noqa: S105 (no password)


@dataclass(frozen=True)
class RegistryLogin:
    """A user and a password, or an identity token."""

    user: str
    secret: str = field(repr=False)
    is_token: bool = False
    """The secret is a refresh token (OAuth 2.0), not a password."""

    def basic(self) -> str:
        """Return an ``Authorization`` value (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode("ascii")


def config_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where logins may be, in the order in which they count."""
    folder = home(environ)
    found: list[Path] = []
    if environ.get("REGISTRY_AUTH_FILE"):
        found.append(Path(environ["REGISTRY_AUTH_FILE"]))
    if environ.get("XDG_RUNTIME_DIR"):
        found.append(Path(environ["XDG_RUNTIME_DIR"]) / "containers/auth.json")
    config = environ.get("XDG_CONFIG_HOME")
    if config or folder:
        found.append((Path(config) if config else Path(folder or ".") / ".config") / "containers/auth.json")
    docker = environ.get("DOCKER_CONFIG")
    if docker or folder:
        found.append((Path(docker) if docker else Path(folder or ".") / ".docker") / "config.json")
    return tuple(found)


def find_login(name: ImageName, environ: Mapping[str, str]) -> RegistryLogin | None:
    """Return the login for a repository, the first that a file of :func:`config_files` has."""
    for path in config_files(environ):
        config = _read(path)
        for key in _keys(name):
            helper = _mapping(config.get("credHelpers")).get(key)
            login = _ask(str(helper), key, environ) if helper else _stored(config, key)
            if login is None and config.get("credsStore") and not helper:
                login = _ask(str(config["credsStore"]), key, environ)
            if login is not None:
                return login
    return None


def logins(environ: Mapping[str, str]) -> Callable[[str], RegistryLogin | None]:
    """Return what finds a login for ``domain/repository``; each is looked up once."""
    found: dict[str, RegistryLogin | None] = {}

    def login(repository: str) -> RegistryLogin | None:
        if repository not in found:
            found[repository] = find_login(ImageName.parse(repository), environ)
        return found[repository]

    return login


def _keys(name: ImageName) -> Iterator[str]:
    """Yield the names under which a login may stand, the most specific first (containers-auth.json(5))."""
    parts = name.repository_name.split("/")
    yield from ("/".join(parts[:n]) for n in range(len(parts), 0, -1))
    if name.domain == DEFAULT_DOMAIN:
        yield DEFAULT_LOGIN
    else:
        yield from (f"https://{name.domain}", f"https://{name.domain}/v1/", f"https://{name.domain}/v2/")


def _read(path: Path) -> dict[str, Any]:
    try:
        return _mapping(parse_json(bytes_of(path, LIMITS.size)))
    except OSError:
        return {}
    except ValueError:
        note(f"the logins in {path} are not used: it is not JSON")
        return {}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _stored(config: Mapping[str, Any], key: str) -> RegistryLogin | None:
    row = _mapping(_mapping(config.get("auths")).get(key))
    try:
        user, _, password = (
            base64.b64decode(str(row.get("auth") or ""), validate=True).decode().partition(":")
        )
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, password = str(row.get("username") or user), str(row.get("password") or password)
    if row.get("identitytoken"):
        return RegistryLogin(user, str(row["identitytoken"]), is_token=True)
    return RegistryLogin(user, password) if user and password else None


def _ask(helper: str, key: str, environ: Mapping[str, str]) -> RegistryLogin | None:
    program = shutil.which(f"docker-credential-{helper}", path=environ.get("PATH") or _HELPER_PATH)
    if program is None or "/" in helper:
        return None
    from ociwheel import process  # noqa: PLC0415 (most logins are in a file)

    try:
        done = process.run([program, "get"], env={"PATH": _HELPER_PATH, **environ}, stdin=key.encode())
    except (ToolError, OSError):
        return None
    if done.returncode:
        return None
    try:
        answer = _mapping(parse_json(done.stdout))
    except ValueError:
        note(f"docker-credential-{helper} did not answer in JSON")
        return None
    user, secret = str(answer.get("Username") or ""), str(answer.get("Secret") or "")
    return RegistryLogin(user, secret, is_token=user == _TOKEN_USER) if secret else None


def machine_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables of the user's environment, which a sandbox has in ``network.json`` only."""
    folder = environ.get("OCIWHEEL_MACHINE")
    passed = _mapping(_read(Path(folder) / "network.json").get("env")) if folder else {}
    return {**{str(k): str(v) for k, v in passed.items()}, **environ}
