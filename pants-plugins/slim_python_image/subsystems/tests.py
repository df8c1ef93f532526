"""The ``[slim-image-tests]`` options."""

from __future__ import annotations

from enum import Enum

from pants.option.option_types import EnumOption, SkipOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap


class Runner(Enum):
    """What runs tests inside an image."""

    auto = "auto"
    namespaces = "namespaces"
    docker = "docker"
    podman = "podman"


class ImageTestOptions(Subsystem):
    """Options of ``pants test`` for images of this backend."""

    options_scope = "slim-image-tests"
    name = "slim image tests"
    help = "How `pants test` tests slim images (`slim_image_test`)."

    skip = SkipOption("test")
    runner = EnumOption(
        default=Runner.auto,
        help=softwrap(
            """
            What runs tests inside an image: `namespaces` (bubblewrap, locked with the base, without a daemon
            and without root), `docker`, or `podman`. `auto` takes the first that there is.
            """
        ),
    )
