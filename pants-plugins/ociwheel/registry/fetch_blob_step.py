"""Fetch one blob of a registry by its digest and verify it.

Which repositories have it is no part of the arguments: the machine's folder says it, one file per blob,
``registry-blobs/<hex digest>``, a JSON list of names of images.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.arguments import digest_argument
from ociwheel.digest import FORM
from ociwheel.documents import document
from ociwheel.registry.blobs import WantedBlob, fetch_blob, known_repositories
from ociwheel.registry.logins import machine_environment
from ociwheel.transport import settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--digest", required=True, type=digest_argument, help=FORM)
    parser.add_argument("--size", required=True, type=int, metavar="BYTES", help="locked size, bytes")
    parser.add_argument(
        "--repository",
        action="append",
        default=[],
        metavar="NAME",
        help="an image of the repository that has it; by default what the machine's folder says",
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="gets blobs/sha256/<digest>"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Fetch the blob."""
    wanted = WantedBlob(args.digest, args.size)
    environ = machine_environment()
    names = args.repository or known_repositories(wanted, environ)
    done = fetch_blob(settings.load(), wanted, names, args.output, environ=environ)
    return document("fetch", {"path": wanted.digest.path, "sha256": done.sha256, "size": done.size})
