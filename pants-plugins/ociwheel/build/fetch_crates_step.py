"""Fetch the crates that a build lock names and verify their hashes.

Request (JSON): crates ([{name, version, sha256}]). They come from the registry that cargo is configured with
on this machine, or by default from that of the locked cargo; neither is in any key.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ociwheel.base.venv import PROGRAM_FOLDER
from ociwheel.build.crates import Crate
from ociwheel.build.fetch_crates import fetch_crates
from ociwheel.documents import document, read_value
from ociwheel.transport import settings
from ociwheel.transport.cargo_config import crate_source
from ociwheel.transport.network import Network


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    add = parser.add_argument
    add("--request", type=Path, required=True, metavar="FILE", help="what to fetch (JSON)")
    add(
        "--tools",
        type=Path,
        required=True,
        metavar="DIR",
        help="what the build-programs step made, with cargo",
    )
    add("--output", type=Path, required=True, metavar="DIR", help="folder to write them to")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Fetch them."""
    request = read_value(args.request)
    crates = sorted(Crate.read(item) for item in request.at("crates").items())
    machine = settings.load()
    source = crate_source(settings.environment(os.environ), args.tools / PROGRAM_FOLDER / "cargo")
    args.output.mkdir(parents=True, exist_ok=True)
    size = fetch_crates(Network(machine), source, crates, args.output)
    return document("fetch", {"crates": len(crates), "size": size})
