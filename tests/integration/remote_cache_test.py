"""A shared cache: what one machine did, the other finds; and a cache that fails costs time, never an image."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.integration.monorepo import write_monorepo
from tests.integration.repository import Caches, Layout, Repository, Run, make_repository
from tests.support.remote_cache import INSTANCE, BuildGrid, bearer_token, free_port, running, token
from tests.support.step_keys import VARIABLES, first_difference

pytestmark = pytest.mark.slow

IMAGE = "src/service:image"
WHEELS = "src/service:wheels"
SOURCE = "src/service/service/__init__.py"
EDITED = ["Layer sources of src/service:image"]
_WARNING = re.compile(r"\[WARN\] (Failed to (?:read from|write to) remote cache .*)")
# In the words of Pants 2.17, and of 2.30.
_UNREACHABLE = r"(Connection refused|client error \(Connect\))"
_READ = r"Failed to read from remote cache \(1 occurrences so far\): .*"


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


@contextlib.contextmanager
def spoilt(blob: Path, fault: str) -> Iterator[None]:
    """Damage or remove a blob of the server for a while."""
    right = blob.read_bytes()
    blob.chmod(0o644)
    if fault == "missing":
        blob.unlink()
    else:
        blob.write_bytes(bytes([right[0] ^ 1]) + right[1:])
    try:
        yield
    finally:
        blob.write_bytes(right)


def warnings(run: Run) -> str:
    return "\n".join(_WARNING.findall(run.stderr))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuildGrid]:
    """Give a cache that asks for TLS and a token."""
    with running(tmp_path_factory.mktemp("server"), secure=True) as started:
        yield started


@dataclass(frozen=True)
class First:
    """The machine that filled the cache.

    :ivar run: in which it did.
    :ivar made: what it wrote then, before any file was edited.
    :ivar caches: what it had on the disk then; to be copied.
    """

    repository: Repository
    run: Run
    made: Layout
    caches: Caches


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, plugin: Path, server: BuildGrid) -> First:
    """Give the machine that filled the cache."""
    folder = tmp_path_factory.mktemp("first")
    made = machine(folder, plugin, **server.environment())
    run = package(made, umask=0o077)
    assert run.counters["remote_cache_write_successes"] == len(run.started) > 20
    kept = folder / "kept"
    shutil.copytree(made.caches.folder, kept / "caches", symlinks=True)
    shutil.copytree(layout(made).folder, kept / "image")
    return First(made, run, Layout(kept / "image"), Caches(kept / "caches"))


def test_another_machine_runs_nothing_and_then_gives_back(
    first: First, server: BuildGrid, plugin: Path, tmp_path: Path
) -> None:
    """With TLS and a token."""
    one, built = first.repository, first.run
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


def edited(first: First, caches: Path) -> Repository:
    """Return the first machine with an edited file, as if it had made nothing since it filled the cache.

    :param caches: the folder to make.
    """
    shutil.copytree(first.caches.folder, caches, symlinks=True)
    first.repository.write(SOURCE, "FAULT = 'of the cache'\n")
    return replace(first.repository, caches=Caches(caches))


@pytest.fixture(scope="module")
def edited_digest(first: First, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the digest of the image with the edited file, made without a shared cache."""
    alone = edited(first, tmp_path_factory.mktemp("alone") / "caches")
    run = package(alone, PANTS_REMOTE_CACHE_READ="false", PANTS_REMOTE_CACHE_WRITE="false")
    assert run.started == EDITED
    assert layout(alone).index_digest != first.made.index_digest
    return layout(alone).index_digest


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("nobody listens", _UNREACHABLE),
        ("wrong instance", r"Invalid instance name: \[other\]"),
        ("wrong token", "No valid authorization"),
    ],
)
def test_a_server_that_cannot_be_used_is_a_warning(
    first: First, edited_digest: str, server: BuildGrid, tmp_path: Path, *, fault: str, said: str
) -> None:
    (tmp_path / "token").write_text(token("another secret"))
    env = {
        "nobody listens": {"PANTS_REMOTE_STORE_ADDRESS": f"grpcs://localhost:{free_port()}"},
        "wrong instance": {"PANTS_REMOTE_INSTANCE_NAME": "other"},
        "wrong token": bearer_token(tmp_path / "token"),
    }[fault]
    assert server.environment()["PANTS_REMOTE_INSTANCE_NAME"] == INSTANCE
    repository = edited(first, tmp_path / "caches")
    repository.env = {**repository.env, **env}
    run = package(repository)
    assert run.started == EDITED
    assert layout(repository).index_digest == edited_digest
    assert re.search(_READ + said, warnings(run)), run.stderr


@pytest.mark.parametrize("fault", ["damaged", "missing"])
def test_a_blob_that_the_server_has_damaged_or_lost_is_made_again(
    first: First, server: BuildGrid, plugin: Path, tmp_path: Path, fault: str
) -> None:
    layer = first.made.layers()[-1]
    two = machine(tmp_path, plugin, **server.environment())
    with spoilt(server.blob(layer), fault):
        run = package(two)
    assert run.started == ["Layer folders of the image's user"]  # the topmost, whose blob is spoilt
    assert layout(two).index_digest == first.made.index_digest
    assert layout(two).blob(layer).read_bytes() == first.made.blob(layer).read_bytes()
    if fault == "damaged":
        number = layer.partition(":")[2]
        assert re.search(f"{_READ}Remote CAS gave wrong digest: expected .*{number}", warnings(run)), (
            run.stderr
        )
    else:
        assert warnings(run) == "", "to Pants it is a step that nobody made"


def test_a_damaged_blob_that_is_only_read_when_it_is_written_to_dist_is_an_error_with_a_way_out(
    first: First, server: BuildGrid, plugin: Path, tmp_path: Path
) -> None:
    layer = first.made.layers()[-1]
    two = machine(tmp_path, plugin, **server.environment())
    with spoilt(server.blob(layer), "damaged"):
        failed = two.pants("package", IMAGE, "--cache-content-behavior=validate")
        assert failed.exit_code == 1
        assert layer.partition(":")[2] in failed.error
        assert not layout(two).blob(layer).exists()
        package(two, PANTS_CACHE_CONTENT_BEHAVIOR="fetch")
    assert layout(two).index_digest == first.made.index_digest
    assert layout(two).blob(layer).read_bytes() == first.made.blob(layer).read_bytes()


def test_a_server_that_is_killed_in_the_middle_of_a_build(first: First, plugin: Path, tmp_path: Path) -> None:
    with running(tmp_path / "server") as mortal:
        filling = machine(tmp_path / "filling", plugin, **mortal.environment())
        assert filling.pants("package", WHEELS).exit_code == 0
        two = machine(tmp_path / "two", plugin, **mortal.environment())
        process = two.start("package", IMAGE)
        assert process.stderr is not None
        before = ""
        for line in process.stderr:
            before += line
            if "[INFO] Starting: " in line:
                mortal.kill()
                break
        stdout, after = process.communicate()
    run = Run(process.returncode, stdout, before + after)
    assert run.exit_code == 0, run.stderr
    assert run.counters["remote_cache_requests_cached"] > 0, "killed before anything was found"
    assert len(run.started) > 10, "killed after everything was found"
    assert layout(two).index_digest == first.made.index_digest
    assert re.search(f"{_READ}(Connection refused|transport error|client error)", warnings(run)), run.stderr


def size(folder: Path) -> int:
    """Return the bytes of a folder on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
