"""An image with a shell: what it is opened with to look around in it, on this machine alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image.bases import Base, DebianBase, DebPackage, LayerGroup
from slim_python_image.by_name import implicitly
from slim_python_image.products import Layer, SlimImageError
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.base_layers import DebLayerRequest, deb_layers
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.docker_engine import layout_with
from slim_python_image.util_rules.image import PlatformImage, PlatformImageRequest, platform_image
from slim_python_image.util_rules.image_definition import DEFAULT_ENVIRONMENT, ImageDefinition
from slim_python_image.util_rules.inherited import config_on_base

TOOLS = ("bash", "coreutils", "dash", "diffutils", "findutils", "grep", "gzip", "mawk", "sed", "tar")
"""What of a base's programs for builds people look around with."""
_SHELL, _OWN_SHELL = "/usr/bin/bash", "/bin/sh"


@dataclass(frozen=True)
class DebugImage:
    """An image with a shell.

    :param layout: complete.
    """

    image: PlatformImage
    layout: Digest
    layers: tuple[Layer, ...]


def debug_packages(base: DebianBase, origin: str) -> tuple[DebPackage, ...]:
    """Return the packages of a debug layer: what the tools need, without what the base has.

    :param origin: who asks.
    :raises SlimImageError: the lock has no tools, or those of another platform.
    """
    host = base.interpreter.target.platform
    if host != base.target.platform:
        raise SlimImageError(
            f"{origin}: the tools in the lock of {base.resolve} are for {host}, and the image is for "
            f"{base.target.platform}\n  -> debug it on a machine of its platform"
        )
    if not set(TOOLS) <= set(base.programs):
        raise SlimImageError(
            f"{origin}: the lock of {base.resolve} has no tools to look around with\n"
            f"  -> lock them: {relock_command(base.resolve)}"
        )
    there = {package.name for package in base.packages}
    found = {package for name in TOOLS for package in base.programs[name] if package.name not in there}
    return tuple(sorted(found))


async def debug_layers(base: Base, origin: str) -> tuple[Layer, ...]:
    """Return the layer of tools above an image; none for an image of a registry."""
    if not isinstance(base, DebianBase):
        return ()
    group = LayerGroup("debug tools", bytecode=False, packages=debug_packages(base, origin))
    return (await deb_layers(DebLayerRequest(group, base.interpreter, "none"), **implicitly())).layers


def shell(layers: Iterable[Layer]) -> tuple[str, ...]:
    """Return the command that an image is opened with."""
    return (_SHELL,) if tuple(layers) else (_OWN_SHELL,)


async def debug_image(parts: ImageDefinition, platform: str) -> DebugImage:
    """Build one platform of an image, with a shell."""
    image = await platform_image(PlatformImageRequest(parts.address, platform), **implicitly())
    read = await read_base(parts.base_on(platform), **implicitly())
    layers = await debug_layers(read.base, str(parts.address))
    config = config_on_base(parts.config, read.base, parts.options.prefix, DEFAULT_ENVIRONMENT)
    config = replace(config, entrypoint=shell(layers), cmd=(), healthcheck=None)
    return DebugImage(image, await layout_with(parts, image, config, layers), layers)
