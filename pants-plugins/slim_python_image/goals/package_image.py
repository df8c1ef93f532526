"""`pants package` of images and wheel sets."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass, replace
from typing import Any, Iterable, cast

from pants.backend.docker.package_types import BuiltDockerImage
from pants.backend.python.subsystems.setup import PythonSetup
from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, OutputPathField, PackageFieldSet
from pants.engine.addresses import Address
from pants.engine.fs import Digest, FileEntry
from pants.engine.target import Target
from pants.engine.unions import UnionRule

from ociwheel.sbom.compose import encode
from slim_python_image import engine
from slim_python_image.bases import BaseRequest
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule, uncacheable_rule
from slim_python_image.goals.dist import (
    DistFolder,
    LayoutRequest,
    PlacedLayout,
    ReplacedRequest,
    TakenIn,
    check_place,
    place_layout,
    wanted_files,
)
from slim_python_image.goals.dist_folder import BESIDE
from slim_python_image.goals.relations import ImageRelations, shared_layers
from slim_python_image.goals.shared_blobs import shared_layout
from slim_python_image.layer_fields import SizeBudgetField
from slim_python_image.products import SlimImageError, StepInputs
from slim_python_image.sizes import mebibytes
from slim_python_image.start_fields import EntryPointField
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import (
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
from slim_python_image.util_rules.declared_python import check_declared, declared
from slim_python_image.util_rules.docker_engine import LoadImageRequest, load_image
from slim_python_image.util_rules.image import (
    BuiltImage,
    BuiltImageRequest,
    PlatformImage,
    build_image,
    complete_layout,
)
from slim_python_image.util_rules.image_definition import platforms_of
from slim_python_image.util_rules.references import ImageNames, archive_references
from slim_python_image.util_rules.requirements import binary_choices, dependency_targets, requirements_of
from slim_python_image.util_rules.size_budget import check_budget
from slim_python_image.util_rules.wheels import WheelSetRequest, make_wheel_set
from slim_python_image.wheel_set_target import BaseField, WheelSetDependenciesField

logger = logging.getLogger(__name__)

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
    size_budget: SizeBudgetField

    def names(self) -> ImageNames:
        """Return what decides the image's names."""
        return ImageNames(self.address, self.registries, self.repository, self.image_tags, self.base)


def images_among(targets: Iterable[Target]) -> tuple[SlimImageFieldSet, ...]:
    """Return the images among the targets that a goal was given, by address; with none, say so."""
    chosen = sorted(
        (one for one in targets if SlimImageFieldSet.is_applicable(one)), key=lambda one: one.address
    )
    if not chosen:
        logger.warning("No `slim_python_image` target is among those given. Use `::` for all of them.")
    return tuple(SlimImageFieldSet.create(one) for one in chosen)


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
class ReportRequest:
    """What `package` says of an image."""

    address: Address


@dataclass(frozen=True)
class ImageReport:
    """What is written beside an image, and what is logged of it.

    :param beside: files whose paths begin with :data:`BESIDE` where people see the image's own.
    :param suffixes: what people see after the image's path: of the report, of a folder of attestations.
    """

    beside: Digest
    suffixes: tuple[str, ...]
    lines: tuple[str, ...]

    def artifacts(self, output: str) -> tuple[BuiltPackageArtifact, ...]:
        """Return what Pants clears and names beside an image."""
        return tuple(BuiltPackageArtifact(f"{output}{one}") for one in self.suffixes)


@rule(desc="Report on an image")
async def report_image(request: ReportRequest, relations: ImageRelations) -> ImageReport:
    image = await build_image(BuiltImageRequest(request.address), **implicitly())
    text = encode(report(image))
    attested = await attest(AttestationsRequest(request.address), **implicitly())
    said = attested.files(f"{BESIDE}.attestations")
    beside = await engine.create_files({f"{BESIDE}.json": text, **said})
    lines = log_lines(image, await shared_layers(image, relations))
    return ImageReport(beside, (".json", *([".attestations"] if said else [])), lines)


async def _beside(said: ImageReport, output: str) -> Digest:
    """Return the files beside an image below `dist`."""
    found = [one for one in await engine.entries(said.beside) if isinstance(one, FileEntry)]
    return await engine.create_entries(
        FileEntry(f"{output}{one.path[len(BESIDE) :]}", one.file_digest) for one in found
    )


