"""Load one platform of a layout into docker or podman, where it is not yet, and run it in the foreground.

The process becomes the engine's client, so Ctrl-C stops the container and its exit code is ours. The
container is removed when it ends.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ociwheel.image import archive, container_engine
from ociwheel.image.layout import Descriptor, Layout
from ociwheel.image.reference import Reference

# Set for the step, not by the user.
_OWN_VARIABLES = "OCIWHEEL_"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--layout", type=Path, required=True, help="OCI layout")
    parser.add_argument("--platform", required=True, help="platform of the image to run, linux/arm/v7")
    parser.add_argument("--name", required=True, metavar="NAME:TAG", help="name of the image in the engine")
    parser.add_argument(
        "--engine",
        default="auto",
        choices=("auto", *container_engine.ENGINES),
        help="what runs the container; `auto`: the first that answers",
    )
    parser.add_argument(
        "--publish", action="append", default=[], metavar="[IP:]PORT:PORT", help="port to publish"
    )
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="variable to set")
    parser.add_argument(
        "--engine-argument", action="append", default=[], metavar="FLAG", help="further flag of `run`"
    )
    parser.add_argument("argument", nargs="*", help="arguments of the container, after `--`")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Run the step; it does not come back."""
    layout = Layout(args.layout)
    manifest = archive.choose(layout, args.platform)
    config = Descriptor.parse(layout.read(manifest).get("config"), f"{manifest.digest}: config")
    engine = container_engine.find(args.engine, user_environment(os.environ))
    image = engine.provide(layout, manifest, config.digest, Reference.parse(args.name))
    engine.check_emulation(image, args.platform)
    engine.replace_process(command(args, engine.choose(args.platform), image))


def user_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment, which names the engine (``DOCKER_HOST``, ``DOCKER_CONTEXT``, …)."""
    return {name: value for name, value in environ.items() if not name.startswith(_OWN_VARIABLES)}


def command(args: argparse.Namespace, platform: tuple[str, ...], image: str) -> list[str]:
    """Return the client's arguments."""
    return [
        *("run", "--rm", "--pull=never", *platform),
        *(part for port in args.publish for part in ("--publish", port)),
        *(part for one in args.env for part in ("--env", one)),
        *args.engine_argument,
        image,
        *args.argument,
    ]
