"""How images relate: which layers an image has in common with others, without building these."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable, Mapping

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.target import AllTargets, StringField, Target
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.goals.dist import is_image
from slim_python_image.products import GZIP
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import CompressionField, ExtendsField
from slim_python_image.util_rules.image import BuiltImage
from slim_python_image.util_rules.image_layers import ImageLayersRequest, image_layers
from slim_python_image.wheel_set_target import BaseField


@dataclass(frozen=True)
class Relations:
    """What an image names of other targets, `None` where it names something that is not there."""

    base: Address | None
    extends: Address | None
    compression: str = GZIP


@dataclass(frozen=True)
class ImageRelations:
    """What all images of the repository name of others: read once, for every one of them."""

    images: FrozenDict[Address, Relations]


def chain(images: Mapping[Address, Relations], address: Address) -> tuple[Address, ...]:
    """Return an image and those that it extends, nearest first."""
    found: list[Address] = []
    current: Address | None = address
    while current is not None and current in images and current not in found:
        found.append(current)
        current = images[current].extends
    return tuple(found)


def resolved(images: Mapping[Address, Relations], address: Address) -> Relations:
    """Return the relations of an image whose base may be another image, as if it extended that one."""
    own, seen = images[address], {address}
    below = own.base
    while below is not None and below in images and below not in seen:
        seen.add(below)
        below = images[below].base
    return replace(own, base=below, extends=own.base) if below != own.base else own


def common_ancestors(
    images: Mapping[Address, Relations], address: Address
) -> tuple[frozenset[Address], bool]:
    """Return the images whose layers ``address`` has in common with another image.

    And whether any other image stands on the same base, compressed alike.
    """
    mine = chain(images, address)
    below = (images[address].base, images[address].compression)
    common: set[Address] = set()
    same_base = False
    for other, its in images.items():
        if other == address:
            continue
        same_base = same_base or (its.base, its.compression) == below
        theirs = set(chain(images, other))
        common.update(next(([one] for one in mine if one in theirs), []))
    return frozenset(common), same_base


async def _named(target: Target, field: type[StringField]) -> Address | None:
    """Return the address that a field of some image names; a wrong one is for that image to report."""
    value = target[field].value
    if not value:
        return None
    found = await engine.addresses(
        UnparsedAddressInputs(
            [value],
            owning_address=target.address,
            description_of_origin=f"the field `{field.alias}` of {target.address}",
            skip_invalid_addresses=True,
        )
    )
    return found[0] if found else None


@rule(desc="Look at how images relate")
async def image_relations(all_targets: AllTargets, options: SlimImageOptions) -> ImageRelations:
    images = {
        target.address: Relations(
            await _named(target, BaseField),
            await _named(target, ExtendsField),
            options.compression_of(target[CompressionField].value),
        )
        for target in all_targets
        if is_image(target)
    }
    return ImageRelations(FrozenDict({address: resolved(images, address) for address in images}))


async def shared_layers(image: BuiltImage, relations: ImageRelations) -> frozenset[str]:
    """Return the digests of layers that other images of the repository have too.

    They follow from `base` and `extends` alone: nothing of another image is read or built to know them.
    """
    common, same_base = common_ancestors(relations.images, image.address)
    layers = await concurrently(
        image_layers(ImageLayersRequest(address, one.platform), **implicitly())
        for address in sorted(common)
        for one in image.platforms
    )
    shared = {layer.digest for found in layers for layer in (*found.base, *found.wheels)}
    if same_base:
        shared |= {layer.digest for one in image.platforms for layer in one.layers[: one.base_layers]}
    return frozenset(shared)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
