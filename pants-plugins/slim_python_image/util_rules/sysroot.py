"""What builds stand on beside the compiler: headers and libraries of the target, programs of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import DebPackage, TargetEnvironment, Tree
from slim_python_image.registry_products import RemoteLayers
from slim_python_image.util_rules.debian import DebFilesRequest, unpack_debs
from slim_python_image.util_rules.registry_images import ImageTreeRequest, unpack_image
from slim_python_image.util_rules.steps import Toolbox


@dataclass(frozen=True)
class SysrootRequest:
    """Headers and libraries of a base's builder packages, or of its builder image."""

    target: TargetEnvironment
    packages: tuple[DebPackage, ...]
    resolve: str
    image: RemoteLayers | None = None


@dataclass(frozen=True)
class ToolsRequest:
    """Programs that builds call on this machine, from Debian packages.

    :param target: this machine.
    """

    target: TargetEnvironment
    packages: tuple[DebPackage, ...]
    resolve: str

    @property
    def rust(self) -> bool:
        """Whether cargo is among them."""
        return any(package.name in ("cargo", "cargo-web") for package in self.packages)


@rule
async def unpack_sysroot(request: SysrootRequest, toolbox: Toolbox) -> Tree:
    if request.image is not None:
        image = ImageTreeRequest("image-sysroot", request.image, request.target)
        return await unpack_image(image, **implicitly())
    return await unpack_debs(
        "sysroot",
        f"Unpack headers and libraries for {request.target.platform}",
        DebFilesRequest(request.packages, request.resolve),
        request.target,
        toolbox,
    )


@rule
async def unpack_tools(request: ToolsRequest, toolbox: Toolbox) -> Tree:
    return await unpack_debs(
        "tools",
        "Unpack programs for builds",
        DebFilesRequest(request.packages, request.resolve),
        request.target,
        toolbox,
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
