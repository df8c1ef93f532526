"""The command `bench/scale`: repositories of more and more images, measured edit by edit."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load.generator import WHEELS, Shape, archives_repository, images_repository
from bench.load.machine import machine_text
from bench.load.meter import RunFailedError, Sample, disk_bytes, measured, package
from bench.load.scale_report import render
from tests.integration.repository import Caches, Repository, copy_plugin, stopped

COLD = "cold"
SAME = "nothing changed, no daemon"
SAME_DAEMON = "nothing changed, daemon"
SOURCE = "one source file changed, daemon"
LOCK = "one lock line changed, daemon"
SHARED = "nothing changed, daemon, shared blobs"
COLD_DAEMON = "cold, daemon"
DEPENDENCIES = "nothing changed, daemon, Pants alone: dependencies of the images"
ARCHIVES = "archives, "

DESCRIPTION = f"""\
Generate repositories of N slim_python_image targets over {WHEELS} locked wheels (made, small, from a
folder) and of N of Pants's own `archive` targets; package them cold, unchanged (with the daemon and
without), and after an edit of a source file and of a line of the lock. Writes
bench/results/scale-<date>.json and .md and prints the latter.
"""
EPILOG = """\
exit status: 0 within --limit; 1 not; 2 something could not be measured
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/scale",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--images", type=int, action="append", metavar="N", help="how many; repeat (default: 10, 100, 300)"
    )
    result.add_argument(
        "--quick",
        action="store_true",
        help="only what the limit is about, minutes instead of most of an hour: with the daemon alone, cold, "
        "nothing changed and one source file changed",
    )
    result.add_argument(
        "--repeat",
        type=int,
        default=3,
        metavar="TIMES",
        help="how often a run that changes nothing is measured; the fastest counts (default: %(default)s)",
    )
    result.add_argument(
        "--limit",
        type=float,
        default=1.5,
        metavar="RATIO",
        help="what images that have not changed may take, as archives that have not (default: %(default)s)",
    )
    result.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="where to make the repositories (default: a temporary folder)",
    )
    result.add_argument(
        "--results", type=Path, metavar="DIR", help="where the report goes (default: bench/results)"
    )
    return result


def say(text: str) -> None:
    """Print a progress line."""
    print(f"bench/scale: {text}", file=sys.stderr, flush=True)


def row(name: str, sample: Sample) -> dict[str, Any]:
    """Return a measurement as it is reported."""
    return {
        "scenario": name,
        "seconds": round(sample.seconds, 2),
        "scheduler_bytes": sample.peak.scheduler,
        "steps_bytes": sample.peak.steps,
        "steps": dict(sorted(sample.started.items())),
        "cache_requests": sample.counters.get("local_cache_requests", 0),
        "cache_hits": sample.counters.get("local_cache_requests_cached", 0),
        "store_bytes": sample.store,
    }


@dataclass
class Scenarios:
    """Measures one repository and collects the rows."""

    repository: Repository
    repeat: int
    prefix: str = ""

    def __post_init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def measure(self, name: str, run: Callable[[], Sample], times: int = 1) -> None:
        """Add the fastest of some runs."""
        best = min((run() for _ in range(times)), key=lambda sample: sample.seconds)
        say(f"{self.repository.root.parent.name}: {name}: {best.seconds:.1f} s")
        self.rows.append(row(self.prefix + name, best))

    def unchanged(self) -> None:
        """Measure what each run costs at least."""
        self.measure(COLD, lambda: package(self.repository, "src::"))
        self.measure(SAME, lambda: package(self.repository, "src::"), self.repeat)
        package(self.repository, "src::", daemon=True)
        self.measure(SAME_DAEMON, lambda: package(self.repository, "src::", daemon=True), self.repeat)

    def dependencies(self) -> None:
        """Measure what Pants alone takes to say that the dependencies of the targets are as they were."""

        def ask() -> Sample:
            return measured(self.repository, "dependencies", "src::", daemon=True)

        ask()
        self.measure(DEPENDENCIES, ask, self.repeat)

    def unchanged_with_daemon(self) -> None:
        """Measure what a developer waits for, and nothing that takes minutes but the first run."""
        self.measure(COLD_DAEMON, lambda: package(self.repository, "src::", daemon=True))
        self.measure(SAME_DAEMON, lambda: package(self.repository, "src::", daemon=True), self.repeat)

    def source_edit(self) -> None:
        """Measure what an edit of a source file costs."""
        edits = iter(range(self.repeat))

        def edit() -> Sample:
            path = "src/service_000/service_000/helpers.py"
            self.repository.write(path, f"NUMBER = {1000 + next(edits)}\n")
            return package(self.repository, "src::", daemon=True)

        self.measure(SOURCE, edit, self.repeat)

    def lock_edit(self) -> None:
        """Measure what an edit of a line of the lock costs."""
        lock = self.repository.root / "3rdparty/python"
        shutil.copyfile(lock / "newer.lock", lock / "default.lock")
        self.measure(LOCK, lambda: package(self.repository, "src::", daemon=True))

    def shared_blobs(self) -> None:
        """Measure a run that changes nothing where `dist` holds each blob once."""
        self.repository.env["PANTS_SLIM_IMAGE_SHARED_BLOBS"] = "true"
        package(self.repository, "src::", daemon=True, fresh=True)
        self.measure(SHARED, lambda: package(self.repository, "src::", daemon=True), self.repeat)


