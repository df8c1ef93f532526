"""Resolve the packages of a base over Debian suites and write their lock.

The request is a JSON object: suites, packages, builder_packages, excluded_packages, python (a minor
version, or null for the distribution's own), platforms, and optionally components (["main"]),
builder_groups ({distribution: [packages that only it is compiled against]}) and emulation_packages (the
compiler of emulated builds; without any, no such builds are locked).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import url2pathname

from ociwheel.debian.archive_client import ArchiveClient, Opener, Suite
from ociwheel.debian.debian_lock import build_lock, render_lock
from ociwheel.debian.lock_request import Request
from ociwheel.debian.packages import Universe
from ociwheel.debian.release import default_keyrings
from ociwheel.documents import read_value, write_whole
from ociwheel.errors import FetchError
from ociwheel.reading import bytes_of
from ociwheel.transport.failure import Failure
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings, load

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, help="what to lock, a JSON file")
    parser.add_argument("--output", type=Path, required=True, help="the lock file to write")
    parser.add_argument(
        "--keyring",
        type=Path,
        action="append",
        default=[],
        help="a binary OpenPGP keyring to trust instead of the Debian archive's keys; may be repeated",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the lock and return it."""
    request = Request.parse(read_value(arguments.request))
    settings = load()
    client = ArchiveClient(
        opener=_opener(settings),
        mirrors=settings.debian_mirrors,
        keyrings=tuple(arguments.keyring) or default_keyrings(),
        now=datetime.now(UTC),
    )
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


def _opener(settings: NetworkSettings) -> Opener:
    network = Network(settings)

    def read(url: str, most: int) -> bytes:
        if url.startswith("file:"):
            return _read_file(url, most)
        try:
            body: bytes = network.get(url, lambda response: response.read(most))
        except Failure as e:
            raise FetchError(f"the mirror does not give it: {e.answer}", where=url) from e
        return body

    return read


def _read_file(url: str, most: int) -> bytes:
    path = Path(url2pathname(url.removeprefix("file://").removeprefix("file:")))
    try:
        return bytes_of(path, most)
    except OSError as e:
        raise FetchError(f"the mirror does not give it: {e.strerror}", where=url) from e
    except ValueError as e:
        raise FetchError(f"the mirror does not give it: it {e}", where=url) from e
