"""What a step may know of the machine without it being in a key.

A step's key holds content only. The interpreter's location, indexes, mirrors, proxies and
credentials therefore reach it through a named cache, whose name is in the key and whose content is
not: this rule writes them there, once per session, before any step runs. On a worker of a remote
execution service the folder is empty, and the step falls back to the worker's own configuration.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Mapping

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.backend.python.subsystems.repos import PythonRepos
from pants.core.subsystems.python_bootstrap import PythonBootstrap
from pants.option.global_options import GlobalOptions

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, uncacheable_rule
from slim_python_image.files import replace_file, replace_link
from slim_python_image.subsystems.options import SlimImageOptions


@dataclass(frozen=True)
class MachineReady:
    """The machine's settings stand where a step finds them. Empty: no setting is in a key."""


CACHE_NAME = "ociwheel_machine"
_INTERPRETERS = ("python3.11", "python3.12", "python3.13", "python3.14")
_FITS = "import sys; sys.version_info >= (3, 11) or sys.exit(1); print(sys.executable)"
# What pip, curl, requests and OpenSSL read, and the tools of containers.
_NETWORK_VARIABLES = (
    "ALL_PROXY",
    "CARGO_HOME",
    "CURL_CA_BUNDLE",
    "DOCKER_CONFIG",
    "GIT_CONFIG_GLOBAL",
    "GIT_SSH_COMMAND",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NETRC",
    "NO_PROXY",
    "PATH",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_KEYRING_PROVIDER",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_TRUSTED_HOST",
    "REGISTRY_AUTH_FILE",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SSH_AUTH_SOCK",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


# What the clients of container engines read.
_ENGINE_VARIABLES = (
    *("CONTAINER_HOST", "CONTAINER_SSHKEY", "DOCKER_CERT_PATH", "DOCKER_CONFIG", "DOCKER_CONTEXT"),
    *("CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE", "CONTAINERS_REGISTRIES_CONF", "CONTAINERS_STORAGE_CONF"),
    *("DOCKER_HOST", "DOCKER_TLS_VERIFY", "HOME", "PATH", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME"),
    *("XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
)
_ENGINES = ("docker", "podman")


def container_engines(env: Mapping[str, str]) -> dict[str, object]:
    """Return the core's ``container-engine.json``: the engines on the user's PATH, and what they read."""
    found = [shutil.which(name, path=env.get("PATH", os.defpath)) for name in _ENGINES]
    return {"engines": [path for path in found if path], "env": dict(env)}


@functools.lru_cache(maxsize=None)
def _probed(candidate: str) -> str:
    """Return the interpreter behind a file.

    :raises OSError: it does not run, or is no Python 3.11 or later: asked again, because that may change.
    """
    command = [candidate, "-I", "-S", "-c", _FITS]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired as e:
        raise OSError(f"{candidate}: does not answer") from e
    found = done.stdout.decode(errors="replace").strip()
    if done.returncode != 0 or not os.access(found, os.X_OK):
        raise OSError(f"{candidate}: is no Python 3.11 or later")
    return found


def fitting_interpreter(candidate: str) -> str | None:
    """Return the interpreter behind a file if it is a Python 3.11 or later that runs.

    A pyenv shim exists even for a version that does not, and costs each step more than Python's own start. So
    what was found is known as long as the daemon runs and the file is there.
    """
    try:
        found = _probed(candidate)
        if os.access(found, os.X_OK):
            return found
        _probed.cache_clear()
        return _probed(candidate)
    except OSError:
        return None


def find_interpreter(search_paths: Iterable[str]) -> str | None:
    """Return the first Python 3.11 or later in folders of interpreters, or among files."""
    for entry in search_paths:
        path = Path(entry)
        candidates = [path / name for name in _INTERPRETERS] if path.is_dir() else [path]
        for candidate in candidates:
            if candidate.name in _INTERPRETERS and os.access(candidate, os.X_OK):
                found = fitting_interpreter(str(candidate))
                if found:
                    return found
    return None


def network_document(
    repos: PythonRepos, options: SlimImageOptions, ca_certs_path: str | None, env: dict[str, str]
) -> dict[str, object]:
    """Return the core's ``network.json``: only what is configured, so that pip's own files count too."""
    result: dict[str, object] = {"env": env, "default_index": PythonRepos.pypi_index}
    if not repos.options.is_default("indexes"):
        result["indexes"] = list(repos.indexes)
    if repos.find_links:
        result["find_links"] = list(repos.find_links)
    if ca_certs_path:
        result["ca_bundle"] = ca_certs_path
    if options.debian_mirrors:
        result["debian_mirrors"] = {k: list(v) for k, v in options.mirrors().items()}
    return result


@uncacheable_rule(desc="Look at this machine")
async def prepare_machine(
    repos: PythonRepos,
    options: SlimImageOptions,
    global_options: GlobalOptions,
    python_bootstrap: PythonBootstrap,
    docker: DockerOptions.EnvironmentAware,
) -> MachineReady:
    env = await engine.environment((*_NETWORK_VARIABLES, *options.pass_environment, *docker.env_vars))
    folder = Path(global_options.named_caches_dir) / CACHE_NAME
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    document = network_document(repos, options, global_options.ca_certs_path, dict(env))
    replace_file(folder / "network.json", json.dumps(document, sort_keys=True, indent=1).encode())
    engines = container_engines(await engine.environment(_ENGINE_VARIABLES))
    replace_file(folder / "container-engine.json", json.dumps(engines, sort_keys=True, indent=1).encode())
    replace_link(folder / "python", find_interpreter(python_bootstrap.interpreter_search_paths))
    return MachineReady()


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
