"""Write the lock of a base from registries. Nothing is fetched: all comes from other steps' documents.

The request is a JSON object: names (image and builder_image, without their registries), platforms, resolved
(the document of ``registry-resolve``) and learned (documents of ``inspect-image`` by platform).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.base.registry_lock import registry_lock, render
from ociwheel.documents import read_json
from ociwheel.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, metavar="FILE", help="the request")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the lock to write")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the lock."""
    request = read_json(args.request)
    if not isinstance(request, dict):
        raise UsageError("expected a JSON object", where=str(args.request))
    lock = registry_lock(request["names"], request["platforms"], request["resolved"], request["learned"])
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_bytes(render(lock))
    return lock
