"""What is said of an image beside it: SBOMs of its platforms, and the provenance of all.

Composed in Pants's own process from the locks and from what layer steps noted of the packages in them: an
edit of a source starts nothing more for them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Iterable, Mapping

from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest, FileEntry
from pants.version import VERSION

from ociwheel.errors import OciwheelError
from ociwheel.sbom.compose import VERSION as VERSION_OF_CORE
from ociwheel.sbom.compose import (
    Draft,
    Inventory,
    draft,
    encode,
    inventory,
    material,
    materials,
    provenance,
    source,
)
from slim_python_image import engine
from slim_python_image.bases import Base, DebianBase, DebPackage, DebPackages
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Artifact, SlimImageError, Wheel
from slim_python_image.remedies import render_fault
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.build_pins import build_lock_path
from slim_python_image.util_rules.build_wheel import BuildWheelRequest
from slim_python_image.util_rules.compiler import compiler_wheel
from slim_python_image.util_rules.core import CoreSources
from slim_python_image.util_rules.image import BuiltImage, BuiltImageRequest, PlatformImage, build_image
from slim_python_image.util_rules.image_content import ImageContent, contents_of
from slim_python_image.util_rules.image_definition import ImageDefinition, ImageDefinitionRequest, read_image
from slim_python_image.util_rules.image_layers import ancestors_of, image_wheels
from slim_python_image.util_rules.locks import normalized, requirement_name
from slim_python_image.util_rules.plans import WheelPlan
from slim_python_image.util_rules.wheels import Builds, WheelSetRequest, builds_of, make_wheel_set

SPDX, CYCLONEDX, PROVENANCE = "spdx", "cyclonedx", "provenance"
MEDIA_TYPES = {
    SPDX: "application/spdx+json",
    CYCLONEDX: "application/vnd.cyclonedx+json",
    PROVENANCE: "application/vnd.in-toto+json",
}
# Names that cosign has for them: `--type spdxjson`, `cyclonedx` and `slsaprovenance1`.
PREDICATE_TYPES = {
    SPDX: "https://spdx.dev/Document",
    CYCLONEDX: "https://cyclonedx.org/bom",
    PROVENANCE: "https://slsa.dev/provenance/v1",
}
_SUFFIXES = {SPDX: "spdx.json", CYCLONEDX: "cdx.json"}
_PROVENANCE_FILE = "provenance.json"
BUILD_TYPE = "urn:slim-python-image:package:1"
_TOOL = "slim-python-image"


@dataclass(frozen=True)
class AttestationsRequest:
    """Say of an image what `[slim-image].attestations` asks for."""

    address: Address


@dataclass(frozen=True)
class Attestation:
    """One document.

    :param platform: of the image that it is about; `None` for the index of all.
    :param name: of its file.
    """

    kind: str
    platform: str | None
    name: str
    data: bytes

    @property
    def media_type(self) -> str:
        """What registries call it."""
        return MEDIA_TYPES[self.kind]

    @property
    def predicate_type(self) -> str:
        """What a signed statement with it is called."""
        return PREDICATE_TYPES[self.kind]


@dataclass(frozen=True)
class Attestations:
    """All documents of an image."""

    items: tuple[Attestation, ...]

    def files(self, folder: str) -> dict[str, bytes]:
        """Return them by path below a folder."""
        return {f"{folder}/{one.name}": one.data for one in self.items}


def slug(platform: str) -> str:
    """Return a platform as one path component."""
    return platform.replace("/", "-")


def is_document(name: str) -> bool:
    """Tell whether a file in the folder of an image's attestations has the name of one."""
    return name == _PROVENANCE_FILE or name.endswith(tuple(f".{suffix}" for suffix in _SUFFIXES.values()))


def asked(options: SlimImageOptions) -> tuple[str, ...]:
    """Return the kinds of documents that are asked for.

    :raises SlimImageError: one that is not known.
    """
    unknown = sorted(set(options.attestations) - set(MEDIA_TYPES))
    if unknown:
        raise SlimImageError(
            f"[slim-image].attestations has {', '.join(map(repr, unknown))}\n"
            f"  -> use {', '.join(map(repr, MEDIA_TYPES))}"
        )
    return tuple(kind for kind in MEDIA_TYPES if kind in options.attestations)


def deb_row(package: DebPackage) -> dict[str, str]:
    """Return a locked Debian package as the core's inventory takes it."""
    return {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "path": package.path,
        "sha256": package.sha256,
    }


