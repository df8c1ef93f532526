"""The names under which an image is published: Pants's own rules for `docker_image`, applied to ours."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Iterable, get_type_hints

from pants.backend.docker.goals.package_image import DockerPackageFieldSet, ImageRefRegistry
from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.backend.docker.target_types import (
    DockerImageRegistriesField,
    DockerImageRepositoryField,
    DockerImageTagsField,
)
from pants.core.goals.publish import PublishPackages
from pants.engine.addresses import Address
from pants.util.value_interpolation import InterpolationContext, InterpolationError

from ociwheel.digest import Digest
from slim_python_image.products import SlimImageError
from slim_python_image.target_types import (
    ImageTagsField,
    RegistriesField,
    RepositoryField,
    SkipPushField,
    SlimPythonImageTarget,
)
from slim_python_image.wheel_set_target import BaseField


@dataclass(frozen=True)
class ImageNames:
    """What a target says of its names."""

    address: Address
    registries: RegistriesField
    repository: RepositoryField
    image_tags: ImageTagsField
    base: BaseField


@dataclass(frozen=True)
class Destination:
    """A repository of one registry, and the references of an image there.

    :param skipped: why nothing is sent there, ``None`` where something is.
    """

    references: tuple[str, ...]
    skipped: str | None = None

    @property
    def repository(self) -> str:
        """Registry and repository, without a tag."""
        return self.references[0].rpartition(":")[0]


def _context(names: ImageNames, digest: str) -> InterpolationContext:
    base = (names.base.value or "").rpartition(":")[2]
    return InterpolationContext.from_dict(
        {
            "build_args": {},
            "pants": {"hash": Digest(digest).hex},
            "tags": {"baseimage": base, "stage0": base},
        }
    )


def _field_set(names: ImageNames) -> DockerPackageFieldSet:
    """Return the field set of a `docker_image` with these names."""
    address = names.address
    given: dict[str, Any] = {
        "address": address,
        "registries": DockerImageRegistriesField(names.registries.value, address),
        "repository": DockerImageRepositoryField(names.repository.value, address),
        "tags": DockerImageTagsField(names.image_tags.value, address),
    }
    # The others have nothing to do with names, and each version of Pants has more of them.
    types = get_type_hints(DockerPackageFieldSet)
    others = (one.name for one in fields(DockerPackageFieldSet) if one.name not in given)
    return DockerPackageFieldSet(**given, **{name: types[name](None, address) for name in others})


def _references(names: ImageNames, digest: str, options: DockerOptions) -> tuple[ImageRefRegistry, ...]:
    try:
        return tuple(
            _field_set(names).image_refs(
                default_repository=options.default_repository,
                registries=options.registries(),
                interpolation_context=_context(names, digest),
            )
        )
    except InterpolationError as e:
        text = str(e).replace("`docker_image`", f"`{SlimPythonImageTarget.alias}`")
        raise SlimImageError(f"{names.address}: {text}") from e


def destinations(names: ImageNames, digest: str, options: DockerOptions) -> tuple[Destination, ...]:
    """Return where an image is published.

    :param digest: of the image index, for the placeholder `{pants.hash}`.
    :raises SlimImageError: a placeholder is unknown.
    """
    found = []
    for one in _references(names, digest, options):
        pushed = tuple(dict.fromkeys(tag.full_name for tag in one.tags if not tag.uses_local_alias))
        local = tuple(dict.fromkeys(tag.full_name for tag in one.tags if tag.uses_local_alias))
        alias = one.registry.alias if one.registry else ""
        skipped = one.registry is not None and one.registry.skip_push
        if pushed:
            found.append(Destination(pushed, f"(by `skip_push` on registry @{alias})" if skipped else None))
        if local:
            found.append(Destination(local, f"(by `use_local_alias` on registry @{alias})"))
    if not any(destination.skipped is None or "skip_push" in destination.skipped for destination in found):
        raise SlimImageError(
            f"{names.address}: the field `image_tags` is empty, so nothing can be published\n"
            "  -> name a tag, or leave the field out for `latest`"
        )
    return tuple(found)


def skipped_by_field(
    skip_push: bool, names: ImageNames, found: Iterable[Destination]
) -> PublishPackages | None:
    """Return what an image is not published as because of its own field, ``None`` where it is published."""
    if not skip_push:
        return None
    references = tuple(reference for destination in found for reference in destination.references)
    return PublishPackages(references, description=f"(by `{SkipPushField.alias}` on {names.address})")


def archive_references(names: ImageNames, digest: str) -> tuple[str, ...]:
    """Return the names that an archive gives an image, which is in no registry yet."""
    address = names.address
    default = "/".join(part for part in (address.spec_path, address.target_name) if part).lower()
    context = _context(names, digest)
    field_set = _field_set(names)
    try:
        name = field_set.format_repository(default, context) if names.repository.value else default
        return tuple(
            f"{name}:{field_set.format_tag(tag, context)}" for tag in names.image_tags.value or ("latest",)
        )
    except InterpolationError as e:
        text = str(e).replace("`docker_image`", f"`{SlimPythonImageTarget.alias}`")
        raise SlimImageError(f"{address}: {text}") from e
