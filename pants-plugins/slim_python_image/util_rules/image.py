"""Images: layers, then one manifest per platform, then the index. Only descriptors travel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Awaitable, Iterable, Iterator

from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Layer, StepInputs, Wheel, canonical_json
from slim_python_image.remote_layers import RemoteLayers
from slim_python_image.sizes import mebibytes
from slim_python_image.util_rules.audit import audit_layers, audit_request, audited, audited_facts
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.declared_python import check_declared
from slim_python_image.util_rules.first_party import source_layer_requests
from slim_python_image.util_rules.image_content import contents_of
from slim_python_image.util_rules.image_context import image_fields, platform_context
from slim_python_image.util_rules.image_definition import (
    DEFAULT_ENVIRONMENT,
    ImageDefinitionRequest,
    read_image,
)
from slim_python_image.util_rules.image_layers import (
    ImageLayersRequest,
    ancestors_of,
    image_layers,
    image_wheels,
    local_wheel_requests,
    wheel_layers_of,
)
from slim_python_image.util_rules.inherited import base_annotations, config_on_base, remote_of
from slim_python_image.util_rules.layer_groups import check_groups, check_groups_early
from slim_python_image.util_rules.layers import source_layers
from slim_python_image.util_rules.manifests import (
    IndexRequest,
    Manifest,
    ManifestRequest,
    write_index,
    write_manifest,
)
from slim_python_image.util_rules.plans import check_local, plan_wheels
from slim_python_image.util_rules.registry_blobs import fetch_layers
from slim_python_image.util_rules.wheels import plan_request
from slim_python_image.util_rules.whole_image import (
    account_layers,
    check_image,
    check_request,
    judged,
    with_accounts,
)


@dataclass(frozen=True)
class BuiltImageRequest:
    """Build an image target on all its platforms."""

    address: Address


@dataclass(frozen=True)
class PlatformImageRequest:
    """Build one platform of an image target."""

    address: Address
    platform: str


@dataclass(frozen=True)
class PlatformImage:
    """One platform of a built image.

    :param context: JSON of what stands behind its digests, for the report.
    :param notes: what the steps that made it have to say, each line once.
    :param code: those of its layers that hold first-party code.
    """

    platform: str
    manifest: Manifest
    layers: tuple[Layer, ...]
    base_layers: int
    wheels: tuple[Wheel, ...]
    audit: str
    context: str = "{}"
    notes: tuple[str, ...] = ()
    code: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class BuiltImage:
    """A built image: the index, its platforms, and its layout.

    :param layout: without the blobs of a registry's base image.
    :param remote: those, per platform, and where they are.
    :param fields: JSON of the fields that decide which wheels and layers it has, for the report.
    :param documents: the layout without its layers.
    """

    address: Address
    index_digest: str
    platforms: tuple[PlatformImage, ...]
    layout: Digest
    inputs: StepInputs = StepInputs()
    fields: str = "{}"
    remote: tuple[RemoteLayers, ...] = ()
    documents: Digest = EMPTY_DIGEST


@rule(desc="Build one platform of an image")
async def platform_image(request: PlatformImageRequest) -> PlatformImage:
    parts = await read_image(ImageDefinitionRequest(request.address), **implicitly())
    base = (await read_base(parts.base_on(request.platform), **implicitly())).base
    check_declared(parts.declared, (base,), parts.address, parts.base)
    ancestors = await ancestors_of(parts)
    line = (parts, *ancestors)
    contents = await contents_of(line)
    wanted = plan_request(image_wheels(parts, ancestors, base))
    for parent in ancestors[:1]:
        # First: its layers are those of several images, and the plans of these are made beside them.
        theirs = (await read_base(parent.base_on(request.platform), **implicitly())).base
        await plan_wheels(plan_request(image_wheels(parent, ancestors[1:], theirs)), **implicitly())
    plan = await plan_wheels(wanted, **implicitly())  # first, see image_layers
    folders = (folder for one in line for folder in one.folders)
    check_local(plan.local, folders, str(parts.address))
    calls: list[Awaitable[Any]] = [
        image_layers(ImageLayersRequest(request.address, request.platform), **implicitly()),
        *(source_layers(one, **implicitly()) for one in await source_layer_requests(line, contents, base)),
    ]
    shared, *sources = await concurrently(calls)
    local = await wheel_layers_of(parts.address, local_wheel_requests(parts, contents[0].local_wheels, base))
    config = config_on_base(parts.config, base, parts.options.prefix, DEFAULT_ENVIRONMENT)
    own = tuple(layer for one in sources for layer in one.layers)
    layers = (*shared.base, *shared.wheels, *local, *own)
    below = (*shared.base, *shared.added)
    config = with_accounts(config, below)
    layers = (*layers, *await account_layers(parts, config, base, below))
    checked = await check_request(parts, config, base, layers, contents[0].sources)
    facts = await audited_facts(audited(layers), base)
    check, audit = await concurrently(
        check_image(checked, **implicitly()),
        audit_layers(audit_request(parts, base, layers, facts), **implicitly()),
    )
    notes = (*judged(check.outcome, parts, base)["notes"], *too_large(layers, parts.max_layer_size))
    found = judged(audit.outcome, parts, base)
    document = {
        "platform": request.platform,
        "layers": [layer.fields() for layer in layers],
        "config": config.to_dict(),
        "created": parts.time or 0,
        "annotations": {**base_annotations(base), **parts.annotations},
    }
    manifest = await write_manifest(
        ManifestRequest(canonical_json(document).decode(), request.platform), **implicitly()
    )
    return PlatformImage(
        platform=request.platform,
        manifest=manifest,
        layers=layers,
        base_layers=len(shared.base),
        wheels=shared.wheel_set.wheels,
        audit=canonical_json(found).decode(),
        notes=tuple(dict.fromkeys((*shared.wheel_set.notes, *told_of(layers), *notes, *found["notes"]))),
        context=canonical_json(platform_context(parts, base, shared.wheel_set.wheels)).decode(),
        code=own,
    )


def told_of(layers: Iterable[Layer]) -> Iterator[str]:
    """Yield what the steps that wrote layers have to say."""
    for layer in layers:
        yield from layer.fields().get("notes", ())


def too_large(layers: Iterable[Layer], most: int | None) -> Iterator[str]:
    """Yield a line for each layer whose blob is larger than a layer may be, and that no step has divided.

    :param most: bytes of a layer, `None` for any.
    """
    for layer in layers:
        if most is not None and layer.size > most:
            yield (
                f"the layer {layer.title!r} has {mebibytes(layer.size)}, more than `max_layer_size`: it is "
                "a single file, or that of a base image or of the image that this one extends"
            )


async def complete_layout(image: BuiltImage) -> Digest:
    """Return an image's layout with the blobs of its base image."""
    remote = [await fetch_layers(layers, **implicitly()) for layers in image.remote]
    return await engine.merge((image.layout, *(blobs.digest for blobs in remote)))


