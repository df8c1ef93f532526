"""Fetch one wheel or sdist from the indexes of this machine and verify its hash."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ociwheel.arguments import sha256_argument
from ociwheel.documents import document
from ociwheel.errors import UsageError
from ociwheel.fetch.artifacts import Wanted, fetch_artifact
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.kept import Kept
from ociwheel.transport import settings


def filename_argument(text: str) -> str:
    """Return a file name that stays in its folder."""
    if not text or text.startswith(".") or set(text) & set("/\\\0"):
        raise argparse.ArgumentTypeError(f"{text!r} is no file name")
    return text


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--name", required=True, help="project name")
    parser.add_argument("--version", required=True, help="locked version")
    parser.add_argument(
        "--filename", required=True, type=filename_argument, help="name of the wheel or sdist"
    )
    parser.add_argument("--sha256", required=True, type=sha256_argument, help="locked hash, hexadecimal")
    parser.add_argument("--url", help="where the lock says it is, asked before the indexes")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder to write it to")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Fetch the file."""
    if not args.filename.endswith((".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar")):
        raise UsageError(f"{args.filename} is neither a wheel nor an sdist")
    # A look-up that had to read a large file has left it for this step.
    size = Kept.of(os.environ).hand_over(args.sha256, args.output / args.filename)
    if size is None:
        client = IndexClient(settings.load())
        wanted = Wanted(args.name, args.version, args.filename, args.sha256, args.url)
        size = fetch_artifact(client, wanted, args.output).size
    return document("fetch", {"filename": args.filename, "sha256": args.sha256, "size": size})
