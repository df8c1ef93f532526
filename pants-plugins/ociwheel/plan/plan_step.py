"""Choose one artifact per distribution for a platform: a wheel where one fits, else the sdist."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_value
from ociwheel.plan import artifacts
from ociwheel.plan.closure import Node, resolve
from ociwheel.plan.model import Request, parse_request
from ociwheel.target import Target


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--target", required=True, type=Path, metavar="FILE", help="target document")
    parser.add_argument(
        "--request",
        required=True,
        type=Path,
        metavar="FILE",
        help="JSON: roots, entries, no_binary, only_binary, lockfile",
    )


def _artifact(node: Node, target: Target, request: Request) -> dict[str, Any]:
    file = artifacts.choose(node.locked, target, request.formats)
    if file is None:
        raise artifacts.unfit(node.locked, target, request.formats, [])
    return {
        "name": node.locked.name,
        "version": node.locked.version,
        "kind": "wheel" if file.is_wheel else "sdist",
        "filename": file.filename,
        "sha256": file.sha256,
        "size": file.size,
        "requires": sorted(node.requires),
        "required_by": sorted(node.required_by),
    }


def plan(request: Request, target: Target) -> list[dict[str, Any]]:
    """Return the chosen artifacts, sorted by name.

    :raises PlanError: every requirement that the lock cannot satisfy, together.
    """
    nodes = resolve(request, target)
    return [_artifact(node, target, request) for _, node in sorted(nodes.items())]


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Make the plan."""
    request = parse_request(read_value(args.request))
    target = Target.read(args.target)
    return document("plan", {"artifacts": plan(request, target)})
