"""Images in this machine's Docker, as `docker_image` leaves its own: for Dockerfiles that build on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable, Sequence

from pants.engine.addresses import Address
from pants.engine.fs import Digest
from pants.engine.platform import Platform
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Layer, SlimImageError, canonical_json
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.image import PlatformImage, PlatformImageRequest, platform_image
from slim_python_image.util_rules.image_definition import (
    ImageConfig,
    ImageDefinition,
    ImageDefinitionRequest,
    read_image,
)
from slim_python_image.util_rules.inherited import remote_of
from slim_python_image.util_rules.manifests import (
    IndexRequest,
    Manifest,
    ManifestRequest,
    write_index,
    write_manifest,
)
from slim_python_image.util_rules.registry_blobs import fetch_layers
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step, zstd_toolbox


@dataclass(frozen=True)
class LoadImageRequest:
    """Load an image into this machine's Docker, under some names."""

    address: Address
    names: tuple[str, ...]


@dataclass(frozen=True)
class LoadedImage:
    """An image that Docker has.

    :param image_id: as `docker image inspect` says it.
    """

    image_id: str
    platform: str


_LAYOUT = "layout"
_MACHINES = {
    Platform.linux_x86_64: "linux/amd64",
    Platform.macos_x86_64: "linux/amd64",
    Platform.linux_arm64: "linux/arm64",
    Platform.macos_arm64: "linux/arm64",
}


def machine_platform(machine: Platform) -> str:
    """Return the platform whose containers a machine runs without emulation."""
    return _MACHINES[machine]


@dataclass(frozen=True)
class PlatformLayout:
    """One platform of an image, and a complete layout of nothing else."""

    image: PlatformImage
    layout: Digest


async def layout_of(
    parts: ImageDefinition, platform: str, manifest: Manifest, layers: Sequence[Layer]
) -> Digest:
    """Return a complete layout of one manifest: with the blobs of a registry's image."""
    document = {"manifests": [json.loads(manifest.descriptor)], "annotations": {}, "name": "latest"}
    index = await write_index(IndexRequest(canonical_json(document).decode()), **implicitly())
    blobs = dict.fromkeys(layer.blobs for layer in layers if not layer.remote)
    read = await read_base(parts.base_on(platform), **implicitly())
    remote = remote_of(layers, read.base)
    fetched = [(await fetch_layers(remote, **implicitly())).digest] if remote else []
    return await engine.merge((*blobs, *fetched, manifest.blobs, index.layout))


async def platform_layout(parts: ImageDefinition, platform: str) -> PlatformLayout:
    """Build one platform of an image."""
    image = await platform_image(PlatformImageRequest(parts.address, platform), **implicitly())
    return PlatformLayout(image, await layout_of(parts, platform, image.manifest, image.layers))


async def layout_with(
    parts: ImageDefinition, image: PlatformImage, config: ImageConfig, more: Sequence[Layer]
) -> Digest:
    """Return a complete layout of an image with more layers, for this machine: it is published nowhere.

    :param config: the one that it has with them.
    """
    layers = (*image.layers, *more)
    document = {
        "platform": image.platform,
        "layers": [layer.fields() for layer in layers],
        "config": config.to_dict(),
        "created": parts.time or 0,
        "annotations": {},
    }
    manifest = await write_manifest(
        ManifestRequest(canonical_json(document).decode(), image.platform), **implicitly()
    )
    return await layout_of(parts, image.platform, manifest, layers)


def loaded_platform(address: Address, platforms: tuple[str, ...], machine: Platform) -> str:
    """Return the platform that Docker gets: the only one, or this machine's.

    :raises SlimImageError: there are several, and this machine's is not among them.
    """
    own = machine_platform(machine)
    if own not in platforms and len(platforms) > 1:
        raise SlimImageError(
            f"{address}: its `output_format` is `docker-image`, and it is built for {', '.join(platforms)}, "
            f"not for this machine's {own}\n"
            f"  -> add {own} to the field `platforms`, or name one platform only"
        )
    return own if own in platforms else platforms[0]


@rule(desc="Load an image into Docker")
async def load_image(request: LoadImageRequest, toolbox: Toolbox, machine: Platform) -> LoadedImage:
    parts = await read_image(ImageDefinitionRequest(request.address), **implicitly())
    platform = loaded_platform(request.address, parts.platforms, machine)
    built = await platform_layout(parts, platform)
    zstd = any(layer.zstd for layer in built.image.layers)
    outcome = await run_step(
        StepRequest(
            step="run",
            arguments=(
                *("--load-only", "--engine", "docker", "--layout", _LAYOUT, "--platform", platform),
                *(part for name in request.names for part in ("--name", name)),
            ),
            description=f"Load {request.names[0]} into Docker",
            toolbox=await zstd_toolbox() if zstd else toolbox,
            trees=FrozenDict({_LAYOUT: built.layout}),
            # Docker may have lost it since.
            fresh=True,
        ),
        **implicitly(),
    )
    return LoadedImage(outcome.fields()["image"], platform)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
