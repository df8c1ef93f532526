"""The ``[slim-image-publish]`` options."""

from __future__ import annotations

from pants.option.option_types import BoolOption, IntOption, StrListOption, StrOption
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
    attach = BoolOption(
        default=False,
        help=softwrap(
            """
            Attach to each image what `[slim-image].attestations` names: SBOMs to the image of each platform,
            provenance to the index of all. They refer to it as OCI artifacts do (`subject`). A registry that
            does not list what refers to an image gets that list as the tag `sha256-<digest>`.
            """
        ),
    )
    sign_key = StrOption(
        default=None,
        help=softwrap(
            """
            The private key that signs what is published, before a tag names it: a file that
            `cosign generate-key-pair` made, relative to the repository's root, or `env://NAME` for a variable
            that holds it. Its password is the variable `COSIGN_PASSWORD`. Index and images are signed by
            digest, for `cosign verify` both as a bundle and in the older form; what is attached is signed
            too, for `cosign verify-attestation`. Signing asks no service and leaves no public log.
            """
        ),
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
