"""The command `bench/keys`: how long `slim-digest` takes in a repository of many images."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.load.generator import Shape, images_repository
from bench.load.machine import machine_text
from tests.integration.repository import Caches, Repository, copy_plugin, stopped

DESCRIPTION = """\
Generate a repository of N slim_python_image targets, start the daemon and ask `slim-digest ::` for their
keys: the first time, with nothing changed, and after an edit of one source file. Nothing is built. Prints
seconds, and processor seconds of client and daemon, which load changes less. Writes
bench/results/keys-<date>.json.
"""
EPILOG = "exit status: 0 the fastest run that changes nothing is within --limit; 1 not; 2 a run failed\n"


@dataclass(frozen=True)
class Keys:
    """One run.

    :param client: processor seconds of the program that was started.
    :param daemon: those of the daemon meanwhile.
    """

    scenario: str
    seconds: float
    client: float
    daemon: float
    load: float


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/keys",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--images", type=int, default=300, metavar="N", help="default: %(default)s")
    result.add_argument("--repeat", type=int, default=7, metavar="TIMES", help="default: %(default)s")
    result.add_argument("--limit", type=float, default=1.0, metavar="SECONDS", help="default: %(default)s")
    result.add_argument("--work", type=Path, metavar="DIR", help="default: a temporary folder")
    result.add_argument("--results", type=Path, metavar="DIR", help="default: bench/results")
    return result


def _processor(pid: int) -> float:
    """Return the seconds that a process has used, 0 where there is none: proc(5), utime and stime."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def _daemon(repository: Repository) -> int:
    files = [*repository.root.glob(".pids/*/pantsd/pid"), *repository.root.glob(".pants.d/pids/*/pantsd/pid")]
    return int(files[0].read_text()) if files else 0


def measured(repository: Repository, scenario: str) -> Keys:
    """Ask for the keys once.

    :raises RuntimeError: Pants failed.
    """
    before, pid = resource.getrusage(resource.RUSAGE_CHILDREN), _daemon(repository)
    used, started = _processor(pid), time.perf_counter()
    run = repository.pants("slim-digest", "::", daemon=True)
    seconds = time.perf_counter() - started
    after, pid = resource.getrusage(resource.RUSAGE_CHILDREN), _daemon(repository)
    if run.exit_code != 0:
        raise RuntimeError(run.stderr[-10_000:])
    client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = Keys(scenario, seconds, client, _processor(pid) - used, os.getloadavg()[0])
    print(
        f"{scenario}: {found.seconds:.2f} s; processor: client {found.client:.2f} s, daemon "
        f"{found.daemon:.2f} s; load {found.load:.1f}",
        flush=True,
    )
    return found


def main(root: Path) -> int:
    """Run the command; return its exit status."""
    args = parser().parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-keys-", dir=args.work) as folder:
        work = Path(folder)
        plugin = copy_plugin(work / "plugin")
        made = images_repository(work, Caches(work / "caches"), plugin, Shape(args.images))
        try:
            with stopped(made) as repository:
                rows.append(measured(repository, "first, with the daemon's start"))
                rows += [measured(repository, "nothing changed") for _ in range(args.repeat)]
                for number in range(args.repeat):
                    path = "src/service_000/service_000/helpers.py"
                    repository.write(path, f"NUMBER = {1000 + number}\n")
                    rows.append(measured(repository, "one source file changed"))
        except RuntimeError as e:
            print(f"bench/keys: a run failed:\n{e}", file=sys.stderr)
            return 2
    best = min(row.seconds for row in rows if row.scenario == "nothing changed")
    date = time.strftime("%Y-%m-%d")
    results = args.results or root / "bench/results"
    results.mkdir(parents=True, exist_ok=True)
    document = {
        "date": date,
        "machine": machine_text(),
        "images": args.images,
        "rows": [
            {key: round(v, 2) if isinstance(v, float) else v for key, v in asdict(row).items()}
            for row in rows
        ],
    }
    (results / f"keys-{date}.json").write_text(json.dumps(document, indent=1) + "\n")
    print(f"{args.images} images, nothing changed: {best:.2f} s; {machine_text()}")
    return 0 if best <= args.limit else 1
