"""Tell which packages of a lock have newer versions in its suites. What mirrors have changes.

The lock is one that ``debian-lock`` wrote. Nothing is resolved or written.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ociwheel.debian.archive_client import ArchiveClient, Suite
from ociwheel.debian.debian_updates import Locked, Offered, updates
from ociwheel.debian.opener import opener
from ociwheel.debian.release import default_keyrings
from ociwheel.documents import document, read_value
from ociwheel.errors import BaseError
from ociwheel.transport.settings import load


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--lock", type=Path, required=True, metavar="FILE", help="the lock of a base")
    parser.add_argument(
        "--keyring",
        type=Path,
        action="append",
        default=[],
        help="a binary OpenPGP keyring to trust instead of the Debian archive's keys; may be repeated",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask the mirrors."""
    lock = Locked.parse(read_value(arguments.lock, BaseError))
    settings = load()
    client = ArchiveClient(
        opener=opener(settings),
        mirrors=settings.debian_mirrors,
        keyrings=tuple(arguments.keyring) or default_keyrings(),
        now=datetime.now(UTC),
    )
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
