"""Whether the groups of an image's layers are what its distributions allow."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import AbstractSet, Iterator

from slim_python_image.by_name import implicitly
from slim_python_image.products import SlimImageError
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.image_definition import ImageDefinition
from slim_python_image.util_rules.image_layers import ancestors_of, image_wheels
from slim_python_image.util_rules.partition import normalized
from slim_python_image.util_rules.plans import plan_wheels
from slim_python_image.util_rules.wheels import plan_request


def faults(parts: ImageDefinition, names: AbstractSet[str]) -> Iterator[str]:
    """Yield what is wrong with the groups of an image, a line each.

    :param names: of its distributions on all platforms, those of the image it extends included.
    """
    found = sorted({normalized(name) for name in names})
    for group in parts.groups:
        for pattern in group.patterns:
            if not any(fnmatchcase(name, pattern) for name in found):
                yield f"{pattern!r} of {group.name!r} matches no distribution of the image"
    winners = {normalized(name) for name in parts.prefer}
    for name in found:
        has = [f"{one.name!r} ({one.pattern_of(name)})" for one in parts.groups if one.pattern_of(name)]
        if len(has) > 1:
            yield f"{name} is in {' and '.join(has)}"
        if has and name in winners:
            yield f"{name} is in {has[0]} and in `prefer`, whose distributions lie above all others"


def check_groups(parts: ImageDefinition, names: AbstractSet[str]) -> None:
    """Check the groups of an image whose distributions are all known.

    :raises SlimImageError: a pattern that matches nothing, a distribution in two groups.
    """
    wrong = list(faults(parts, names))
    if wrong:
        lines = "".join(f"\n  {line}" for line in wrong)
        raise SlimImageError(
            f"{parts.address}: the field `layer_groups` does not fit the image{lines}\n"
            "  -> name each distribution in one group, and leave out what the image does not have"
        )


async def check_groups_early(parts: ImageDefinition) -> None:
    """Check the groups of an image by its plans, before anything is fetched or built.

    Where an sdist is to be built, its wheel may require more than the plan knows: then it is too early.
    """
    if not parts.groups:
        return
    ancestors = await ancestors_of(parts)
    names: set[str] = set()
    for platform in parts.platforms:
        base = (await read_base(parts.base_on(platform), **implicitly())).base
        plan = await plan_wheels(plan_request(image_wheels(parts, ancestors, base)), **implicitly())
        if any(one.artifact.kind != "wheel" for one in plan.artifacts):
            return
        names.update(one.artifact.name for one in plan.artifacts)
    check_groups(parts, names)
