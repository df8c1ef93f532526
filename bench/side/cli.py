"""The command `bench/run`: prepares everything, runs the scenarios, writes the report."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from bench.load.machine import machine_text
from bench.side.bases import push_bases
from bench.side.buildkit import BuildKitError, programs
from bench.side.contenders import CONTENDERS
from bench.side.contenders.base import AMD64, ARM, Contender
from bench.side.contenders.buildkit import BuildKitUv
from bench.side.contenders.ours import Ours
from bench.side.meter import Group, Meter
from bench.side.mirror import Mirror, serving
from bench.side.records import Log
from bench.side.report import write_report
from bench.side.repository import COMPILED_LINE, PURE_LINE
from bench.side.runner import Runner, say
from bench.side.scenarios import SCENARIOS
from bench.side.site import ContenderError, Site
from bench.side.wire import relayed
from tests.support.engine import EngineError, find_tool, missing_tools
from tests.support.registry_server import running_registry

DESCRIPTION = """\
Build the three services of the example with our plugin and with what people would use instead, on this
machine, scenario by scenario, and compare. Writes bench/results/side-by-side-<name>.jsonl, one line per
measurement, and from it docs/reference/side-by-side.md with its plots. Needs root on Linux, and
apt-get install docker.io docker-registry mmdebstrap buildah, and arch-test qemu-user-static for linux/arm/v7;
Go, for the current BuildKit, which is compiled once. Contenders that --only leaves out need nothing
"""
EPILOG = """\
Fetched packages, base images and the output of all commands stay in --work. exit status: 0 done, whatever the
figures; 2 this machine lacks something
"""
TOOLS = ("docker-registry", "mmdebstrap")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/run",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--quick", action="store_true", help="one repeat, and only what takes minutes")
    result.add_argument("--repeats", type=int, metavar="N", help="how often (default: 3; with --quick: 1)")
    result.add_argument(
        "--only", metavar="NAME,...", help=f"contenders: {', '.join(one.name for one in CONTENDERS)}"
    )
    result.add_argument(
        "--scenario", metavar="KEY,...", help=f"scenarios: {', '.join(one.key for one in SCENARIOS)}"
    )
    result.add_argument("--resume", metavar="NAME", help="go on with an earlier run; its date, or its --name")
    result.add_argument("--name", help="of the results (default: today's date)")
    result.add_argument("--report", metavar="NAME", help="only write the report of an earlier run again")
    result.add_argument(
        "--work", type=Path, metavar="DIR", help="kept from run to run (default: bench/work/side)"
    )
    return result


def _chosen(text: str | None, names: list[str], what: str) -> list[str]:
    chosen = text.split(",") if text else names
    if unknown := set(chosen) - set(names):
        raise SystemExit(f"bench/run: no {what} {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return chosen


@contextlib.contextmanager
def made_site(root: Path, work: Path, platforms: Sequence[str]) -> Iterator[Site]:
    """Give the servers, with the base images in the registry.

    :param platforms: of the base images.
    """
    with (
        # First, so that what is started here counts as the bench's own.
        Group(f"bench-side-{os.getpid()}") as group,
        serving(work / "mirror") as mirror,
        running_registry(work / "registry") as registry,
        relayed(registry.port) as relay,
    ):
        for platform in platforms:
            push_bases(registry, mirror.mirror, work, platform)
        yield Site(root, work, mirror, relay, Meter(group, mirror, relay, None))


def _fill(mirror: Mirror) -> None:
    """Fetch what edits of the lock ask for, so that no scenario has to be made again for it."""
    for line in (PURE_LINE, COMPILED_LINE):
        for file in mirror.files(line.name):
            if file.sha256 in line.hashes:
                mirror.artifact(line.name, file.filename)


def _write_distributions(site: Site) -> None:
    """Write which distributions each image needs: for contenders that are given a list of them."""
    file = site.work / "distributions.json"
    if not file.exists():
        say("which distributions each image needs")
        ours = Ours(site)
        try:
            ours.prepare()
            ours.build()
            file.write_text(json.dumps(ours.distributions(), indent=1) + "\n")
        finally:
            ours.close()


def base_platforms(contenders: Iterable[type[Contender]], keys: Iterable[str]) -> tuple[str, ...]:
    """Return the platforms of the base images that contenders need: making them takes minutes.

    :param keys: of scenarios.
    """
    users = [one for one in contenders if one.uses_bases]
    foreign = "arm" in keys and any("arm" not in one.limits for one in users)
    return (*([AMD64] if users else []), *([ARM] if foreign else []))


def run(root: Path, args: argparse.Namespace) -> None:
    """Run what the command line asks for."""
    results = root / "bench/results"
    name = args.report or args.resume or args.name or time.strftime("%Y-%m-%d", time.gmtime())
    log = Log(results / f"side-by-side-{name}.jsonl")
    if args.report:
        write_report(root, name, log)
        return
    if log.entries and not args.resume:
        raise SystemExit(f"bench/run: {log.file} is there\n  -> --resume {name}, or another --name")
    names = _chosen(args.only, [one.name for one in CONTENDERS], "contender")
    keys = _chosen(args.scenario, [one.key for one in SCENARIOS if one.quick or not args.quick], "scenario")
    scenarios = [one for one in SCENARIOS if one.key in keys]
    work = (args.work or root / "bench/work/side").resolve()
    work.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in CONTENDERS if one.name in names]
    platforms = base_platforms(chosen, keys)
    # Told before anything is measured, not when its turn comes.
    needed = [*(["buildah"] if "buildah" in names else []), *(["arch-test"] if ARM in platforms else [])]
    if missing := [tool for tool in needed if not find_tool(tool)]:
        raise ValueError(f"needs {', '.join(missing)}\n  -> as root: apt-get install {' '.join(missing)}")
    if BuildKitUv.name in names:
        say("BuildKit's programs, which are compiled where they are not there yet")
        programs(work / "buildkit")
    with made_site(root, work, platforms) as site:
        _fill(site.mirror.mirror)
        _write_distributions(site)
        runner = Runner(site, log, scenarios, args.repeats or (1 if args.quick else 3))
        try:
            runner.run(chosen)
        finally:
            facts = {"machine": machine_text(), "date": time.strftime("%Y-%m-%d", time.gmtime())}
            (results / f"side-by-side-{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
            write_report(root, name, log)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def end_in_order() -> None:
    """Let a run that is cut by a signal end its daemons and servers."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def main(root: Path) -> int:
    """Run the command and return its exit status.

    :param root: of the repository.
    """
    args = parser().parse_args()
    missing = [*missing_tools(), *(tool for tool in TOOLS if not find_tool(tool))]
    if missing and not args.report:
        say(f"needs {', '.join(missing)}\n  -> as root: apt-get install docker.io docker-registry mmdebstrap")
        return 2
    os.environ["DOCKER_BUILDKIT"] = "1"
    # It also writes what it has; --resume takes it up again.
    end_in_order()
    try:
        run(root, args)
    except (BuildKitError, EngineError, ContenderError, ValueError) as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("cut; take it up again with --resume")
        return 2
    return 0
