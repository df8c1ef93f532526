"""Two machines and a shared cache, on the example itself: three services for three platforms."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Packaged
from tests.integration.repository import Repository, fresh_clone
from tests.support.publisher import SERVICES
from tests.support.remote_cache import BuildGrid

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

IMAGES = "src/brewblox::"
EDITED = "src/brewblox/devcon_spark/brewblox_devcon_spark/__init__.py"


@pytest.fixture(scope="module")
def other(
    tmp_path_factory: pytest.TempPathFactory, packaged: Packaged, shared_cache: BuildGrid
) -> Repository:
    """Give a machine that never built anything: another place, home, locale and interpreter."""
    folder = tmp_path_factory.mktemp("machine B, somewhere else")
    interpreters = folder / "interpreters"
    interpreters.mkdir()
    (interpreters / "python3.11").symlink_to(Path(sys.base_prefix) / "bin/python3.11")
    return fresh_clone(
        folder,
        TZ="Asia/Kathmandu",
        LC_ALL="C.UTF-8",
        PANTS_PYTHON_BOOTSTRAP_SEARCH_PATH=f'["{interpreters}"]',
        **shared_cache.environment(),
    )


def digests(repository: Repository) -> dict[str, str]:
    return {service: repository.layout(f"src.brewblox.{service}/image").index_digest for service in SERVICES}


def test_machine_b_runs_nothing_and_machine_a_finds_what_b_edits(
    packaged: Packaged, other: Repository
) -> None:
    one = packaged.repository
    assert len(packaged.first.started) > 120, "machine A did not build"
    run = other.pants("package", IMAGES, umask=0o077)
    assert run.exit_code == 0, run.stderr
    counters = run.counters
    assert run.started == [], run.stderr
    assert counters["local_execution_requests"] == 0
    assert counters["remote_cache_requests_cached"] == counters["remote_cache_requests"] > 120
    assert digests(other) == digests(one)

    try:
        for repository in (one, other):
            with (repository.root / EDITED).open("a") as file:
                file.write("EDITED_ON = 'machine B'\n")
        made = other.pants("package", IMAGES, umask=0o077)
        assert made.exit_code == 0, made.stderr
        assert made.started == ["Layer sources of src/brewblox/devcon_spark:image"]
        found = one.package(IMAGES, daemon=True)
        assert found.started == []
        assert found.counters["remote_cache_requests_cached"] == len(made.started)
        assert digests(one) == digests(other)
    finally:
        subprocess.run(["git", "checkout", "--quiet", EDITED], cwd=one.root, check=True)
        one.package(IMAGES, daemon=True)  # other tests look at what it wrote
