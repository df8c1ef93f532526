"""The content of an image's own files: code, loose files, distributions, files at absolute places.

It is apart from the image's definition, because it is what an edit changes: what follows from the definition
alone, such as the wheels and their layers, is not looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence

from pants.backend.python.subsystems.setuptools import PythonDistributionFieldSet
from pants.backend.python.util_rules.local_dists import isolate_local_dist_wheels
from pants.backend.python.util_rules.python_sources import PythonSourceFilesRequest, strip_python_sources
from pants.core.target_types import FileSourceField
from pants.core.util_rules.source_files import SourceFilesRequest, determine_source_files
from pants.engine.addresses import Address
from pants.engine.fs import Digest, FileEntry
from pants.engine.target import SourcesField, Target

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.content_fields import FilesAtField
from slim_python_image.products import Wheel
from slim_python_image.util_rules.image_definition import (
    ImageDefinition,
    ImageDefinitionRequest,
    content_targets,
    read_image,
)
from slim_python_image.util_rules.placed import PlacedFiles, placed_files


@dataclass(frozen=True)
class FirstParty:
    """First-party code of an image: stripped sources, files, and wheels of distributions."""

    sources: Digest
    files: Digest
    wheels: tuple[Wheel, ...]


@dataclass(frozen=True)
class ImageContent:
    """The content of an image's own files.

    :param sources: of Python and its resources, without their source roots.
    :param files: what goes to the working folder as it is.
    :param local_wheels: of this repository's distributions.
    :param placed: files at absolute places.
    """

    sources: Digest
    files: Digest
    local_wheels: tuple[Wheel, ...] = ()
    placed: PlacedFiles | None = None


@dataclass(frozen=True)
class ImageContentRequest:
    """Read the content of an image target's own files."""

    address: Address


async def first_party(targets: tuple[Target, ...]) -> FirstParty:
    """Return the first-party code among ``targets``."""
    dists = [t for t in targets if PythonDistributionFieldSet.is_applicable(t)]
    local = await concurrently(
        isolate_local_dist_wheels(PythonDistributionFieldSet.create(t), **implicitly()) for t in dists
    )
    provided = frozenset(path for one in local for path in one.provided_files)
    wheels: list[Wheel] = []
    for one in local:
        for entry in await engine.entries(one.wheels_digest):
            assert isinstance(entry, FileEntry)
            filename = entry.path.rsplit("/", 1)[-1]
            name, version = filename.split("-")[:2]
            digest = await engine.create_entries([FileEntry(filename, entry.file_digest)])
            size = entry.file_digest.serialized_bytes_length
            wheels.append(Wheel(name, version, filename, size, entry.file_digest.fingerprint, digest))
    stripped = await strip_python_sources(
        **implicitly(PythonSourceFilesRequest(targets, include_resources=True, include_files=False))
    )
    sources = stripped.stripped_source_files.snapshot.digest
    if provided:
        kept = [e for e in await engine.entries(sources) if e.path not in provided]
        sources = await engine.create_entries(e for e in kept if isinstance(e, FileEntry))
    files = await determine_source_files(
        SourceFilesRequest(
            (t[SourcesField] for t in targets if t.has_field(SourcesField)),
            for_sources_types=(FileSourceField,),
            enable_codegen=True,
        )
    )
    return FirstParty(sources, files.snapshot.digest, tuple(sorted(wheels)))


@rule(desc="Read the files of an image target")
async def read_content(request: ImageContentRequest) -> ImageContent:
    parts = await read_image(ImageDefinitionRequest(request.address), **implicitly())
    target = await engine.target(request.address, "an image to package")
    own = await first_party(await content_targets(target, parts.base, parts.extends))
    placed = await placed_files(target[FilesAtField], parts.start_script)
    return ImageContent(own.sources, own.files, own.wheels, placed)


async def contents_of(line: Iterable[ImageDefinition]) -> Sequence[ImageContent]:
    """Return the content of images."""
    return await concurrently(read_content(ImageContentRequest(one.address), **implicitly()) for one in line)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
