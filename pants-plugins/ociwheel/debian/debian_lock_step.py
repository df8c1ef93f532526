"""Resolve the packages of a base over Debian suites and write their lock.

The request is a JSON object: suites, packages, builder_packages, excluded_packages, python (a minor
version, or null for the distribution's own), platforms, and optionally components (["main"]),
builder_groups ({distribution: [packages that only it is compiled against]}), image_packages ({"curl, tini":
[platforms of the images that add these packages to the base]}) and emulation_packages (the compiler of
emulated builds; without any, no such builds are locked).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ociwheel.debian.archive_client import ArchiveClient, Suite
from ociwheel.debian.debian_lock import build_lock, render_lock
from ociwheel.debian.lock_request import Request
from ociwheel.debian.opener import add_keyrings, archive_client
from ociwheel.debian.packages import Universe
from ociwheel.documents import read_value, write_whole

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, help="what to lock, a JSON file")
    parser.add_argument("--output", type=Path, required=True, help="the lock file to write")
    add_keyrings(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the lock and return it."""
    request = Request.parse(read_value(arguments.request))
    client = archive_client(arguments.keyring)
    suites = [client.suite(name) for name in request.suites]
    lock = build_lock(request, lambda architecture: _load(client, request, suites, architecture))
    write_whole(arguments.output, render_lock(lock))
    return lock


def _load(client: ArchiveClient, request: Request, suites: list[Suite], architecture: str) -> Universe:
    sys.stderr.write(f"reading {', '.join(request.suites)} for {architecture}\n")
    return Universe(
        architecture,
        (
            c
            for s in suites
            for component in request.components
            for c in client.packages(s, component, architecture)
        ),
    )
