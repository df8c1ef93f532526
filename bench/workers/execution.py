"""The example's images, packaged on this machine and again on a remote worker whose root is bare."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from tests.integration.repository import Repository, Run, fresh_clone
from tests.support.publisher import SERVICES
from tests.support.remote_cache import BuildGrid, running
from tests.support.remote_worker import BASE_LAYERS, make_root, working

_TARGETS = tuple(f"src/brewblox/{service}:image" for service in SERVICES)
# What Pants tells of a run elsewhere, of all that it counts.
_COUNTERS = (
    "local_execution_requests",
    "remote_execution_requests",
    "remote_execution_success",
    "remote_execution_errors",
    "remote_process_total_time_run_ms",
)


def _bytes(folder: Path) -> int:
    """Return what the files of a folder hold, in bytes."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _package(repository: Repository) -> tuple[Run, float]:
    """Package the images, which has to work; return the run and its seconds."""
    start = time.monotonic()
    run = repository.pants("package", *_TARGETS)
    if run.exit_code:
        sys.exit(run.stderr)
    return run, round(time.monotonic() - start, 1)


def _digests(repository: Repository) -> dict[str, str]:
    return {service: repository.layout(f"src.brewblox.{service}/image").index_digest for service in SERVICES}


def _elsewhere(folder: Path, here: Repository, grid: BuildGrid) -> dict[str, Any]:
    """Package everything on a worker; return the figures."""
    root = make_root(folder / "root", here.layout("src.brewblox.service/image"), BASE_LAYERS)
    with working(folder / "worker", root, grid) as worker:
        clone = fresh_clone(folder / "elsewhere", **worker.environment())
        run, seconds = _package(clone)
    return {
        "digests": _digests(clone),
        "seconds": seconds,
        "steps": len(run.started),
        "counters": {name: run.counters[name] for name in _COUNTERS},
        "worker's root, bytes": _bytes(root),
        "shared storage, bytes": _bytes(grid.cas),
        "client's store, bytes": _bytes(clone.caches.folder / "store"),
    }


def main() -> int:
    """Measure, and print the figures as JSON; 1 where a digest differs or a step ran here."""
    parser = argparse.ArgumentParser(
        prog="bench/remote_execution",
        description="Packages the example's three images for three platforms on this machine (own caches or "
        "the user's with --warm), then all on a buildbox worker that has a libc, a shell and Python.",
    )
    parser.add_argument(
        "--work", type=Path, required=True, help="folder to make everything in; emptied first"
    )
    parser.add_argument(
        "--warm", action="store_true", help="let the build on this machine use the user's caches"
    )
    args = parser.parse_args()
    folder: Path = args.work.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    here = fresh_clone(folder / "here", PANTS_STATS_LOG="true")
    if args.warm:
        here.env["PANTS_LOCAL_STORE_DIR"] = str(Path.home() / ".cache/pants/lmdb_store")
        here.env["PANTS_NAMED_CACHES_DIR"] = str(Path.home() / ".cache/pants/named_caches")
    local, seconds = _package(here)
    with running(folder / "grid") as grid:
        elsewhere = _elsewhere(folder, here, grid)
    result: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(value, 1) for value in os.getloadavg()],
        "here": {"digests": _digests(here), "seconds": seconds, "steps": len(local.started)},
        "on the worker": elsewhere,
    }
    print(json.dumps(result, indent=2))
    same = result["here"]["digests"] == elsewhere["digests"]
    return 0 if same and elsewhere["counters"]["local_execution_requests"] == 0 else 1
