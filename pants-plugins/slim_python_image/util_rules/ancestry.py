"""What an image stands on: a base, or another image and what that one stands on."""

from __future__ import annotations

from dataclasses import dataclass

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.target import Target

from slim_python_image import engine
from slim_python_image.content_fields import ImageExtraPackagesField
from slim_python_image.products import SlimImageError
from slim_python_image.target_types import ExtendsField
from slim_python_image.wheel_set_target import BaseField


@dataclass(frozen=True)
class Ancestry:
    """The base target below an image, and the image that it starts with.

    :param inherits: whether that image is its base, so that it has its configuration too.
    """

    base: Address
    extends: Address | None
    inherits: bool = False


async def one_address(value: str, owner: Address, alias: str) -> Address:
    """Return the address that a field names."""
    found = await engine.addresses(
        UnparsedAddressInputs(
            [value],
            owning_address=owner,
            description_of_origin=f"the field `{alias}` of {owner}",
        )
    )
    return found[0]


async def _image(address: Address, owner: Address, alias: str) -> Target | None:
    """Return the image target at an address, `None` where something else is there."""
    target = await engine.target(address, f"the field `{alias}` of {owner}")
    return target if target.has_field(ExtendsField) else None


async def ancestry(target: Target) -> Ancestry:
    """Return what the fields `base` and `extends` of an image, or of a wheel set, lead to.

    An image as `base` is the same as that image as `extends` and its base as `base`.

    :raises SlimImageError: the two fields name different images, or the images stand on each other.
    """
    owner = target.address
    base = await one_address(str(target[BaseField].value), owner, BaseField.alias)
    parent = await _parent(target)
    line = [owner]
    own = base
    below = await _image(base, owner, BaseField.alias) if target.has_field(ExtendsField) else None
    if below is not None:
        if parent not in (None, base):
            raise SlimImageError(
                f"{owner}: the field `base` names the image {base}, and `extends` names {parent}\n"
                "  -> name one of them, once"
            )
        parent = base
    while below is not None:
        if base in line:
            circle = " -> ".join(str(one) for one in (*line, base))
            raise SlimImageError(
                f"{owner}: its base is itself: {circle}\n  -> let one of them have another base"
            )
        line.append(base)
        base = await one_address(str(below[BaseField].value), below.address, BaseField.alias)
        below = await _image(base, line[-1], BaseField.alias)
    return Ancestry(base, parent, inherits=base != own)


async def added_packages(target: Target) -> tuple[str, ...]:
    """Return the Debian packages that an image and those it extends add, as :class:`BaseRequest` has them.

    :raises SlimImageError: as :func:`ancestry`; images that extend each other are for others to report.
    """
    line = [target]
    below = await ancestry(target)
    while below.extends is not None and below.extends not in {one.address for one in line}:
        line.append(await engine.target(below.extends, f"the field `extends` of {line[-1].address}"))
        below = await ancestry(line[-1])
    names: set[str] = set()
    found: list[str] = []
    for one in reversed(line):
        own = set(one[ImageExtraPackagesField].value or ()) - names
        if own:
            names |= own
            found.append(", ".join(sorted(names)))
    return tuple(found)


async def _parent(target: Target) -> Address | None:
    value = target[ExtendsField].value if target.has_field(ExtendsField) else None
    if not value:
        return None
    address = await one_address(value, target.address, ExtendsField.alias)
    if await _image(address, target.address, ExtendsField.alias) is None:
        found = await engine.target(address, f"the field `extends` of {target.address}")
        raise SlimImageError(
            f"{target.address}: the field `extends` names {address}, which is a `{found.alias}`\n"
            "  -> name a `slim_python_image` target"
        )
    return address
