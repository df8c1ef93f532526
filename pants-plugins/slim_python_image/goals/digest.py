"""`pants slim-digest`: a key of each image, before anything is built."""

from __future__ import annotations

from typing import Iterable

from pants.engine.console import Console
from pants.engine.goal import Goal, GoalSubsystem, Outputting
from pants.engine.target import Targets
from pants.util.strutil import softwrap

from slim_python_image.by_name import collect_rules, concurrently, goal_rule, implicitly
from slim_python_image.goals.package_image import images_among
from slim_python_image.util_rules.image_key import ImageKeyRequest, image_key


class SlimDigestSubsystem(Outputting, GoalSubsystem):
    """Options of `slim-digest`."""

    name = "slim-digest"
    help = softwrap(
        """
        Print a key of each image given: it changes when the image's digest would. It is read from locks,
        sources, fields and this plugin's own code, without building and without a network, so that a
        pipeline can skip an image whose key it has published already.

        It is no digest: an image that changes back has its earlier key again, and in a few cases the key
        changes and the image does not (`docs/how-to/skip-unchanged.md`).
        """
    )


class SlimDigest(Goal):
    """Keys of images."""

    subsystem_cls = SlimDigestSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@goal_rule
async def slim_digest(console: Console, subsystem: SlimDigestSubsystem, targets: Targets) -> SlimDigest:
    """Print a line for each image, as `sha256sum` does for files."""
    chosen = [one.address for one in images_among(targets)]
    if not chosen:
        return SlimDigest(exit_code=0)
    keys = await concurrently(image_key(ImageKeyRequest(one), **implicitly()) for one in chosen)
    with subsystem.output(console) as write:
        write("".join(f"{found.key}  {address}\n" for address, found in zip(chosen, keys)))
    return SlimDigest(exit_code=0)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
