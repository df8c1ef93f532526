"""Choose one artifact per distribution for a platform: a wheel where one fits, else the sdist."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_value
from ociwheel.plan import artifacts
from ociwheel.plan.closure import Node, chains, resolve
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
        help="JSON: roots, entries, no_binary, only_binary, lockfile, overridden, excluded",
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
        **({"source": node.locked.source.to_json()} if node.locked.source else {}),
    }


def _local(node: Node) -> dict[str, Any]:
    """Return a project of this repository that is needed: whoever builds has to bring its code."""
    path = node.locked.source.url if node.locked.source else ""
    return {"name": node.locked.name, "path": path, "required_by": chains(node.demands)}


def plan(request: Request, target: Target) -> dict[str, list[dict[str, Any]]]:
    """Return the chosen ``artifacts``, sorted by name, and the ``local`` projects that are needed too.

    :raises PlanError: every requirement that the lock cannot satisfy, together.
    """
    nodes = [node for _, node in sorted(resolve(request, target).items())]
    return {
        "artifacts": [_artifact(node, target, request) for node in nodes if not node.locked.is_local],
        "local": [_local(node) for node in nodes if node.locked.is_local],
    }


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Make the plan."""
    request = parse_request(read_value(args.request))
    target = Target.read(args.target)
    return document("plan", plan(request, target))
