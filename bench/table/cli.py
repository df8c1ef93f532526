"""The command: locks, builds, verifies, reports."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from bench.table.listing import Listing
from bench.table.workshop import Workshop, say

DESCRIPTION = """\
Build every package of bench/table/packages.toml from its sdist for every platform, with the steps that
`./pants package` runs, and run each wheel in the base's own file system: ARM ones in QEMU. Writes
docs/reference/compiled-packages.md and bench/results/compiled-packages.json. Needs the package index, a
Debian mirror, and for the ARM platforms: apt-get install qemu-user-static
"""
EPILOG = """\
exit status: 0 all is as the table that is committed says or better; 1 a package does not build that did; 2
something else is missing
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/build_table",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--only", action="append", metavar="NAME", help="these packages; the others' rows stay as they are")
    add("--platform", action="append", metavar="OCI", help="these platforms (default: those of the list)")
    add(
        "--relock",
        action="store_true",
        help="first lock the base, the sdists and their build requirements anew",
    )
    add("--work", type=Path, metavar="DIR", help="folder for everything made (default: bench/work/table)")
    return result


def main(root: Path) -> int:
    """Run the command and return its exit status."""
    args = parser().parse_args()
    workshop = Workshop(root, (args.work or root / "bench/work/table").absolute())
    workshop.toolbox()
    # The core and its libraries can be imported from here on.
    from bench.table import building, locks, report  # noqa: PLC0415

    listing = Listing.read(root / "bench/table/packages.toml")
    if args.relock:
        locks.lock_all(workshop, listing)
    locked = workshop.distributions()
    chosen = [p for p in listing.packages if not args.only or {p.name, p.key} & set(args.only)]
    facts = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.uname().machine}, {os.cpu_count()} cores",
    }
    results = report.Results(root, workshop.work, listing, locked, facts)
    results.write()
    worse = 0
    for package in chosen:
        sdist = locked[package.key]
        backend = building.backend_of(workshop.fetch(sdist), workshop.work)
        for platform in args.platform or listing.base["platforms"]:
            result = building.build(workshop, package, sdist, platform)
            verdict = f"{result.seconds:.0f} s" if result.ok else f"FAILED: {result.reason}"
            say(f"{sdist.key} for {platform}: {verdict}")
            worse += results.add(sdist, backend, result)
    return 1 if worse else 0
