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
the same with the targets that it had before. One takes ten minutes to an hour and some gigabytes. Writes
bench/results/adopt.json and docs/reference/adopted.md; what is known of those not tried stays there.
"""
EPILOG = """\
exit status: 0 where all that were tried work; 1 where one does not

Needs root, for the engine, Debian's docker.io, skopeo and mmdebstrap, a Python 3.11 as `python3.11`, and
Pants's own launcher, `pants`. A checkout is copied, never changed. CHECKOUTS has one of each that is tried,
and a clone of each git repository that a lock names: git is told by `url.<base>.insteadOf` to take it there.

"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    known = monorepos()
    checkouts = "\n".join(line for one in known for line in one.commands("CHECKOUTS"))
    result = argparse.ArgumentParser(
        "bench/adopt",
        description=DESCRIPTION,
        epilog=EPILOG + checkouts,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("checkouts", type=Path, metavar="CHECKOUTS", help="folder with them")
    result.add_argument(
        "--only",
        action="append",
        choices=[one.name for one in known],
        help="one of them; may be repeated (default: all)",
    )
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
