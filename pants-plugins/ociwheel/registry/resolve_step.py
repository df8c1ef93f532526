"""Resolve the images of a base in their registry: digests of index, manifests, configurations and layers.

The request is a JSON object: image and builder_image (names as in a Dockerfile), platforms (OCI platforms
that both must have), and interpreters (those that are taken of the image where it has them).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_json
from ociwheel.errors import UsageError
from ociwheel.fetch import settings
from ociwheel.registry.client import RegistryClient
from ociwheel.registry.credentials import logins, machine_environment
from ociwheel.registry.reference import ImageName
from ociwheel.registry.resolve import resolve


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, metavar="FILE", help="the request")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Ask the registries."""
    request = read_json(args.request)
    if not isinstance(request, dict) or not isinstance(request.get("platforms"), list):
        raise UsageError("expected an object with image and platforms", where=str(args.request))
    machine, login = settings.load(), logins(machine_environment())
    answers: dict[str, Any] = {}
    for role in ("image", "builder_image"):
        text = request.get(role)
        if not text:
            continue
        name = ImageName.parse(str(text))
        client = RegistryClient(machine, name, login)
        optional = request.get("interpreters") or () if role == "image" else ()
        answers[role] = {"name": name.plain, **resolve(client, request["platforms"], optional).to_json()}
    return document("registry-resolve", answers)
