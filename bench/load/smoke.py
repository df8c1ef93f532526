"""The command `bench/smoke`: has a change made packages do more, ask more, or write more?"""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.load.generator import Shape, images_repository
from bench.load.meter import RunFailedError, package
from bench.load.smoke_counts import ACCEPT, Counts, Units, contents, counts, differences, read, render
from bench.load.step_use import empty_step, in_units, metered, processes, slips, table, uses
from tests.integration.repository import Caches, Repository, copy_plugin, stopped

# Enough for layers that are shared and layers that are not; the first wheel, whose line of the lock
# changes, is that of some images and not of others.
SHAPE = Shape(4, wheels=12, per_image=4)
MACHINE = ("Linux", "x86_64")

DESCRIPTION = """\
Generate a small repository with an empty cache of its own and package it: cold, unchanged, after an
edit of a source file and of a line of the lock. Count steps, processes, cache requests, files and
bytes, and compare them with bench/smoke.toml; and the processor time of each kind of step, in empty
steps, which may be up to twice what is kept there. Needs the package index and a Debian mirror, and
Linux on x86_64, whose counts are kept.
"""
EPILOG = """\
exit status: 0 all counts are as expected; 1 some are not; 2 they could not be counted
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/smoke",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--accept", action="store_true", help="keep what is counted as what is expected")
    result.add_argument("--work", type=Path, metavar="DIR", help="default: a temporary folder")
    return result


def say(text: str) -> None:
    """Print a progress line."""
    print(f"bench/smoke: {text}", file=sys.stderr, flush=True)


def scenarios(repository: Repository, log: Path) -> tuple[dict[str, Counts], Units]:
    """Package a repository edit by edit; return what each run did, and what each kind of step takes.

    :param log: where its steps note what they use.
    :raises RunFailedError: a run failed.
    """
    found = {}
    unit = empty_step()

    def run(name: str, *, daemon: bool = False, edit: Callable[[], object] = lambda: None) -> None:
        before, noted = contents(repository), len(list(uses(log)))
        edit()
        started = time.perf_counter()
        sample = package(repository, "src::", daemon=daemon)
        ran = list(uses(log))[noted:]
        found[name] = counts(repository, sample, before, processes(ran))
        took = f"{time.perf_counter() - started:.0f} s, {sample.processor:.1f} s of processor time"
        say(f"{name}: {took}, {sum(use.seconds for use in ran):.1f} of it steps'")

    locks = repository.root / "3rdparty/python"
    run("cold")
    # The least of before and after: what is short is soon slowed down by others.
    unit = min(unit, empty_step())
    units = in_units(uses(log), unit)
    say(f"an empty step takes {unit:.3f} s of processor time; those of the cold run:\n{table(uses(log))}")
    run("nothing changed")
    run(
        "one source file changed",
        edit=lambda: repository.write("src/service_000/service_000/helpers.py", "NUMBER = 1000\n"),
    )
    run(
        "one lock line changed",
        edit=lambda: shutil.copyfile(locks / "newer.lock", locks / "default.lock"),
    )
    package(repository, "src::", daemon=True)
    run("nothing changed, daemon", daemon=True)
    return found, units


def main(root: Path) -> int:
    """Run the command; return its exit status."""
    args = parser().parse_args()
    if (platform.system(), platform.machine()) != MACHINE:
        print(f"bench/smoke: the counts kept are those of {' '.join(MACHINE)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="bench-smoke-", dir=args.work) as folder:
        work = Path(folder)
        plugin, log = copy_plugin(work / "plugin"), work / "steps.jsonl"
        metered(plugin, log)
        try:
            with stopped(images_repository(work, Caches(work / "caches"), plugin, SHAPE)) as repository:
                found, units = scenarios(repository, log)
        except RunFailedError as e:
            print(f"bench/smoke: a run failed:\n{e}", file=sys.stderr)
            return 2
    kept = root / "bench/smoke.toml"
    expected, expected_units = read(kept)
    lines = [*differences(expected, found), *slips(expected_units, units)]
    print("\n".join(lines) if lines else "bench/smoke: all counts are as expected")
    if args.accept:
        kept.write_text(render(found, units))
        return 0
    if lines:
        print(f"  -> if this is meant, keep the new counts: {ACCEPT}")
    return 1 if lines else 0