def wheel_row(artifact: Artifact, required_by: Iterable[str]) -> dict[str, Any]:
    """Return a planned distribution as the core's inventory takes it: with the file that is locked."""
    return {
        "name": artifact.name,
        "version": artifact.version,
        "kind": artifact.kind,
        "filename": artifact.filename,
        "sha256": artifact.sha256,
        "required_by": list(required_by),
        **({"source": json.loads(artifact.source)} if artifact.source else {}),
    }


def own_row(wheel: Wheel) -> dict[str, Any]:
    """Return a wheel of first-party code: nothing of it is locked."""
    return {
        "name": normalized(wheel.name),
        "version": wheel.version,
        "kind": "wheel",
        "filename": wheel.filename,
        "sha256": wheel.sha256,
        "first_party": True,
    }


def _packages(build: BuildWheelRequest) -> Iterable[DebPackage]:
    """Yield the Debian packages of a build: what it compiles against, programs that it calls, its gcc."""
    if isinstance(build.builder, DebPackages):
        yield from build.builder.packages
    if build.programs is not None:
        yield from build.programs.source.packages
        yield from build.programs.libraries.packages if build.programs.libraries else ()
    if build.gcc is not None:
        yield from build.gcc.source.packages


def build_rows(builds: Builds, compiler: Artifact) -> list[dict[str, Any]]:
    """Return what compiles each sdist, as the core's inventory takes it."""

    def row(artifact: Artifact, **more: Any) -> dict[str, Any]:
        return {"name": artifact.name, **more}

    def file(artifact: Artifact) -> dict[str, str]:
        return {key: getattr(artifact, key) for key in ("name", "version", "filename", "sha256")}

    cross = [
        row(
            one.artifact,
            requirements=[file(pin) for pin in one.pins],
            compiler=file(compiler),
            packages=[deb_row(p) for p in _packages(one)],
            crates=[asdict(crate) for crate in one.crates],
        )
        for one in builds.cross
    ]
    return cross + [
        row(
            one.artifact,
            requirements=[file(pin) for pin in one.pins],
            compiler=None,
            packages=[deb_row(p) for p in one.container.packages],
        )
        for one in builds.emulated
    ]


@dataclass(frozen=True)
class HeldRequest:
    """List what one platform of an image holds, and was built from.

    An edit of a source leaves the request as it is.

    :param packages: what the packages in its layers say of themselves, by layer.
    :param local_wheels: of first-party code.
    """

    address: Address
    platform: str
    packages: tuple[Digest, ...]
    local_wheels: tuple[Wheel, ...]


@dataclass(frozen=True)
class Held:
    """What one platform of an image holds, and was built from.

    :param inventory: without the digest of the image.
    :param drafts: of the SBOMs that are asked for.
    """

    inventory: Inventory
    drafts: tuple[Draft, ...]


async def _described(packages: Iterable[Digest]) -> list[dict[str, Any]]:
    """Return what the packages in layers say of themselves."""
    found: list[dict[str, Any]] = []
    for digest in packages:
        for data in (await engine.contents(digest)).values():
            found += json.loads(data)["packages"]
    return found


