"""Find the files and the metadata of a locked version, without running any of its code."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.arguments import sha256_argument
from ociwheel.documents import document
from ociwheel.fetch.describe import describe
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import IndexFile, normalize
from ociwheel.transport import settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--name", required=True, help="project name")
    parser.add_argument("--version", required=True, help="locked version")
    parser.add_argument(
        "--sha256",
        required=True,
        action="append",
        type=sha256_argument,
        help="a locked hash, hexadecimal; once per file",
    )
    parser.add_argument("--url", help="where the lock says its only file is")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="folder for a file downloaded on the way"
    )


def _file(file: IndexFile) -> dict[str, Any]:
    fields: dict[str, Any] = {"filename": file.filename, "sha256": file.sha256, "size": file.size}
    if file.requires_python:
        fields["requires_python"] = file.requires_python
    return fields


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Describe the version."""
    client = IndexClient(settings.load())
    args.output.mkdir(parents=True, exist_ok=True)
    found = describe(client, args.name, args.version, frozenset(args.sha256), args.output, url=args.url)
    return document(
        "describe",
        {
            "name": normalize(args.name),
            "version": args.version,
            "requires_python": found.metadata.requires_python,
            "requires_dist": list(found.metadata.requires_dist),
            "files": [_file(file) for file in found.files],
            "artifact": found.artifact,
        },
    )
