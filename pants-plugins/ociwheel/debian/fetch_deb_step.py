"""Fetch one Debian package from the mirrors of this machine and verify its hash."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.arguments import sha256_argument
from ociwheel.debian.fetch_deb import WantedDeb, fetch_deb
from ociwheel.documents import document
from ociwheel.transport import settings
from ociwheel.transport.apt_sources import ARCHIVES
from ociwheel.transport.network import Network


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--archive", required=True, choices=ARCHIVES, help="archive whose mirrors are asked")
    parser.add_argument("--path", required=True, help="path below a mirror's root, pool/...")
    parser.add_argument("--size", required=True, type=int, metavar="BYTES", help="locked size, bytes")
    parser.add_argument("--sha256", required=True, type=sha256_argument, help="locked hash, hexadecimal")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder to write it to")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Fetch the package."""
    wanted = WantedDeb(args.archive, args.path, args.size, args.sha256)
    machine = settings.load()
    done = fetch_deb(machine, Network(machine), wanted, args.output)
    return document("fetch", {"path": wanted.filename, "sha256": done.sha256, "size": done.size})
