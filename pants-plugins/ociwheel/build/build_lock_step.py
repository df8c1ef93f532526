"""Writes a build lock: what the build of each sdist requires, as it was found out.

Request (JSON): environments ([{sdist, sha256, python, pins, crates}]), files ({pin: [wheel]}) and crates
({crate: sha256}), as a build lock has them; pythons, those that are locked anew: of their rows in --previous
only those of failed (a list of sdists, ``name==version``) stay; minors, the Pythons that the lock is for: the
others' rows are dropped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.build.build_lock import BuildLock, render
from ociwheel.documents import document, read_value, write_whole
from ociwheel.errors import LockError
from ociwheel.reading import Value


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    add = parser.add_argument
    add("--request", type=Path, required=True, metavar="FILE", help="what was found out (JSON)")
    add("--previous", type=Path, metavar="FILE", help="the lock so far")
    add("--output", type=Path, required=True, metavar="FILE", help="the lock to write")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the lock."""
    request = read_value(args.request)
    previous = BuildLock.read(read_value(args.previous, LockError)) if args.previous else BuildLock()
    made = BuildLock.read_rows(request)
    failed = request.optional("failed", Value.texts) or ()
    lock = previous.renewed(
        made, request.at("pythons").texts(), request.optional("minors", Value.texts), set(failed)
    )
    write_whole(args.output, render(lock))
    fields = {"environments": len(lock.environments), "pins": len(lock.files or {})}
    return document("build-lock", fields)