@rule(desc="Build an image")
async def build_image(request: BuiltImageRequest) -> BuiltImage:
    parts = await read_image(ImageDefinitionRequest(request.address), **implicitly())
    await check_groups_early(parts)
    platforms = await concurrently(
        platform_image(PlatformImageRequest(request.address, platform), **implicitly())
        for platform in parts.platforms
    )
    check_groups(parts, {wheel.name for one in platforms for wheel in one.wheels})
    bases = await concurrently(read_base(parts.base_on(one.platform), **implicitly()) for one in platforms)
    document = {
        "manifests": [json.loads(one.manifest.descriptor) for one in platforms],
        # One target is the base of all platforms.
        "annotations": {**base_annotations(bases[0].base, index=True), **parts.annotations},
        "name": "latest",
    }
    index = await write_index(IndexRequest(canonical_json(document).decode()), **implicitly())
    documents = await engine.merge((*(one.manifest.blobs for one in platforms), index.layout))
    blobs = dict.fromkeys(layer.blobs for one in platforms for layer in one.layers if not layer.remote)
    fields = canonical_json(image_fields(parts, bases[0].base)).decode()
    return BuiltImage(
        address=request.address,
        index_digest=index.digest,
        platforms=platforms,
        layout=await engine.merge((*blobs, documents)),
        inputs=index.inputs,
        fields=fields,
        remote=tuple(
            found for one, base in zip(platforms, bases) if (found := remote_of(one.layers, base.base))
        ),
        documents=documents,
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
