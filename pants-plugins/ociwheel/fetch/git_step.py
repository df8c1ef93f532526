"""Fetch one commit of a git repository and write it as an sdist, the same bytes on every machine.

Request (JSON): name, version, filename of the sdist, and the source that `lock-entries` gives: url, commit or
revision, subdirectory, fingerprint. Credentials are git's: its helpers, `~/.netrc`, an ssh agent.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_value
from ociwheel.fetch.git import Checkout, fetch_git
from ociwheel.lock.sources import read_source
from ociwheel.transport import settings

_SDIST = re.compile(r"[A-Za-z0-9][^/\\\0]{0,240}\.tar")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    add = parser.add_argument
    add("--request", required=True, type=Path, metavar="FILE", help="JSON: name, version, filename, source")
    add("--output", required=True, type=Path, metavar="DIR", help="folder to write it to")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Fetch the commit."""
    request = read_value(args.request)
    source = read_source(request.at("source"))
    if source.kind != "git":
        raise request.at("source").at("kind").error(f"expected git, found {source.kind}")
    checkout = Checkout(
        name=request.at("name").text(most=1000, empty=False),
        version=request.at("version").text(most=1000, empty=False),
        source=source,
        env=settings.environment(),
        ca_bundle=settings.load().ca_bundle,
    )
    filename = request.at("filename").matching(_SDIST, "the name of an uncompressed sdist")
    path = args.output / filename
    fetch_git(checkout, path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return document("fetch", {"filename": filename, "sha256": sha256, "size": path.stat().st_size})
