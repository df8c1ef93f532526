"""Resolve the images of a base in their registry or layout: digests of index, manifests, config and layers.

The request is a JSON object: image and builder_image (names as in a Dockerfile, or ``oci:PATH[:REFERENCE]``),
layouts (by the same two, the folder of the latter), platforms (OCI platforms that both must have), and
interpreters (those that are taken of the image where it has them).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_json
from ociwheel.errors import UsageError
from ociwheel.image_name import ImageName
from ociwheel.registry.client import RegistryClient
from ociwheel.registry.layout_source import PREFIX, LayoutName, LayoutSource
from ociwheel.registry.logins import logins, machine_environment
from ociwheel.registry.resolve import resolve
from ociwheel.registry.session import Session
from ociwheel.transport import settings


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
        client: RegistryClient | LayoutSource
        if str(text).startswith(PREFIX):
            layout = LayoutName.parse(str(text))
            client = LayoutSource(layout, Path(request.get("layouts", {}).get(role, layout.folder)))
        else:
            name = ImageName.parse(str(text))
            client = RegistryClient(Session(name.domain, machine, login), name)
        optional = request.get("interpreters") or () if role == "image" else ()
        answers[role] = {
            "name": client.name.plain,
            **resolve(client, request["platforms"], optional).to_json(),
        }
    return document("registry-resolve", answers)
