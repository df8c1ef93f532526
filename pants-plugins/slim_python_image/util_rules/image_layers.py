"""Base and wheel layers of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable

from pants.engine.addresses import Address

from slim_python_image.bases import Base, DebianBase, LayerGroup
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Layer, SlimImageError, Wheel
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.base_layers import BaseLayersRequest, added_layers, base_layers
from slim_python_image.util_rules.first_party import neutral
from slim_python_image.util_rules.image_definition import ImageDefinition, ImageDefinitionRequest, read_image
from slim_python_image.util_rules.layers import WheelLayerRequest, wheel_layers
from slim_python_image.util_rules.partition import normalized, titled_partition
from slim_python_image.util_rules.plans import plan_wheels
from slim_python_image.util_rules.wheels import WheelSet, WheelSetRequest, make_wheel_set, plan_request


@dataclass(frozen=True)
class ImageLayersRequest:
    """Base and wheel layers of an image target on one platform."""

    address: Address
    platform: str


@dataclass(frozen=True)
class ImageLayers:
    """Layers of an image below its own code, those of the image it extends first.

    :param base: what all images on its base start with.
    :param wheels: what lies above, those of packages that images add included.
    :param added: of these, the layers of packages.
    """

    base: tuple[Layer, ...]
    wheels: tuple[Layer, ...]
    wheel_set: WheelSet
    added: tuple[Layer, ...] = ()


def layer_request(
    parts: ImageDefinition, base: Base, wheels: tuple[Wheel, ...], title: str
) -> WheelLayerRequest:
    """Return one layer of wheels: one for all platforms where the wheels fit them all."""
    names = {normalized(wheel.name) for wheel in wheels}
    return WheelLayerRequest(
        wheels=wheels,
        title=title,
        target=neutral(base.target) if all(wheel.pure for wheel in wheels) else base.target,
        options=parts.options,
        interpreter=base.interpreter,
        # Of whom it does not hold, a layer knows nothing.
        prefer=tuple(name for name in parts.prefer if normalized(name) in names),
        max_size=parts.max_layer_size,
    )


def layer_requests(parts: ImageDefinition, base: Base, wheels: tuple[Wheel, ...]) -> list[WheelLayerRequest]:
    """Return the wheel layers of an image, bottom first."""
    return [
        layer_request(parts, base, own, title)
        for title, own in titled_partition(wheels, parts.layer_budget, parts.prefer, parts.groups)
    ]


async def wheel_layers_of(address: Address, requests: Iterable[WheelLayerRequest]) -> tuple[Layer, ...]:
    """Return the layers of several requests, bottom first.

    :param address: of the image that has them; the steps do not know it, since images share layers.
    :raises SlimImageError: wheels that cannot be in one layer, or not in this one.
    """
    try:
        made = await concurrently(wheel_layers(one, **implicitly()) for one in requests)
    except SlimImageError as e:
        raise SlimImageError(f"{address}: {e}") from None
    return tuple(layer for one in made for layer in one.layers)


def missing_wheels(
    child: ImageDefinition, parent: ImageDefinition, own: WheelSet, theirs: WheelSet
) -> tuple[Wheel, ...]:
    """Return the wheels that an image has and the one it extends has not.

    :raises SlimImageError: the two have different files of one distribution.
    """
    inherited = {wheel.name: wheel for wheel in theirs.wheels}
    different = [
        f"  {wheel.name}: {wheel.filename} here, {inherited[wheel.name].filename} there"
        for wheel in own.wheels
        if wheel.name in inherited and inherited[wheel.name].sha256 != wheel.sha256
    ]
    if different:
        lines = "\n".join(different)
        raise SlimImageError(
            f"{child.address}: it extends {parent.address}, but their wheels differ\n{lines}\n"
            "  -> use the same resolve, base, `no_binary` and `only_binary` in both"
        )
    return tuple(wheel for wheel in own.wheels if wheel.name not in inherited)


def check_parent(child: ImageDefinition, parent: ImageDefinition, platform: str) -> None:
    """Raise when an image cannot extend another."""
    if child.base != parent.base:
        raise SlimImageError(
            f"{child.address}: its base is {child.base}, but it extends {parent.address}, whose base is "
            f"{parent.base}\n  -> use one base for both"
        )
    if platform not in parent.platforms:
        raise SlimImageError(
            f"{child.address}: it is built for {platform}, but it extends {parent.address}, which is "
            f"not\n  -> add {platform} to the field `platforms` of {parent.address}"
        )
    if child.options != parent.options:
        raise SlimImageError(
            f"{child.address}: it extends {parent.address}, but `bytecode`, `compression`, "
            "`exclude` or `strip` differ\n"
            "  -> use the same in both, the layers are shared"
        )


async def ancestors_of(parts: ImageDefinition) -> tuple[ImageDefinition, ...]:
    """Return the image that another extends, the one that that one extends, and so on.

    :raises SlimImageError: the images extend each other in a circle, in which each would wait for the other.
    """
    line = [parts]
    while line[-1].extends is not None:
        line.append(await read_image(ImageDefinitionRequest(line[-1].extends), **implicitly()))
        if line[-1].address in [one.address for one in line[:-1]]:
            circle = " -> ".join(str(one.address) for one in line)
            raise SlimImageError(
                f"{parts.address}: it extends itself: {circle}\n"
                "  -> remove the field `extends` of one of them"
            )
    return tuple(line[1:])


def image_wheels(
    parts: ImageDefinition, ancestors: tuple[ImageDefinition, ...], base: Base
) -> WheelSetRequest:
    """Return the wheels of an image, those of the one it extends included.

    :raises SlimImageError: it cannot extend that one.
    """
    for parent in ancestors[:1]:
        check_parent(parts, parent, base.target.platform)
    roots = {root for one in (parts, *ancestors[:1]) for root in one.roots}
    return WheelSetRequest(
        tuple(sorted(roots)),
        parts.lockfile,
        parts.resolve,
        without_added(base),
        parts.no_binary,
        parts.only_binary,
    )


def without_added(base: Base) -> Base:
    """Return a base without what images add to it: what wheels are built on."""
    return replace(base, added=()) if isinstance(base, DebianBase) else base


def added_to(base: Base, below: Base | None = None) -> tuple[LayerGroup, ...]:
    """Return the packages that an image adds.

    :param base: the image's.
    :param below: that of the image which it extends.
    """
    if not isinstance(base, DebianBase):
        return ()
    theirs = below.added if isinstance(below, DebianBase) else ()
    return base.added[len(theirs) :]


@rule(desc="Make the layers of an image")
async def image_layers(request: ImageLayersRequest) -> ImageLayers:
    parts = await read_image(ImageDefinitionRequest(request.address), **implicitly())
    base = (await read_base(parts.base_on(request.platform), **implicitly())).base
    ancestors = await ancestors_of(parts)
    wheels = image_wheels(parts, ancestors, base)
    # What is to be compiled decides how long all takes. So it is known before the packages of the base are
    # fetched and unpacked, and the compiler does not queue behind these.
    await plan_wheels(plan_request(wheels), **implicitly())
    # Nobody replaces the standard library: one layer of it serves both kinds of bytecode.
    of_base = "none" if parts.options.bytecode == "none" else "unchecked-hash"
    below = BaseLayersRequest(
        base, parts.options.prefix, of_base, parts.options.compression, parts.max_layer_size
    )
    if not ancestors:
        wheel_set, shared = await concurrently(
            make_wheel_set(wheels, **implicitly()),
            base_layers(replace(below, base=without_added(base)), **implicitly()),
        )
        added = await added_layers(below, added_to(base), shared.layers)
        own = await wheel_layers_of(parts.address, layer_requests(parts, base, wheel_set.wheels))
        return ImageLayers(shared.layers, (*added, *own), wheel_set, added)
    parent = ancestors[0]
    wheel_set, inherited = await concurrently(
        make_wheel_set(wheels, **implicitly()),
        image_layers(ImageLayersRequest(parent.address, request.platform), **implicitly()),
    )
    extra = missing_wheels(parts, parent, wheel_set, inherited.wheel_set)
    theirs = (await read_base(parent.base_on(request.platform), **implicitly())).base
    added = await added_layers(below, added_to(base, theirs), (*inherited.base, *inherited.added))
    own = await wheel_layers_of(parts.address, layer_requests(parts, base, extra))
    return ImageLayers(
        inherited.base, (*inherited.wheels, *added, *own), wheel_set, (*inherited.added, *added)
    )


def local_wheel_requests(
    parts: ImageDefinition, wheels: tuple[Wheel, ...], base: Base
) -> list[WheelLayerRequest]:
    """Return the layer of an image's first-party distributions, if it has any."""
    if not wheels:
        return []
    return [layer_request(parts, base, wheels, f"distributions of {parts.address}")]


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