def inventory_request(
    base: Base,
    wheels: WheelSetRequest,
    plan: WheelPlan,
    local_wheels: Iterable[Wheel],
    builds: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return the core's request of an inventory, without what is known of the layers."""
    planned = zip(plan.artifacts, plan.required_by)
    debian = base if isinstance(base, DebianBase) else None
    packages = debian.packages if debian else ()
    return {
        "tool": {"name": _TOOL, "version": VERSION_OF_CORE},
        "roots": sorted({requirement_name(root.requirement) for root in wheels.roots}),
        "python": [
            *(wheel_row(one.artifact, required_by) for one, required_by in planned),
            *(own_row(wheel) for wheel in local_wheels),
        ],
        "deb": [deb_row(package) for package in packages],
        "builds": builds,
        "base": None if isinstance(base, DebianBase) else {"name": base.name, "digest": base.manifest},
    }


@rule(desc="List what is in an image")
async def list_held(request: HeldRequest, options: SlimImageOptions, core: CoreSources) -> Held:
    parts = await read_image(ImageDefinitionRequest(request.address), **implicitly())
    base = (await read_base(parts.base_on(request.platform), **implicitly())).base
    wheels = image_wheels(parts, await ancestors_of(parts), base)
    plan = (await make_wheel_set(wheels, **implicitly())).plan
    builds = await builds_of(wheels, plan, options)
    rows = (
        build_rows(builds, compiler_wheel(json.loads(core.tools))) if builds.cross or builds.emulated else []
    )
    document = {
        **inventory_request(base, wheels, plan, request.local_wheels, rows),
        "image": {
            "name": str(parts.address),
            "digest": "",
            "platform": request.platform,
            "created": parts.time or 0,
        },
        "described": await _described(request.packages),
    }
    try:
        found = inventory(document)
    except OciwheelError as e:
        raise SlimImageError(f"{parts.address}: {render_fault(json.dumps(e.to_json()))}") from None
    return Held(found, tuple(draft(found, kind) for kind in asked(options) if kind in _SUFFIXES))


async def held_by(parts: ImageDefinition, content: ImageContent, image: PlatformImage) -> Held:
    """Return what one platform of an image holds, and was built from.

    :raises SlimImageError: the layers hold something else than the locks say.
    """
    packages = tuple(layer.packages for layer in image.layers if layer.packages != EMPTY_DIGEST)
    request = HeldRequest(parts.address, image.platform, packages, content.local_wheels)
    return await list_held(request, **implicitly())


async def _first_party(content: ImageContent) -> list[dict[str, Any]]:
    """Return first-party files as materials, by path below their source root, or by their absolute place."""
    entries = (*await engine.entries(content.sources), *await engine.entries(content.files))
    found = [(one.path, one) for one in entries if isinstance(one, FileEntry)]
    if content.placed is not None:
        paths = {row["file"]: row["path"] for row in json.loads(content.placed.places)}
        placed = await engine.entries(content.placed.files)
        found += [(paths[one.path], one) for one in placed if isinstance(one, FileEntry)]
    return [material(f"file:{path}", one.file_digest.fingerprint) for path, one in found]


async def _locks(parts: ImageDefinition) -> list[dict[str, Any]]:
    """Return the lockfiles of an image's requirements as materials."""
    found = []
    if parts.roots:
        for path in (parts.lockfile, build_lock_path(parts.resolve, parts.lockfile)):
            found += [
                material(f"file:{one.path}", one.file_digest.fingerprint)
                for one in await engine.repository_files(path)
                if isinstance(one, FileEntry)
            ]
    return found


async def image_provenance(
    image: BuiltImage,
    parts: ImageDefinition,
    content: ImageContent,
    found: Iterable[Inventory],
    options: SlimImageOptions,
) -> dict[str, Any]:
    """Return the provenance of an image with all its platforms."""
    used = [one for each in found for one in materials(each)]
    used += await _first_party(content)
    used += await _locks(parts)
    if options.provenance_source:
        used.append(source(options.provenance_source))
    digests = [(one.platform, json.loads(one.manifest.descriptor)["digest"]) for one in image.platforms]
    return provenance(
        subjects=[(str(image.address), image.index_digest), *digests],
        build_type=BUILD_TYPE,
        builder=options.provenance_builder,
        versions={"slim-python-image": VERSION_OF_CORE, "pants": VERSION},
        parameters={
            "target": str(image.address),
            "platforms": [one.platform for one in image.platforms],
            "fields": json.loads(image.fields),
        },
        materials=used,
    )


def documents(
    drafts: Iterable[tuple[PlatformImage, Draft]], statement: Mapping[str, Any] | None
) -> tuple[Attestation, ...]:
    """Return the documents of an image.

    :param drafts: of SBOMs, each with what it is about; the statement of provenance comes where there is one.
    """
    items = []
    for image, one in drafts:
        data = one.of(json.loads(image.manifest.descriptor)["digest"])
        name = f"{slug(image.platform)}.{_SUFFIXES[one.kind]}"
        items.append(Attestation(one.kind, image.platform, name, data))
    if statement is not None:
        items.append(Attestation(PROVENANCE, None, _PROVENANCE_FILE, encode(statement)))
    return tuple(items)


@rule(desc="Say what is in an image")
async def attest(request: AttestationsRequest, options: SlimImageOptions) -> Attestations:
    kinds = asked(options)
    if not kinds:
        return Attestations(())
    image = await build_image(BuiltImageRequest(request.address), **implicitly())
    parts = await read_image(ImageDefinitionRequest(request.address), **implicitly())
    (content,) = await contents_of((parts,))
    held = [await held_by(parts, content, one) for one in image.platforms]
    statement = None
    if PROVENANCE in kinds:
        statement = await image_provenance(image, parts, content, [one.inventory for one in held], options)
    drafts = ((image, draft) for image, one in zip(image.platforms, held) for draft in one.drafts)
    return Attestations(documents(drafts, statement))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
