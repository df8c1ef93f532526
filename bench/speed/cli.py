"""The command: fetches, prepares, builds both ways, reports."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.speed.inputs import PLATFORM, SDISTS, fetch_compiler, fetch_sdists, lock_base
from bench.speed.measure import Pair, measure, prepare_cross, prepare_emulated
from bench.speed.steps import Steps
from tests.support.engine import Engine, missing_tools, register_emulation

DESCRIPTION = f"""\
Build {", ".join(s.name for s in SDISTS)} for {PLATFORM} from their sdists, cross with zig and with gcc in a
container under QEMU, one after the other, alternating, with the same build requirements. One-time parts are
measured apart. Writes bench/results/cross-speed-<date>.json and .md and prints the latter. Needs root on
Linux: apt-get install docker.io qemu-user-static
"""
EPILOG = "exit status: 0 emulation takes at least --limit times as long in sum; 1 it does not; 2 no engine\n"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/cross_speed",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--only", action="append", metavar="NAME", help="build this one only; may be repeated"
    )
    result.add_argument(
        "--limit", type=float, default=8.0, metavar="TIMES", help="the least ratio (default: %(default)s)"
    )
    result.add_argument(
        "--results", type=Path, metavar="DIR", help="where the report goes (default: bench/results)"
    )
    return result


def say(text: str) -> None:
    """Print a progress line."""
    print(f"bench/cross_speed: {text}", file=sys.stderr, flush=True)


def markdown(pairs: Sequence[Pair], once: Mapping[str, float], date: str) -> str:
    """Return the report."""
    cross, emulated = sum(p.cross for p in pairs), sum(p.emulated for p in pairs)
    lines = [
        f"# Cross builds against emulated ones, {PLATFORM}, {date}",
        "",
        f"{os.cpu_count()} cores of {os.uname().machine}; one build at a time on both sides.",
        "Load: the machine's average of one minute when the cross and the emulated build began.",
        "",
        "| distribution | cross, s | emulated, s | ratio | load |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {p.name} {p.version} | {p.cross:.1f} | {p.emulated:.1f} | {p.ratio:.1f} | "
            f"{p.load[0]:.1f}, {p.load[1]:.1f} |"
            for p in pairs
        ),
        f"| **sum** | **{cross:.1f}** | **{emulated:.1f}** | **{emulated / cross:.1f}** | |",
        "",
        "Once per platform and version of the tools, not in the sums:",
        "",
        "| part | s |",
        "| --- | ---: |",
        *(f"| {name} | {seconds:.1f} |" for name, seconds in once.items()),
    ]
    return "\n".join([*lines, ""])


def run(root: Path, arguments: argparse.Namespace) -> int:
    """Measure and report, and return the exit status."""
    sdists = tuple(s for s in SDISTS if not arguments.only or s.name in arguments.only)
    with tempfile.TemporaryDirectory(prefix="cross-speed-") as folder:
        steps = Steps(root / "pants-plugins", Path(folder))
        steps.prepare()
        say("fetching")
        steps.run("toolbox", "--output", "tools")
        fetch_sdists(sdists, steps.work)
        compiler = fetch_compiler(steps, root / "pants-plugins/ociwheel/tools.lock")
        lock_base(steps, ["libffi-dev", "libyaml-dev", "zlib1g-dev"])
        say("making the one-time parts")
        prepare_cross(steps, compiler)
        prepare_emulated(steps)
        register_emulation(PLATFORM)
        engine = Engine(steps.work / "engine")
        engine.start()
        try:
            say("building")
            pairs = measure(steps, engine, sdists)
        finally:
            engine.stop()
    return write(root, arguments, pairs, steps.seconds)


def write(root: Path, arguments: argparse.Namespace, pairs: Sequence[Pair], once: Mapping[str, float]) -> int:
    """Write both reports and return the exit status."""
    date = dt.datetime.now(dt.UTC).date().isoformat()
    results = arguments.results or root / "bench/results"
    results.mkdir(parents=True, exist_ok=True)
    text = markdown(pairs, once, date)
    cross, emulated = sum(p.cross for p in pairs), sum(p.emulated for p in pairs)
    record = {
        "platform": PLATFORM,
        "date": date,
        "cores": os.cpu_count(),
        "machine": os.uname().machine,
        "ratio": emulated / cross,
        "once_seconds": dict(once),
        "builds": [
            {
                "name": p.name,
                "version": p.version,
                "cross_seconds": p.cross,
                "emulated_seconds": p.emulated,
                "load": list(p.load),
            }
            for p in pairs
        ],
    }
    (results / f"cross-speed-{date}.json").write_text(json.dumps(record, indent=1) + "\n")
    (results / f"cross-speed-{date}.md").write_text(text)
    print(text)
    return 0 if emulated / cross >= arguments.limit else 1


def main(root: Path) -> int:
    """Run the command."""
    arguments = parser().parse_args()
    missing = missing_tools()
    if missing:
        say(f"needs {', '.join(missing)}: apt-get install docker.io qemu-user-static, as root")
        return 2
    return run(root, arguments)
