"""A shared cache: what one machine did, the other finds; and a cache that fails costs time, never an image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.monorepo import write_monorepo
from tests.integration.repository import Caches, Layout, Repository, Run, make_repository
from tests.support.remote_cache import INSTANCE, BuildGrid, free_port, running, token
from tests.support.step_keys import VARIABLES, first_difference

pytestmark = pytest.mark.slow

IMAGE = "src/service:image"
SOURCE = "src/service/service/__init__.py"
EDITED = ["Layer sources of src/service:image", "Write the index", "Write the manifest for linux/amd64"]
_WARNING = re.compile(r"\[WARN\] (Failed to (?:read from|write to) remote cache .*)")


def machine(folder: Path, plugin: Path, **env: str) -> Repository:
    """Make a machine that never built anything: a place, a home and caches of its own."""
    home = folder / "home"
    home.mkdir(parents=True)
    made = write_monorepo(
        make_repository(folder / "work" / "repository", Caches(folder / "caches"), plugin=plugin)
    )
    made.env = {"HOME": str(home), **VARIABLES, **env}
    return made


def package(repository: Repository, *, umask: int = -1, **env: str) -> Run:
    """Package the image, which has to work."""
    before = repository.env
    repository.env = {**before, **env}
    run = repository.pants("package", IMAGE, umask=umask)
    repository.env = before
    assert run.exit_code == 0, run.stderr
    return run


def layout(repository: Repository) -> Layout:
    return repository.layout("src.service/image")


def warnings(run: Run) -> str:
    return "\n".join(_WARNING.findall(run.stderr))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuildGrid]:
    """Give a cache that asks for TLS and a token."""
    with running(tmp_path_factory.mktemp("server"), secure=True) as started:
        yield started


@pytest.fixture(scope="module")
def first(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, server: BuildGrid
) -> tuple[Repository, Run]:
    """Give the machine that filled the cache, and its run."""
    made = machine(tmp_path_factory.mktemp("first"), plugin, **server.environment())
    run = package(made, umask=0o077)
    assert run.counters["remote_cache_write_successes"] == len(run.started) > 40
    return made, run


def test_another_machine_runs_nothing_and_then_gives_back(
    first: tuple[Repository, Run], server: BuildGrid, plugin: Path, tmp_path: Path
) -> None:
    """With TLS and a token."""
    one, built = first
    two = machine(tmp_path / "another machine", plugin, **server.environment())
    found = package(two, umask=0o002, PANTS_CACHE_CONTENT_BEHAVIOR="validate")
    assert first_difference(built.stderr, found.stderr) is None
    assert found.started == []
    counters = found.counters
    assert counters["local_execution_requests"] == 0
    assert counters["remote_cache_requests_cached"] == counters["remote_cache_requests"] == len(built.started)
    assert layout(two).index_digest == layout(one).index_digest
    assert size(two.caches.folder / "store") < size(one.caches.folder / "store") / 2, (
        "what nobody reads is not here"
    )

    for repository in (one, two):
        repository.write(SOURCE, "EDITED = True\n")
    edited = package(two)
    assert edited.started == EDITED
    difference = first_difference(built.stderr, edited.stderr)
    assert difference is not None
    assert re.fullmatch(
        r"Layer sources of src/service:image\n  inputs sources/service/__init__\.py: \w{64} -> \w{64}",
        difference,
    ), difference
    assert package(one).started == []
    assert layout(two).index_digest == layout(one).index_digest


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("nobody listens", "Connection refused"),
        ("wrong instance", r"Invalid instance name: \[other\]"),
        ("wrong token", "No valid authorization"),
    ],
)
def test_a_server_that_cannot_be_used_is_a_warning(
    first: tuple[Repository, Run], server: BuildGrid, tmp_path: Path, fault: str, said: str
) -> None:
    (tmp_path / "token").write_text(token("another secret"))
    env = {
        "nobody listens": {"PANTS_REMOTE_STORE_ADDRESS": f"grpcs://localhost:{free_port()}"},
        "wrong instance": {"PANTS_REMOTE_INSTANCE_NAME": "other"},
        "wrong token": {"PANTS_REMOTE_OAUTH_BEARER_TOKEN_PATH": str(tmp_path / "token")},
    }[fault]
    assert server.environment()["PANTS_REMOTE_INSTANCE_NAME"] == INSTANCE
    repository, _ = first
    repository.write(SOURCE, f"FAULT = {fault!r}\n")
    repository.env |= env
    run = package(repository)
    repository.env |= server.environment()
    assert run.started == EDITED
    assert re.search(
        rf"Failed to read from remote cache \(1 occurrences so far\): .*{said}", warnings(run)
    ), run.stderr
    made = layout(repository)
    (path,) = [
        path for path in made.listing(made.layers()[-1]) if path.endswith("site-packages/service/__init__.py")
    ]
    assert fault in made.read(made.layers()[-1], path).decode()


def size(folder: Path) -> int:
    """Return the bytes of a folder on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
