"""The command `bench/adopt`: public monorepos with a patch each, packaged, started and measured."""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.adopted.monorepos import changed, monorepos
from bench.adopted.report import RESULTS, write_page
from bench.adopted.trial import Machine, Trial, TrialError
from bench.load.machine import machine_text
from tests.support.engine import Engine, EngineError

DESCRIPTION = """\
Copy each monorepo at the commit that is known here, apply the patch of ours, and do what its developers
would: lock the base, package, start each service in a Docker engine, edit a file and package again. Then
the same with the targets that it had before. Writes bench/results/adopt.json and docs/reference/adopted.md.
"""
EPILOG = """\
exit status: 0 where all that were tried work; 1 where one does not

CHECKOUTS has a checkout of each monorepo by its name, and a clone, bare or not, of each git repository that
a lock names: git is told by `url.<base>.insteadOf` to take them from there. Needs root, for the engine, and
Pants's own launcher for versions after 2.17.1.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/adopt",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("checkouts", type=Path, metavar="CHECKOUTS", help="folder with them")
    result.add_argument("--only", action="append", metavar="NAME", help="one of them; may be repeated")
    result.add_argument(
        "--work", type=Path, metavar="DIR", help="kept afterwards (default: a temporary folder)"
    )
    result.add_argument(
        "--launcher",
        action="append",
        default=[],
        metavar="VERSION=FILE",
        help="what starts that version of Pants; may be repeated (default: `pants` on the PATH)",
    )
    return result


def main(root: Path) -> int:
    """Run the command; return its exit status."""
    args = parser().parse_args()
    launchers = {version: Path(file) for version, _, file in (one.partition("=") for one in args.launcher)}
    results = root / RESULTS
    known = json.loads(results.read_text()) if results.exists() else {}
    status = 0
    with tempfile.TemporaryDirectory(prefix="adopt-") as temporary:
        machine = Machine(args.checkouts.absolute(), (args.work or Path(temporary)).absolute(), launchers)
        engine = Engine(Path(temporary) / "engine", publishes=False)
        engine.start()
        try:
            for monorepo in monorepos():
                if args.only and monorepo.name not in args.only:
                    continue
                trial = Trial(machine, monorepo)
                try:
                    trial.prepare()
                    found = trial.run(engine)
                except (TrialError, EngineError, subprocess.CalledProcessError) as e:
                    print(f"bench/adopt: {e}", file=sys.stderr)
                    status = 1
                    continue
                lines = dataclasses.asdict(changed(monorepo.patch.read_text()))
                when = {"date": time.strftime("%Y-%m-%d"), "machine": machine_text()}
                known[monorepo.name] = {"changed": lines, **found, **when}
                results.write_text(json.dumps(known, indent=1) + "\n")
        finally:
            engine.stop()
    write_page(root)
    return status
