"""The ``[slim-image-run]`` options."""

from __future__ import annotations

from enum import Enum

from pants.option.option_types import BoolOption, EnumOption, StrListOption, StrOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap


class EngineChoice(Enum):
    """What runs containers."""

    auto = "auto"
    docker = "docker"
    podman = "podman"


class RunOptions(Subsystem):
    """Options of ``pants run`` for images of this backend."""

    options_scope = "slim-image-run"
    help = softwrap(
        """
        How `pants run` runs slim images. Further flags of `docker run` or `podman run` are those of
        `[docker].run_args`.
        """
    )

    engine = EnumOption(
        default=EngineChoice.auto,
        help="The container engine; `auto` takes the first of docker and podman that answers.",
    )
    platform = StrOption(
        default=None,
        help=softwrap(
            """
            The platform to run, such as `linux/arm/v7`. By default, this machine's. Another one needs an
            emulator, such as Debian's `qemu-user-static`.
            """
        ),
    )
    debug = BoolOption(
        default=False,
        help=softwrap(
            """
            Open the image with a shell instead of its command. On a base of Debian packages the image
            gets a layer with bash and the utilities of coreutils, findutils, diffutils, grep, sed, awk, tar
            and gzip, which the lock of the base has; it is loaded on this machine under a name of its own,
            and never published. An image of a registry is opened with its own `/bin/sh`.
            """
        ),
    )
    port = StrListOption(
        default=[],
        help=softwrap(
            """
            Ports to publish, as `docker run --publish` has them: `8080:5000`. Those of the field `ports`
            that are not named here are published on the loopback interface under their own number.
            """
        ),
    )
    env = StrListOption(
        default=[],
        help=softwrap(
            """
            Variables to set in the container, besides those of the field `env`: `NAME=value`, or `NAME`
            for the value that it has in your shell.
            """
        ),
    )
