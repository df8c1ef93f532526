"""Tell which packages of a lock have newer versions in its suites. What mirrors have changes.

The lock is one that ``debian-lock`` wrote. Nothing is resolved or written.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ociwheel.debian.archive_client import ArchiveClient, Suite
from ociwheel.debian.debian_updates import Locked, Offered, updates
from ociwheel.debian.opener import add_keyrings, archive_client
from ociwheel.documents import document, read_value
from ociwheel.errors import BaseError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--lock", type=Path, required=True, metavar="FILE", help="the lock of a base")
    add_keyrings(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask the mirrors."""
    lock = Locked.parse(read_value(arguments.lock, BaseError))
    client = archive_client(arguments.keyring)
    suites = [client.suite(name) for name in lock.suites]

    def offered(architecture: str) -> Iterator[Offered]:
        return _offered(client, suites, lock.components, architecture)

    found = updates(lock, offered)
    fields = {"suites": list(lock.suites), "packages": len(lock.packages), "updates": found}
    return document("debian-updates", fields)


def _offered(
    client: ArchiveClient, suites: list[Suite], components: tuple[str, ...], architecture: str
) -> Iterator[Offered]:
    for suite in suites:
        for component in components:
            for candidate in client.packages(suite, component, architecture):
                yield Offered(suite.name, candidate)