@uncacheable_rule(desc="Look at an image in dist")
async def look_at_layout(request: LayoutRequest, taken_in: TakenIn, dist: DistFolder) -> PlacedLayout:
    # Pants checks at once all that a rule needed the last time, and stops at the first that is another: what
    # it has not come to then runs anew. What was written before makes `dist` another, so that comes last:
    # after the report, and with it the image.
    await report_image(ReportRequest(request.address), **implicitly())
    return await place_layout(request, taken_in, dist)


async def _package_layout(
    field_set: SlimImageFieldSet, output: str, layout: Digest, said: ImageReport, *, shared: bool
) -> BuiltPackage:
    """Return the package of an image as a layout."""
    digests = (layout, said.beside)
    request = LayoutRequest(field_set.address, output, shared, digests, await wanted_files(digests))
    placed = await look_at_layout(request, **implicitly())
    if placed.staged is not None:
        others = (placed.staged.wrote(suffix) for suffix in said.suffixes)
        lines = cast("tuple[str, ...]", (placed.staged, *said.lines, *placed.lines, *others))
        # Without a path: what is there stays until what is new can take its place. One for all that was
        # written: each is a record of the log, which costs as much as a look at some files.
        return BuiltPackage(placed.digest, (BuiltPackageArtifact(None, lines),))
    content = await _layout(layout, output, shared=shared)
    artifacts = (BuiltPackageArtifact(output, said.lines), *said.artifacts(output))
    return BuiltPackage(await engine.merge((content, await _beside(said, output))), artifacts)


@rule(desc="Package an image")
async def package_image(
    field_set: SlimImageFieldSet, options: SlimImageOptions, taken_in: TakenIn
) -> BuiltPackage:
    output = output_of(field_set.output_path)
    taken_in.check_alone(output)
    image = await build_image(BuiltImageRequest(field_set.address), **implicitly())
    await check_budget(image, field_set.size_budget.budgets, options.size_baseline)
    said = await report_image(ReportRequest(field_set.address), **implicitly())
    if field_set.output_format.value == "docker-image":
        replaced = ReplacedRequest((f"{output}.json",), image=output, beside=said.beside)
        await check_place(replaced, **implicitly())
        names = archive_references(field_set.names(), image.index_digest)
        loaded = await load_image(LoadImageRequest(field_set.address, names), **implicitly())
        # What `docker_image` answers with: another one then finds it by its address in the Dockerfile.
        artifact = BuiltDockerImage.create(loaded.image_id, names, f"{output}.json")
        more = replace(artifact, extra_log_lines=(*artifact.extra_log_lines, *said.lines))
        return BuiltPackage(await _beside(said, output), (more,))
    layout = await complete_layout(image)
    if field_set.output_format.value == "oci-layout":
        return await _package_layout(field_set, output, layout, said, shared=options.shared_blobs)
    content, paths = await _archives(image, layout, field_set, output)
    replaced = ReplacedRequest((*paths, f"{output}.json"), image=output, beside=said.beside)
    await check_place(replaced, **implicitly())
    artifacts = [BuiltPackageArtifact(path) for path in paths[:-1]]
    artifacts.append(BuiltPackageArtifact(paths[-1], extra_log_lines=said.lines))
    artifacts += said.artifacts(output)
    return BuiltPackage(await engine.merge((content, await _beside(said, output))), tuple(artifacts))


@rule(desc="Package a wheel set")
async def package_wheel_set(field_set: WheelSetFieldSet, python_setup: PythonSetup) -> BuiltPackage:
    output = output_of(field_set.output_path)
    target = await engine.target(field_set.address, "a wheel set to package")
    assert field_set.base.value is not None
    base_address = await one_address(field_set.base.value, field_set.address, BaseField.alias)
    targets = await dependency_targets(field_set.dependencies, (base_address,))
    wanted = requirements_of(targets, field_set.address, python_setup)
    no_binary, only_binary = binary_choices(target, wanted.resolve, python_setup)
    platforms = await platforms_of(target, base_address)
    found = await concurrently(
        read_base(BaseRequest(base_address, platform, origin=str(field_set.address)), **implicitly())
        for platform in platforms
    )
    bases = tuple(read.base for read in found)
    check_declared(declared(targets, wanted.resolve, python_setup), bases, field_set.address, base_address)
    sets = await concurrently(
        make_wheel_set(
            WheelSetRequest(wanted.roots, wanted.lockfile, wanted.resolve, base, no_binary, only_binary),
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
    lines += {f"  note: {note}": None for wheel_set in sets for note in wheel_set.notes}
    await check_place(ReplacedRequest((output,), ".whl"), **implicitly())
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
