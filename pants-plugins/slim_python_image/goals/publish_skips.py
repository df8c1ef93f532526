"""What `publish` need not build, as Pants asks since 2.32: images that are sent nowhere, and packages.

An image is sent from what its layers are made of, not from what `package` writes. So `publish` never packs an
archive, and fetches no layer of a base image that its registry has. Loaded on Pants 2.32 and later only.
"""

from __future__ import annotations

from typing import Iterable

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.core.goals.publish import (  # type: ignore[attr-defined] # 2.17, which is checked, has none
    CheckSkipRequest,
    CheckSkipResult,
    PublishPackages,
)
from pants.engine.unions import UnionRule

from slim_python_image.by_name import collect_rules, rule
from slim_python_image.util_rules.references import destinations, skipped_by_field

# What stands for the digest in a tag of an image that is not built.
_NOT_BUILT = "not-built"


class SkipImageRequest(CheckSkipRequest):  # type: ignore[misc] # as above
    """Ask whether an image has to be built for `publish`; its field set is that of `publish_image`."""


@rule
async def skip_image(request: SkipImageRequest, docker: DockerOptions) -> CheckSkipResult:
    field_set = request.publish_fs
    names = field_set.names()
    found = destinations(names, _NOT_BUILT, docker)
    own = skipped_by_field(field_set.skip_push.value, names, found)
    skipped = (
        [own]
        if own is not None
        else [
            PublishPackages(
                destination.references, description=destination.skipped, data=field_set.get_output_data()
            )
            for destination in found
        ]
    )
    if own is not None or all(destination.skipped is not None for destination in found):
        return CheckSkipResult(skipped)
    return CheckSkipResult.skip(skip_packaging_only=True)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (*collect_rules(), UnionRule(CheckSkipRequest, SkipImageRequest))
