"""`pants package` of images and wheel sets."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping

from pants.backend.docker.package_types import BuiltDockerImage
from pants.backend.python.subsystems.setup import PythonSetup
from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, OutputPathField, PackageFieldSet
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import Digest
from pants.engine.target import AllTargets, StringField, Target
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.bases import BaseRequest
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.goals.shared_blobs import shared_layout
from slim_python_image.products import GZIP, SlimImageError, StepInputs
from slim_python_image.start_fields import EntryPointField
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import (
    CompressionField,
    ExtendsField,
    ImageTagsField,
    OutputFormatField,
    RegistriesField,
    RepositoryField,
)
from slim_python_image.util_rules.ancestry import one_address
from slim_python_image.util_rules.archives import ArchiveRequest, pack
from slim_python_image.util_rules.attestations import AttestationsRequest, attest, slug
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.docker_engine import LoadImageRequest, load_image
from slim_python_image.util_rules.image import (
    BuiltImage,
    BuiltImageRequest,
    PlatformImage,
    build_image,
    complete_layout,
)
from slim_python_image.util_rules.image_definition import platforms_of
from slim_python_image.util_rules.image_layers import ImageLayersRequest, image_layers
from slim_python_image.util_rules.references import ImageNames, archive_references
from slim_python_image.util_rules.requirements import binary_choices, dependency_targets, requirements_of
from slim_python_image.util_rules.wheels import WheelSetRequest, make_wheel_set
from slim_python_image.wheel_set_target import BaseField, WheelSetDependenciesField

REPORT_SCHEMA = "slim-python-image.report/2"


@dataclass(frozen=True)
class SlimImageFieldSet(PackageFieldSet):
    """What `package` needs of an image target."""

    required_fields = (EntryPointField, ExtendsField)

    output_path: OutputPathField
    output_format: OutputFormatField
    repository: RepositoryField
    image_tags: ImageTagsField
    registries: RegistriesField
    base: BaseField

    def names(self) -> ImageNames:
        """Return what decides the image's names."""
        return ImageNames(self.address, self.registries, self.repository, self.image_tags, self.base)


@dataclass(frozen=True)
class WheelSetFieldSet(PackageFieldSet):
    """What `package` needs of a wheel set."""

    required_fields = (WheelSetDependenciesField, BaseField)

    output_path: OutputPathField
    base: BaseField
    dependencies: WheelSetDependenciesField


def output_of(field: OutputPathField) -> str:
    """Return where `package` writes, below `dist`.

    :raises SlimImageError: it is `dist` itself, or outside of it: Pants clears the place before it writes.
    """
    path = field.value_or_default(file_ending=None)
    if path.startswith("/") or not {"", ".", ".."}.isdisjoint(path.split("/")):
        example = f"images/{field.address.target_name}"
        raise SlimImageError(
            f"{field.address}: the field `{field.alias}` is {path!r}, which is no place below the folder "
            f"`dist`\n  -> write a relative path, for example {field.alias}={example!r}, or leave the field "
            "out"
        )
    return path


def mebibytes(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / 2**20:.1f} MiB"


def platform_report(image: PlatformImage) -> dict[str, Any]:
    """Return what the report says of one platform."""
    layers = [layer.fields() for layer in image.layers]
    descriptor = json.loads(image.manifest.descriptor)
    return {
        "platform": image.platform,
        "digest": descriptor["digest"],
        "size": json.loads(image.manifest.document)["size"],
        "unpacked_size": sum(layer["unpacked_size"] for layer in layers),
        "audit": {k: v for k, v in json.loads(image.audit).items() if k not in {"schema", "notes"}},
        "notes": list(image.notes),
        "step": image.manifest.inputs.key,
        **json.loads(image.context),
        "layers": [
            {
                "title": layer["title"],
                "digest": layer["descriptor"]["digest"],
                "diff_id": layer["diff_id"],
                "size": layer["descriptor"]["size"],
                "unpacked_size": layer["unpacked_size"],
                "contents": layer["contents"],
                "left_out": layer.get("left_out", []),
                "step": made.inputs.key,
            }
            for layer, made in zip(layers, image.layers)
        ],
        "wheels": [
            {
                "name": w.name,
                "version": w.version,
                "filename": w.filename,
                "sha256": w.sha256,
                "step": w.inputs.key,
                **({"isolation": w.isolation} if w.isolation else {}),
            }
            for w in image.wheels
        ],
    }


def steps_of(image: BuiltImage) -> Iterable[StepInputs]:
    """Yield what the parts of an image were made from."""
    yield image.inputs
    for one in image.platforms:
        yield one.manifest.inputs
        yield from (layer.inputs for layer in one.layers)
        yield from (wheel.inputs for wheel in one.wheels)


def report(image: BuiltImage) -> dict[str, Any]:
    """Return the report that stands beside an image as `<name>.json`.

    `steps` says in full what each part was made from, once for all parts that name it as their `step`;
    `slim-explain` compares it with that of another build.
    """
    return {
        "schema": REPORT_SCHEMA,
        "target": str(image.address),
        "digest": image.index_digest,
        "step": image.inputs.key,
        "fields": json.loads(image.fields),
        "platforms": [platform_report(one) for one in image.platforms],
        "steps": {inputs.key: inputs.fields() for inputs in steps_of(image) if inputs.key},
    }


def log_lines(image: BuiltImage, shared: frozenset[str]) -> tuple[str, ...]:
    """Return what `package` logs of an image: digest, size, layers, and bytes it shares."""
    lines = [f"  index {image.index_digest}"]
    for one in image.platforms:
        size = sum(layer.size for layer in one.layers)
        unpacked = sum(layer.unpacked_size for layer in one.layers)
        common = sum(layer.size for layer in one.layers if layer.digest in shared)
        lines.append(
            f"  {one.platform}: {mebibytes(size)} compressed, {mebibytes(unpacked)} unpacked, "
            f"{len(one.layers)} layers, {mebibytes(common)} shared with other images"
        )
    notes = {note: None for one in image.platforms for note in one.notes}
    return (*lines, *(f"  note: {note}" for note in notes))


