"""Images: layers, then one manifest per platform, then the index. Only descriptors travel."""

from __future__ import annotations

import json
from typing import Iterable

from pants.engine.fs import Digest
from pants.engine.rules import collect_rules, rule

from slim_python_image import engine
from slim_python_image.products import (
    Archive,
    ArchiveRequest,
    Audit,
    AuditRequest,
    Base,
    BaseLayersRequest,
    BaseRequest,
    BuiltImage,
    BuiltImageRequest,
    ImageLayers,
    ImageLayersRequest,
    ImageParts,
    ImagePartsRequest,
    Index,
    IndexRequest,
    Layer,
    Manifest,
    ManifestRequest,
    PlatformImage,
    PlatformImageRequest,
    SlimImageError,
    StepRequest,
    Toolbox,
    Wheel,
    WheelLayerRequest,
    WheelSet,
    WheelSetRequest,
    canonical_json,
)
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.first_party import neutral, source_layer_requests
from slim_python_image.util_rules.inputs import image_fields, platform_context
from slim_python_image.util_rules.partition import partition, title
from slim_python_image.util_rules.parts import DEFAULT_ENVIRONMENT
from slim_python_image.util_rules.registry import (
    BASE_ORIGIN,
    audited_facts,
    base_annotations,
    config_on_base,
    remote_of,
)
from slim_python_image.util_rules.wheels import plan_request

_OUT = "out"


def layer_request(parts: ImageParts, base: Base, wheels: tuple[Wheel, ...], title: str) -> WheelLayerRequest:
    """Return one layer of wheels: one for all platforms where the wheels fit them all."""
    return WheelLayerRequest(
        wheels=wheels,
        title=title,
        target=neutral(base.target) if all(wheel.pure for wheel in wheels) else base.target,
        options=parts.options,
        interpreter=base.interpreter,
    )


def layer_requests(parts: ImageParts, base: Base, wheels: tuple[Wheel, ...]) -> list[WheelLayerRequest]:
    """Return the wheel layers of an image, bottom first."""
    return [
        layer_request(parts, base, group, title(group)) for group in partition(wheels, parts.layer_budget)
    ]


