"""Remote execution: the example itself, all of it on a worker that has a libc, a shell and Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Packaged
from tests.integration.repository import fresh_clone
from tests.support.publisher import SERVICES
from tests.support.remote_cache import BuildGrid
from tests.support.remote_worker import BASE_LAYERS, make_root, working

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

IMAGES = "src/brewblox::"


def test_three_platforms_on_a_bare_worker_are_what_is_made_here(
    packaged: Packaged, shared_cache: BuildGrid, tmp_path: Path
) -> None:
    """Every step of three services for three platforms runs on the worker: toolbox, fetches, plans, builds,
    layers, audits, images and indexes.

    The worker keeps its blobs where the machine that packaged has put its own, so that what is the same there is
    not sent again. No result is taken from there: the worker counts what it runs.
    """
    root = make_root(tmp_path / "root", packaged.layout("service"), BASE_LAYERS)
    with working(tmp_path / "worker", root, shared_cache) as worker:
        clone = fresh_clone(tmp_path / "client", **worker.environment())
        run = clone.pants("package", IMAGES)
        assert run.exit_code == 0, run.stderr
        executions = worker.executions
    counters = run.counters
    assert counters["local_execution_requests"] == 0
    assert executions == counters["remote_execution_success"] == len(run.started) > 120
    for service in SERVICES:
        here = packaged.layout(service).index_digest
        assert clone.layout(f"src.brewblox.{service}/image").index_digest == here, service
