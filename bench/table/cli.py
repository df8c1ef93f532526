"""The command: locks, builds, verifies, reports."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.table.following import Choice
from bench.table.listing import Listing, Package
from bench.table.workshop import Workshop, say

if TYPE_CHECKING:
    from bench.table.bases import Bases
    from bench.table.report import Results

DESCRIPTION = """\
Build every package of bench/table/packages.toml from its sdist for every platform, with the steps that
`./pants package` runs, and run each wheel in the base's own file system: ARM ones in QEMU. Whoever builds
here knows nothing of a package: Debian packages, compilers and suites are added as the messages of failed
builds name them, and the way is written down. Writes docs/reference/compiled-packages.md and
bench/results/compiled-packages.json, and skips what these say is built. Needs root, the package index, a
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
    add("--again", action="store_true", help="build what is built, too, from nothing")
    add("--relock", action="store_true", help="first take the newest version of every sdist")
    add(
        "--native",
        type=Path,
        metavar="ROOT",
        help="build natively instead, in this Debian of the base's suite that has gcc, pip and the -dev "
        "packages: what counts as `builds natively`",
    )
    add("--work", type=Path, metavar="DIR", help="folder for everything made (default: bench/work/table)")
    return result


def main(root: Path) -> int:
    """Run the command and return its exit status."""
    args = parser().parse_args()
    workshop = Workshop(root, (args.work or root / "bench/work/table").absolute())
    workshop.toolbox()
    # The core and its libraries can be imported from here on.
    from bench.table import locks, native, report  # noqa: PLC0415
    from bench.table.bases import Bases  # noqa: PLC0415

    listing = Listing.read(root / "bench/table/packages.toml")
    bases = Bases(workshop.work / "bases", listing.base)
    plain = workshop.of_base(bases.lock("", Choice())).debian["platforms"]
    python = plain[listing.base["platforms"][0]]["target"]["python"]
    locks.lock_distributions(workshop, listing, python, anew=args.relock)
    facts = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.uname().machine}, {os.cpu_count()} cores",
    }
    results = report.Results(root, workshop.work, listing, workshop.distributions(), facts)
    results.write()
    worse = 0
    for package in listing.packages:
        if args.only and not {package.name, package.key} & set(args.only):
            continue
        if args.native:
            wanted = args.again or results.row(package).native is None
            found = native.build(workshop, package, args.native) if wanted else None
            if found:
                results.add_native(package, found)
            continue
        for platform in args.platform or listing.base["platforms"]:
            worse += _build(workshop, bases, results, package, platform, again=args.again)
    return 1 if worse else 0


def _build(
    workshop: Workshop, bases: Bases, results: Results, package: Package, platform: str, *, again: bool
) -> bool:
    """Build a package unless it is built; tell whether it is not, and was."""
    from bench.table.building import Attempt, backend_of  # noqa: PLC0415

    row = results.row(package)
    before = row.platforms.get(platform)
    if before and before.ok and not again:
        wheel = workshop.work / "wheels" / platform / workshop.distributions()[package.key].key
        if wheel.is_dir():
            return False
    # What a platform has led to, the next one begins with: it is written down by then.
    known = any(result.ok for name, result in row.platforms.items() if name != platform)
    choice = row.choice if known else Choice(package.builder_packages, package.packages)
    sdist = workshop.distributions()[package.key]
    attempt = Attempt(workshop, bases, package, sdist, platform, choice)
    result = attempt.run()
    verdict = f"{result.seconds:.0f} s" if result.ok else f"FAILED: {result.reason}"
    say(f"{sdist.key} for {platform}, after {len(attempt.rounds)} messages: {verdict}")
    backend = backend_of(workshop.fetch(sdist), workshop.work)
    return results.add(package, backend, attempt, result)
