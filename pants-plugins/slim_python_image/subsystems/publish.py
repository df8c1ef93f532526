"""The ``[slim-image-publish]`` options."""

from __future__ import annotations

from pants.option.option_types import BoolOption, IntOption, StrListOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap


class PublishOptions(Subsystem):
    """Options of ``pants publish`` for images of this backend."""

    options_scope = "slim-image-publish"
    help = softwrap(
        """
        How `pants publish` sends slim images to registries. Registries, their aliases and repositories
        are those of `[docker]`; logins are those of `docker login`, `podman login` and `skopeo login`.
        """
    )

    dry_run = BoolOption(
        default=False,
        help="Send nothing; tell what would be sent to each repository, in bytes.",
    )
    insecure_registries = StrListOption(
        default=[],
        help=softwrap(
            """
            Registries, by host and port, that speak plain HTTP or whose certificate nobody vouches for.
            Those on the loopback interface are accepted anyway, as Docker does.
            """
        ),
    )
    jobs = IntOption(default=4, help="How many blobs go up at the same time.")
