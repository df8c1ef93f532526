"""Others' programs that read what is published, from the Go module proxy at pinned versions.

Built once per machine into the tests' cache, which takes minutes; a build that is there is used as it is.
`python -m tests.support.peers` builds all of them.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.registry_server import free_port
from tests.support.waiting import wait_for

_GGCR = "github.com/google/go-containerregistry"
PEERS = {
    "crane": (f"{_GGCR}/cmd/crane", "v0.22.1"),
    "oras": ("oras.land/oras/cmd/oras", "v1.3.6"),
    "registry": ("github.com/distribution/distribution/v3/cmd/registry", "v3.1.2"),
    "cosign": ("github.com/sigstore/cosign/v3/cmd/cosign", "v3.1.3"),
    "syft": ("github.com/anchore/syft/cmd/syft", "v1.57.1"),
}
_ON_DEMAND = frozenset({"syft"})
"""What no test of CI asks for, and so is built where somebody does."""
_REGISTRY = "referrers-registry"
# The registry of go-containerregistry, with the API that lists what refers to an image: crane's own lacks it.
_MAIN = f"""package main

import (
	"log"
	"net/http"
	"os"

	"{_GGCR}/pkg/registry"
)

func main() {{
	log.Fatal(http.ListenAndServe(os.Args[1], registry.New(registry.WithReferrersSupport(true))))
}}
"""
_MODULE = f"module referrers\n\ngo 1.24\n\nrequire {_GGCR} v0.22.1\n"
_SECONDS = 3600


def cache() -> Path:
    """Return the folder of programs that were built."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "slim-python-image" / "peers"


def _go() -> str:
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    assert found, "the programs that read what is published are built with Go 1.24 or later: install it"
    return found


def _build(name: str, folder: Path) -> None:
    env = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-p=2"}
    if name in PEERS:
        argv = [_go(), "install", "@".join(PEERS[name])]
        subprocess.run(argv, check=True, env=env, timeout=_SECONDS, cwd=folder)
        return
    (folder / "main.go").write_text(_MAIN)
    (folder / "go.mod").write_text(_MODULE)
    for argv in ([_go(), "mod", "tidy"], [_go(), "build", "-o", name, "."]):
        subprocess.run(argv, check=True, env=env, timeout=_SECONDS, cwd=folder)


def peer(name: str) -> str:
    """Return the path of a program, built where it is not there yet."""
    version = PEERS[name][1] if name in PEERS else "v0.22.1"
    folder = cache() / f"{name}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            _build(name, folder)
    return str(folder / name)


def ask(name: str, *arguments: str, home: Path) -> str:
    """Run a program, which has to end well, and return what it says."""
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [peer(name), *arguments], env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{name} {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


def make_key(folder: Path, password: str) -> None:
    """Write `cosign.key` and `cosign.pub`."""
    env = {"HOME": str(folder), "COSIGN_PASSWORD": password}
    subprocess.run(
        [peer("cosign"), "generate-key-pair"], check=True, env=env, cwd=folder, capture_output=True
    )


@contextmanager
def referrers_registry() -> Iterator[str]:
    """Give the address of a registry that lists what refers to an image."""
    host = f"127.0.0.1:{free_port()}"
    with _serving(host, [peer(_REGISTRY), host], dict(os.environ)):
        yield host


@contextmanager
def distribution_registry(folder: Path) -> Iterator[str]:
    """Give the address of the registry that Docker Hub's and GitLab's are made of, in its third version.

    :param folder: for what it keeps.
    """
    host = f"127.0.0.1:{free_port()}"
    configuration = folder / "registry.yml"
    storage = f"storage: {{filesystem: {{rootdirectory: {folder / 'storage'}}}}}"
    configuration.write_text(f"version: 0.1\nlog: {{level: error}}\n{storage}\nhttp: {{addr: {host}}}\n")
    environment = {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
    with _serving(host, [peer("registry"), "serve", str(configuration)], environment):
        yield host


@contextmanager
def _serving(host: str, argv: list[str], env: dict[str, str]) -> Iterator[None]:
    """Run a registry until it is not wanted any more."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, env=env, stdout=quiet, stderr=quiet)
    try:
        wait_for(lambda: _answers(host), seconds=20)
        yield
    finally:
        process.kill()
        process.wait(10)


def _answers(host: str) -> bool:
    with closing(http.client.HTTPConnection(host, timeout=2)) as connection:
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except OSError:
            return False


if __name__ == "__main__":
    # Ended, it ends the build that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for one in (_REGISTRY, *(name for name in PEERS if name not in _ON_DEMAND)):
        start = time.monotonic()
        sys.stdout.write(f"{peer(one)}: {time.monotonic() - start:.0f} s\n")
