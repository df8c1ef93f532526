"""Fetch Debian packages from the mirrors of this machine and verify their hashes.

Request (JSON): schema (ociwheel.debs/1), and packages, objects with archive (debian or debian-security),
path (below a mirror's root, pool/...), size (locked, bytes) and sha256. They come over one pool of
connections, each into a file of its own. If some are not given, all of these are told, and the step fails.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.debian.fetch_deb import WantedDeb, fetch_debs
from ociwheel.documents import check_schema, document, read_value
from ociwheel.reading import Value
from ociwheel.transport import settings
from ociwheel.transport.apt_sources import ARCHIVES
from ociwheel.transport.network import Network
from ociwheel.wording import quoted

_MOST_PATH = 1000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    add = parser.add_argument
    add("--request", required=True, type=Path, metavar="FILE", help="JSON: what to fetch")
    add("--output", required=True, type=Path, metavar="DIR", help="folder to write them to")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Fetch the packages."""
    request = check_schema(read_value(args.request), "debs")
    request.only("schema", "packages")
    wanted = [_wanted(item) for item in request.at("packages").items()]
    if not wanted:
        raise request.at("packages").error("names no package")
    machine = settings.load()
    done = fetch_debs(machine, Network(machine), wanted, args.output)
    rows = [{"filename": one.path.name, "sha256": one.sha256, "size": one.size} for one in done]
    return document("fetch", {"packages": rows})


def _wanted(item: Value) -> WantedDeb:
    item.only("archive", "path", "size", "sha256")
    archive = item.at("archive")
    if archive.text() not in ARCHIVES:
        raise archive.error(f"expected {' or '.join(ARCHIVES)}, found {quoted(archive.raw)}")
    return WantedDeb(
        archive=archive.text(),
        path=item.at("path").text(most=_MOST_PATH, empty=False),
        size=item.at("size").integer(),
        sha256=item.at("sha256").sha256(),
    )