def _measure_images(images: Repository, repeat: int, quick: bool) -> dict[str, Any]:
    """Return the rows of a repository of images, and what its ``dist`` takes."""
    with stopped(images):
        scenarios = Scenarios(images, repeat)
        if quick:
            scenarios.unchanged_with_daemon()
            scenarios.dependencies()
            scenarios.source_edit()
            return {"rows": scenarios.rows, "dist_bytes": disk_bytes(images.root / "dist")}
        scenarios.unchanged()
        scenarios.dependencies()
        scenarios.source_edit()
        scenarios.lock_edit()
        dist = disk_bytes(images.root / "dist")
        scenarios.shared_blobs()
        shared = disk_bytes(images.root / "dist")
        return {"rows": scenarios.rows, "dist_bytes": dist, "shared_dist_bytes": shared}


def measure(work: Path, plugin: Path, count: int, repeat: int, *, quick: bool) -> dict[str, Any]:
    """Measure repositories of ``count`` targets: archives first, which take the shorter time."""
    shape = Shape(count)
    folder = work / f"{count}-archives"
    archives = archives_repository(folder, Caches(folder / "caches"), plugin, count)
    with stopped(archives):
        scenarios = Scenarios(archives, repeat, ARCHIVES)
        if quick:
            scenarios.unchanged_with_daemon()
        else:
            scenarios.unchanged()
    shutil.rmtree(folder)
    folder = work / f"{count}-images"
    found = _measure_images(
        images_repository(folder, Caches(folder / "caches"), plugin, shape), repeat, quick
    )
    shutil.rmtree(folder)
    return {
        "images": count,
        "wheels": shape.wheels,
        "wheels_of_an_image": shape.per_image,
        "images_of_the_lock_line": shape.users(0),
        **found,
        "rows": [*found["rows"], *scenarios.rows],
    }


def ratios(document: dict[str, Any]) -> dict[str, float]:
    """Return what images that have not changed take, in terms of archives, by number and scenario."""
    found = {}
    for one in document["measurements"]:
        seconds = {each["scenario"]: each["seconds"] for each in one["rows"]}
        for name, other in ((SAME, SAME), (SAME_DAEMON, SAME_DAEMON), (SHARED, SAME_DAEMON)):
            if name in seconds:
                found[f"{one['images']}, {name}"] = round(seconds[name] / seconds[ARCHIVES + other], 2)
    return found


def write(document: dict[str, Any], results: Path) -> str:
    """Write the report; return its text."""
    document["ratios"] = ratios(document)
    text = render(document)
    results.mkdir(parents=True, exist_ok=True)
    (results / f"scale-{document['date']}.json").write_text(json.dumps(document, indent=1) + "\n")
    (results / f"scale-{document['date']}.md").write_text(text)
    return text


def main(root: Path) -> int:
    """Run the command; return its exit status."""
    args = parser().parse_args()
    counts = sorted(args.images or (10, 100, 300))
    document: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "measurements": []}
    with tempfile.TemporaryDirectory(prefix="bench-scale-", dir=args.work) as folder:
        work = Path(folder)
        plugin = copy_plugin(work / "plugin")
        for count in counts:
            try:
                document["measurements"].append(measure(work, plugin, count, args.repeat, quick=args.quick))
            except RunFailedError as e:
                say(f"a run failed:\n{e}")
                return 2
            # After each, so that what was measured is not lost.
            document["machine"] = machine_text()
            text = write(document, args.results or root / "bench/results")
    print(text)
    largest = {n: r for n, r in document["ratios"].items() if n.startswith(f"{counts[-1]}, ")}
    return 0 if max(largest.values()) <= args.limit else 1
