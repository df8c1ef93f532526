"""The command `bench/debian_fidelity`: is a base of Debian packages what apt would have installed?"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
from datetime import UTC
from pathlib import Path
from typing import Any

from bench.debian_sets.compare import compare
from bench.debian_sets.images import PLATFORM, install, lock_set, make_image, works
from bench.debian_sets.report import page
from bench.debian_sets.sets import SETS
from ociwheel.debian.archive_client import ArchiveClient
from ociwheel.debian.opener import opener
from ociwheel.debian.packages import Universe
from ociwheel.debian.release import default_keyrings
from ociwheel.transport.settings import load

DESCRIPTION = """\
Lock sets of Debian packages, make the layers of a base of each, let mmdebstrap install the same versions, and
compare the two file by file; then let the main program of each set do its work in the image's own root.
Needs a Debian mirror, mmdebstrap, bubblewrap, root or user namespaces, and some gigabytes of disk.
"""


def parser(root: Path) -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser("bench/debian_fidelity", description=DESCRIPTION)
    result.add_argument("--work", type=Path, metavar="DIR", help="default: a temporary folder")
    result.add_argument("--suite", default="bookworm")
    result.add_argument("--set", action="append", dest="sets", choices=sorted(SETS), metavar="NAME")
    result.add_argument("--json", type=Path, metavar="FILE", help="what was found, for programs")
    result.add_argument(
        "--page", type=Path, default=root / "docs/reference/debian-fidelity.md", metavar="FILE"
    )
    return result


def main(root: Path) -> int:
    """Run the command; return its exit status, 1 where a difference belongs to no rule or a program fails."""
    args = parser(root).parse_args()
    work = (args.work or Path(tempfile.mkdtemp(prefix="debian-fidelity-"))).absolute()
    work.mkdir(parents=True, exist_ok=True)
    settings = load()
    client = ArchiveClient(
        opener=opener(settings),
        mirrors=settings.debian_mirrors,
        keyrings=default_keyrings(),
        now=dt.datetime.now(UTC),
    )
    universes: dict[str, Universe] = {}
    found: dict[str, Any] = {"date": f"{dt.datetime.now(UTC):%Y-%m-%d}", "suite": args.suite, "sets": {}}
    for name in args.sets or SETS:
        one, here = SETS[name], work / name
        _say(f"{name}: lock")
        lock = lock_set(one, args.suite, client, universes, here)
        _say(f"{name}: layers")
        made = make_image(lock, settings, work / "pool", here)
        _say(f"{name}: work")
        fault = works(one, here / "image")
        _say(f"{name}: mmdebstrap")
        system = install(one, args.suite, settings.debian_mirrors["debian"][0], here / "system")
        _say(f"{name}: compare")
        keys = [key for group in lock["platforms"][PLATFORM]["layers"] for key in group["packages"]]
        rows = [lock["packages"][key] for key in keys]
        compared = compare(here / "image", system, frozenset(row["name"] for row in rows))
        found["sets"][name] = {
            **made,
            "packages": sorted(f"{row['name']} {row['version']}" for row in rows),
            "files": compared.files,
            "equal": compared.equal,
            "by_rule": dict(sorted(compared.by_rule.items())),
            "findings": compared.findings,
            "fault": fault,
        }
        if args.json:
            args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    args.page.write_text(page(found), encoding="utf-8")
    return 1 if any(one["findings"] or one["fault"] for one in found["sets"].values()) else 0


def _say(text: str) -> None:
    print(f"bench/debian_fidelity: {dt.datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)