async def _layout(layout: Digest, output: str, *, shared: bool) -> Digest:
    """Return the layout of an image below `dist`."""
    if not shared:
        return await engine.add_prefix(layout, output)
    return await engine.create_entries(shared_layout(await engine.entries(layout), output))


async def _archives(
    image: BuiltImage, layout: Digest, field_set: SlimImageFieldSet, output: str
) -> tuple[Digest, tuple[str, ...]]:
    """Return the archives of an image and their paths below `dist`."""
    output_format = field_set.output_format.value or "oci-layout"
    folder, name = os.path.split(output)
    several = output_format == "docker-archive" and len(image.platforms) > 1
    chosen = [one.platform for one in image.platforms] if output_format == "docker-archive" else [None]
    requests = [
        ArchiveRequest(
            layout=layout,
            format=output_format,
            references=archive_references(field_set.names(), image.index_digest),
            platform=platform,
            filename=f"{name}-{slug(platform)}.tar" if several and platform else f"{name}.tar",
            # A docker-archive holds such layers unpacked; an OCI archive takes them as they are.
            zstd=any(
                layer.zstd for one in image.platforms for layer in one.layers if one.platform == platform
            ),
        )
        for platform in chosen
    ]
    packed = await concurrently(pack(one, **implicitly()) for one in requests)
    merged = await engine.merge(one.digest for one in packed)
    paths = tuple(os.path.join(folder, request.filename) for request in requests)
    return await engine.add_prefix(merged, folder), paths


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
        if SlimImageFieldSet.is_applicable(target)
    }
    return ImageRelations(FrozenDict({address: resolved(images, address) for address in images}))


async def _shared_layers(image: BuiltImage, relations: ImageRelations) -> frozenset[str]:
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


@rule(desc="Package an image")
async def package_image(
    field_set: SlimImageFieldSet, relations: ImageRelations, options: SlimImageOptions
) -> BuiltPackage:
    output = output_of(field_set.output_path)
    image = await build_image(BuiltImageRequest(field_set.address), **implicitly())
    text = json.dumps(report(image), indent=2, sort_keys=True).encode() + b"\n"
    attested = await attest(AttestationsRequest(field_set.address), **implicitly())
    said = attested.files(f"{output}.attestations")
    beside = await engine.create_files({f"{output}.json": text, **said})
    lines = log_lines(image, await _shared_layers(image, relations))
    paths: tuple[str, ...]
    if field_set.output_format.value == "docker-image":
        names = archive_references(field_set.names(), image.index_digest)
        loaded = await load_image(LoadImageRequest(field_set.address, names), **implicitly())
        # What `docker_image` answers with: another one then finds it by its address in the Dockerfile.
        artifact = BuiltDockerImage.create(loaded.image_id, names, f"{output}.json")
        more = replace(artifact, extra_log_lines=(*artifact.extra_log_lines, *lines))
        return BuiltPackage(beside, (more,))
    layout = await complete_layout(image)
    if field_set.output_format.value == "oci-layout":
        content, paths = await _layout(layout, output, shared=options.shared_blobs), (output,)
    else:
        content, paths = await _archives(image, layout, field_set, output)
    artifacts = [BuiltPackageArtifact(path) for path in paths[:-1]]
    artifacts.append(BuiltPackageArtifact(paths[-1], extra_log_lines=lines))
    artifacts += map(BuiltPackageArtifact, [f"{output}.json", *([f"{output}.attestations"] if said else [])])
    return BuiltPackage(await engine.merge((content, beside)), tuple(artifacts))


@rule(desc="Package a wheel set")
async def package_wheel_set(field_set: WheelSetFieldSet, python_setup: PythonSetup) -> BuiltPackage:
    output = output_of(field_set.output_path)
    target = await engine.target(field_set.address, "a wheel set to package")
    assert field_set.base.value is not None
    base_address = await one_address(field_set.base.value, field_set.address, BaseField.alias)
    targets = await dependency_targets(field_set.dependencies, (base_address,))
    requirements = requirements_of(targets, field_set.address, python_setup)
    no_binary, only_binary = binary_choices(target, requirements.resolve, python_setup)
    platforms = await platforms_of(target, base_address)
    found = await concurrently(
        read_base(BaseRequest(base_address, platform, origin=str(field_set.address)), **implicitly())
        for platform in platforms
    )
    bases = tuple(read.base for read in found)
    sets = await concurrently(
        make_wheel_set(
            WheelSetRequest(
                requirements.roots, requirements.lockfile, requirements.resolve, base, no_binary, only_binary
            ),
            **implicitly(),
        )
        for base in bases
    )
    folders = []
    lines = []
    for platform, wheel_set in zip(platforms, sets):
        wheels = await engine.merge(wheel.digest for wheel in wheel_set.wheels)
        folders.append(await engine.add_prefix(wheels, os.path.join(output, slug(platform))))
        size = sum(wheel.size for wheel in wheel_set.wheels)
        lines.append(f"  {platform}: {len(wheel_set.wheels)} wheels, {mebibytes(size)}")
    return BuiltPackage(
        await engine.merge(folders), (BuiltPackageArtifact(output, extra_log_lines=tuple(lines)),)
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (
        *collect_rules(),
        UnionRule(PackageFieldSet, SlimImageFieldSet),
        UnionRule(PackageFieldSet, WheelSetFieldSet),
    )
