"""Locks the build requirements of sdists for one Python: versions, and the wheels of them with their hashes.

Request (JSON): sdists ([{name, version, filename, sha256}]; content is the file's hash where sha256 names
a commit), constraints ({name: [requirement]}), minors (the Pythons that the lock is for; rows of others are
dropped), emulated ({name: [platform]}, where wheels of the requirements for these platforms are locked too).
Rows of other Pythons in --previous stay, and what was locked before stays where it still fits. Needs the
network and the toolbox with pip; build backends run as in a build, where they see what is locked and nothing
else.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.build.build_lock import BuildLock, render
from ociwheel.build.isolation_arguments import add_isolation, isolation_of
from ociwheel.build.requirements_lock import RequirementsLock, read_sdists
from ociwheel.documents import document, read_value, write_whole
from ociwheel.errors import LockError, UsageError
from ociwheel.fetch.index import IndexClient
from ociwheel.reading import Value
from ociwheel.transport import settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    add = parser.add_argument
    add("--python-minor", required=True, metavar="X.Y", help="Python that builds; that of this interpreter")
    add("--sdists", type=Path, required=True, metavar="DIR", help="the sdists")
    add("--request", type=Path, required=True, metavar="FILE", help="what to lock (JSON)")
    add("--previous", type=Path, metavar="FILE", help="the lock so far")
    add(
        "--tools",
        type=Path,
        metavar="DIR",
        help="what the build-programs step made: hooks run in a root with it",
    )
    add("--output", type=Path, required=True, metavar="FILE", help="the lock to write")
    add_isolation(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Lock the build requirements."""
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if args.python_minor != running:
        raise UsageError(f"--python-minor is {args.python_minor}, but Python {running} runs this step")
    request = read_value(args.request)
    previous = BuildLock.read(read_value(args.previous, LockError)) if args.previous else BuildLock()
    constraints = request.optional("constraints", Value.members) or {}
    emulated = request.optional("emulated", Value.members) or {}
    wanted = read_sdists(request, args.sdists)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".build-lock-") as work:
        locker = RequirementsLock(
            client=IndexClient(settings.load()),
            work=Path(work).absolute(),
            python=args.python_minor,
            constraints={name: listed.texts() for name, listed in constraints.items()},
            previous=previous,
            emulated={name: listed.texts() for name, listed in emulated.items()},
            tools=args.tools.absolute() if args.tools else None,
            isolation=isolation_of(args),
        )
        lock = locker.lock(wanted, request.optional("minors", Value.texts))
    write_whole(args.output, render(lock))
    fields = {"environments": len(lock.environments), "pins": len(lock.files or {})}
    return document("build-lock", fields)
