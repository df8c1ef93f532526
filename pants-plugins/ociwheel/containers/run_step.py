"""Load one platform of a layout into docker or podman, where it is not yet, and run it in the foreground.

With ``--load-only`` it is loaded, and not run.

The process becomes the engine's client, so Ctrl-C stops the container and its exit code is ours. The
container is removed when it ends.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ociwheel.containers.engine import ENGINES, SETTINGS, find_engine, machine_engines
from ociwheel.containers.engine_images import check_emulation, choose_platform, provide
from ociwheel.documents import document
from ociwheel.image import archive
from ociwheel.image.layout import Descriptor, Layout
from ociwheel.image_name import ImageName

# Set for the step, not by the user.
_OWN_VARIABLES = "OCIWHEEL_"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--layout", type=Path, required=True, help="OCI layout")
    parser.add_argument("--platform", required=True, help="platform of the image to run, linux/arm/v7")
    parser.add_argument(
        "--name",
        required=True,
        action="append",
        metavar="NAME:TAG",
        help="name of the image in the engine; may be repeated",
    )
    parser.add_argument(
        "--load-only",
        action="store_true",
        help="answer with the image's ID in the engine that the machine's settings lead to, and run nothing",
    )
    parser.add_argument(
        "--engine",
        default="auto",
        choices=("auto", *ENGINES),
        help="what runs the container; `auto`: the first that answers",
    )
    parser.add_argument(
        "--publish", action="append", default=[], metavar="[IP:]PORT:PORT", help="port to publish"
    )
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="variable to set")
    parser.add_argument(
        "--engine-argument", action="append", default=[], metavar="FLAG", help="further flag of `run`"
    )
    parser.add_argument(
        "--attach",
        action="store_true",
        help="the container reads what is typed, on a terminal of its own where this process has one",
    )
    parser.add_argument("argument", nargs="*", help="arguments of the container, after `--`")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Run the step; it does not come back, unless the image was only to be loaded."""
    layout = Layout(args.layout)
    manifest = archive.choose(layout, args.platform)
    config = Descriptor.parse(layout.read(manifest).get("config"), f"{manifest.digest}: config")
    env = engine_environment(os.environ) if args.load_only else user_environment(os.environ)
    engine = find_engine(args.engine, env)
    names = [ImageName.parse_tag(name) for name in dict.fromkeys(args.name)]
    image = provide(engine, layout, manifest, config.digest, names)
    if args.load_only:
        named = [str(name) for name in names]
        return document("loaded", {"engine": engine.name, "image": image, "names": named})
    check_emulation(engine, image, args.platform)
    return engine.replace_process(command(args, choose_platform(engine, args.platform), image))


def user_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment, which names the engine (``DOCKER_HOST``, ``DOCKER_CONTEXT``, …)."""
    return {name: value for name, value in environ.items() if not name.startswith(_OWN_VARIABLES)}


def engine_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the client of an engine reads, from the machine's settings; without any, our own."""
    folder = environ.get("OCIWHEEL_MACHINE")
    if folder and (Path(folder) / SETTINGS).is_file():
        return machine_engines(Path(folder))[1]
    return user_environment(environ)


def command(args: argparse.Namespace, platform: tuple[str, ...], image: str) -> list[str]:
    """Return the client's arguments."""
    return [
        *("run", "--rm", "--pull=never", *platform),
        *(part for port in args.publish for part in ("--publish", port)),
        *(part for one in args.env for part in ("--env", one)),
        *(_attached() if args.attach else ()),
        *args.engine_argument,
        image,
        *args.argument,
    ]


def _attached() -> tuple[str, ...]:
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return ("--interactive", *(("--tty",) if terminal else ()))
