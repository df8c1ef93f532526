"""Two machines make the same images: nothing of the place, the user or the clock is in them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.monorepo import write_monorepo
from tests.integration.repository import Caches, Repository, Run, make_repository

pytestmark = pytest.mark.slow
IMAGES = ("src.service/image", "src.child/image")
ADDRESSES = ("src/service:image", "src/child:image")


def machine(folder: Path, plugin: Path, **env: str) -> Repository:
    """Make a copy of the monorepo that has caches of its own, with nothing in them."""
    home = folder / "home"
    home.mkdir(parents=True)
    repository = write_monorepo(
        make_repository(folder / "work" / "repository", Caches(folder / "caches"), plugin=plugin)
    )
    repository.env = {"HOME": str(home), **env}
    return repository


def digests(repository: Repository) -> list[str]:
    return [repository.layout(image).index_digest for image in IMAGES]


def test_two_machines_make_the_same_images(tmp_path: Path, plugin: Path) -> None:
    one = machine(tmp_path / "one", plugin, TZ="Asia/Tokyo", LANG="C")
    two = machine(tmp_path / "a longer" / "place", plugin, TZ="America/New_York", LANG="de_DE.UTF-8")
    cores = sorted(os.sched_getaffinity(0))

    def package(repository: Repository, umask: int, prefix: tuple[str, ...], jobs: int) -> Run:
        parallel = f"--process-execution-local-parallelism={jobs}"
        return repository.pants(parallel, "package", *ADDRESSES, umask=umask, prefix=prefix)

    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(package, one, 0o077, (), 3),
            pool.submit(package, two, 0o002, ("taskset", "-c", str(cores[-1])), 1),
        ]
        for run in runs:
            assert run.result().exit_code == 0, run.result().stderr
    first, second = (run.result().started for run in runs)
    assert first == second
    assert any("amd64): python3.11, " in step for step in first), "the caches were not empty"
    assert digests(one) == digests(two)
    for image in IMAGES:
        reports = {(repository.root / f"dist/{image}.json").read_bytes() for repository in (one, two)}
        assert len(reports) == 1