def missing_wheels(
    child: ImageParts, parent: ImageParts, own: WheelSet, theirs: WheelSet
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


def check_parent(child: ImageParts, parent: ImageParts, platform: str) -> None:
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


async def ancestors_of(parts: ImageParts) -> tuple[ImageParts, ...]:
    """Return the image that another extends, the one that that one extends, and so on.

    :raises SlimImageError: the images extend each other in a circle, in which each would wait for the other.
    """
    line = [parts]
    while line[-1].extends is not None:
        line.append(await engine.image_parts(ImagePartsRequest(line[-1].extends)))
        if line[-1].address in [one.address for one in line[:-1]]:
            circle = " -> ".join(str(one.address) for one in line)
            raise SlimImageError(
                f"{parts.address}: it extends itself: {circle}\n"
                "  -> remove the field `extends` of one of them"
            )
    return tuple(line[1:])


def image_wheels(parts: ImageParts, ancestors: tuple[ImageParts, ...], base: Base) -> WheelSetRequest:
    """Return the wheels of an image, those of the one it extends included.

    :raises SlimImageError: it cannot extend that one.
    """
    for parent in ancestors[:1]:
        check_parent(parts, parent, base.target.platform)
    roots = {root for one in (parts, *ancestors[:1]) for root in one.roots}
    return WheelSetRequest(
        tuple(sorted(roots)), parts.lockfile, parts.resolve, base, parts.no_binary, parts.only_binary
    )


@rule(desc="Make the layers of an image")
async def image_layers(request: ImageLayersRequest) -> ImageLayers:
    parts = await engine.image_parts(ImagePartsRequest(request.address))
    base = await engine.base(BaseRequest(parts.base, request.platform, origin=str(parts.address)))
    ancestors = await ancestors_of(parts)
    wheels = image_wheels(parts, ancestors, base)
    # What is to be compiled decides how long all takes. So it is known before the packages of the base are
    # fetched and unpacked, and the compiler does not queue behind these.
    await engine.wheel_plan(plan_request(wheels))
    if not ancestors:
        wheel_set, below = await engine.wheel_set_on_base(
            wheels,
            BaseLayersRequest(base, parts.options.prefix, parts.options.bytecode, parts.options.compression),
        )
        own = await engine.wheel_layers(layer_requests(parts, base, wheel_set.wheels))
        return ImageLayers(below.layers, own, wheel_set)
    parent = ancestors[0]
    wheel_set, inherited = await engine.wheel_set_on_image(
        wheels, ImageLayersRequest(parent.address, request.platform)
    )
    extra = missing_wheels(parts, parent, wheel_set, inherited.wheel_set)
    own = await engine.wheel_layers(layer_requests(parts, base, extra))
    return ImageLayers(inherited.base, (*inherited.wheels, *own), wheel_set)


def local_wheel_requests(parts: ImageParts, base: Base) -> list[WheelLayerRequest]:
    """Return the layer of an image's first-party distributions, if it has any."""
    if not parts.local_wheels:
        return []
    return [layer_request(parts, base, parts.local_wheels, f"distributions of {parts.address}")]


def audited(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Return the layers that an audit has to look at.

    A layer without ELF files above all others that have some changes nothing, so it is left out: an
    edit of Python sources audits nothing again. Of layers of a registry's image nobody knows without
    their bytes: where nothing above them has ELF files, there is nothing to audit.
    """
    while layers and not layers[-1].elf_files:
        layers = layers[:-1]
    return layers


def audit_request(
    parts: ImageParts, base: Base, layers: tuple[Layer, ...], facts: tuple[Digest, ...] | None = None
) -> AuditRequest:
    """Return the audit of an image's layers.

    :param facts: the lists of files of the layers to look at; by default, those that the layers have.
    """
    return AuditRequest(
        platform=base.target.platform,
        facts=tuple(layer.facts for layer in audited(layers)) if facts is None else facts,
        libc=base.target.libc,
        packages=tuple(sorted(package.name for group in base.groups for package in group.packages)),
        accept=parts.accept,
    )


@rule
async def audit_layers(request: AuditRequest, toolbox: Toolbox) -> Audit:
    paths = [f"facts/{number:03}" for number in range(len(request.facts))]
    document = {
        "platform": request.platform,
        "facts": [f"{path}/layer-facts.json" for path in paths],
        "accept": list(request.accept),
        "lock_packages": list(request.packages),
        "libc": request.libc,
        # Without locked packages the base is somebody else's image, whose files nobody here can mend.
        "trusted": [] if request.packages else [BASE_ORIGIN],
    }
    placed = [await engine.add_prefix(digest, path) for digest, path in zip(request.facts, paths)]
    outcome = await engine.run_step(
        StepRequest(
            step="audit",
            arguments=("--request", "request.json"),
            description=f"Audit the libraries of {len(paths)} layers for {request.platform}",
            toolbox=toolbox,
            inputs=await engine.merge(
                (*placed, await engine.create_files({"request.json": canonical_json(document)}))
            ),
        )
    )
    return Audit(outcome)


@rule(desc="Build one platform of an image")
async def platform_image(request: PlatformImageRequest) -> PlatformImage:
    parts = await engine.image_parts(ImagePartsRequest(request.address))
    base = await engine.base(BaseRequest(parts.base, request.platform, origin=str(parts.address)))
    ancestors = await ancestors_of(parts)
    await engine.wheel_plan(plan_request(image_wheels(parts, ancestors, base)))  # first, see image_layers
    shared, sources = await engine.layers_and_sources(
        ImageLayersRequest(request.address, request.platform),
        await source_layer_requests(parts, ancestors, base),
    )
    local = await engine.wheel_layers(local_wheel_requests(parts, base))
    layers = (*shared.base, *shared.wheels, *local, *sources)
    facts = await audited_facts(audited(layers), base)
    audit = await engine.audit(audit_request(parts, base, layers, facts))
    found = audit.outcome.fields(
        hint=f"the base of {parts.address} is {parts.base}; then: {relock_command(base.resolve)}"
    )
    document = {
        "platform": request.platform,
        "layers": [layer.fields() for layer in layers],
        "config": config_on_base(
            parts.config, base.registry, parts.options.prefix, DEFAULT_ENVIRONMENT
        ).to_dict(),
        "created": 0,
        "annotations": {**base_annotations(base.registry), **parts.annotations},
    }
    manifest = await engine.manifest(ManifestRequest(canonical_json(document).decode(), request.platform))
    return PlatformImage(
        platform=request.platform,
        manifest=manifest,
        layers=layers,
        base_layers=len(shared.base),
        wheels=shared.wheel_set.wheels,
        audit=canonical_json(found).decode(),
        context=canonical_json(platform_context(parts, base, shared.wheel_set.wheels)).decode(),
    )


@rule
async def write_manifest(request: ManifestRequest, toolbox: Toolbox) -> Manifest:
    step = StepRequest(
        step="image",
        arguments=("--request", "request.json", "--output", _OUT),
        description=f"Write the manifest for {request.platform}",
        toolbox=toolbox,
        inputs=await engine.create_files({"request.json": request.document.encode()}),
        output_directories=(_OUT,),
    )
    outcome = await engine.run_step(step)
    fields = outcome.fields()
    return Manifest(
        descriptor=canonical_json(fields["manifest"]).decode(),
        document=canonical_json(fields).decode(),
        blobs=await engine.remove_prefix(outcome.digest, _OUT),
        inputs=await engine.step_inputs(step),
    )


@rule
async def write_index(request: IndexRequest, toolbox: Toolbox) -> Index:
    step = StepRequest(
        step="index",
        arguments=("--request", "request.json", "--output", _OUT),
        description="Write the index",
        toolbox=toolbox,
        inputs=await engine.create_files({"request.json": request.document.encode()}),
        output_directories=(_OUT,),
    )
    outcome = await engine.run_step(step)
    digest = outcome.fields()["descriptor"]["digest"]
    layout = await engine.remove_prefix(outcome.digest, _OUT)
    return Index(digest, layout, await engine.step_inputs(step))


@rule(desc="Build an image")
async def build_image(request: BuiltImageRequest) -> BuiltImage:
    parts = await engine.image_parts(ImagePartsRequest(request.address))
    platforms = await engine.platform_images(
        PlatformImageRequest(request.address, platform) for platform in parts.platforms
    )
    bases = await engine.bases(
        BaseRequest(parts.base, one.platform, origin=str(parts.address)) for one in platforms
    )
    document = {
        "manifests": [json.loads(one.manifest.descriptor) for one in platforms],
        # One target is the base of all platforms.
        "annotations": {**base_annotations(bases[0].registry, index=True), **parts.annotations},
        "name": "latest",
    }
    index = await engine.index(IndexRequest(canonical_json(document).decode()))
    documents = await engine.merge((*(one.manifest.blobs for one in platforms), index.layout))
    blobs = dict.fromkeys(layer.blobs for one in platforms for layer in one.layers if not layer.remote)
    fields = canonical_json(image_fields(parts, bases[0])).decode()
    return BuiltImage(
        address=request.address,
        index_digest=index.digest,
        platforms=platforms,
        layout=await engine.merge((*blobs, documents)),
        inputs=index.inputs,
        fields=fields,
        remote=tuple(found for one, base in zip(platforms, bases) if (found := remote_of(one.layers, base))),
        documents=documents,
    )


@rule
async def pack(request: ArchiveRequest, toolbox: Toolbox) -> Archive:
    references = tuple(part for reference in request.references for part in ("--tag", reference))
    only = ("--platform", request.platform) if request.platform else ()
    outcome = await engine.run_step(
        StepRequest(
            step="archive",
            arguments=(
                *("--layout", "layout", "--format", request.format),
                *references,
                *only,
                *("--output", request.filename),
            ),
            description=f"Pack {request.filename}",
            toolbox=await engine.zstd_toolbox() if request.zstd else toolbox,
            inputs=await engine.add_prefix(request.layout, "layout"),
            output_files=(request.filename,),
        )
    )
    outcome.fields()
    return Archive(outcome.digest)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
