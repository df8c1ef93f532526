"""Files at absolute places of an image, and what its dependencies have that no image can hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Iterable, Sequence

from pants.backend.python.subsystems.setuptools import PythonDistributionFieldSet
from pants.backend.python.target_types import InterpreterConstraintsField, PythonSourceField
from pants.core.goals.package import PackageFieldSet
from pants.core.target_types import FileSourceField, ResourceSourceField
from pants.core.util_rules.source_files import SourceFilesRequest, determine_source_files
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import Digest, FileEntry
from pants.engine.internals.graph import transitive_targets
from pants.engine.target import SourcesField, Target, TransitiveTargetsRequest
from pants.engine.unions import UnionMembership

from slim_python_image import engine
from slim_python_image.base_target import BaseLockfileField
from slim_python_image.by_name import implicitly
from slim_python_image.content_fields import FilesAtField
from slim_python_image.products import SlimImageError, canonical_json
from slim_python_image.util_rules.start import PREFIX

_SOURCES = (FileSourceField, ResourceSourceField, PythonSourceField)
# A base's lock is what an image is made on.
_TAKEN = (FileSourceField, ResourceSourceField, InterpreterConstraintsField, BaseLockfileField)


@dataclass(frozen=True)
class PlacedFiles:
    """Files at absolute places.

    :param files: by a name of their own.
    :param places: JSON of the rows that the core's `source-layer` takes.
    """

    files: Digest
    places: str


async def named_targets(field: FilesAtField) -> tuple[Address, ...]:
    """Return the addresses that the field `files_at` names."""
    texts = [text for _, addresses, _ in field.places() for text in addresses]
    return tuple(await _addresses(texts, field)) if texts else ()


async def _addresses(texts: Iterable[str], field: FilesAtField) -> Iterable[Address]:
    return await engine.addresses(
        UnparsedAddressInputs(
            texts,
            owning_address=field.address,
            description_of_origin=f"the field `{field.alias}` of {field.address}",
        )
    )


def _below(path: str, address: Address) -> str:
    """Return a path from the folder of its target; one that is elsewhere stays as it is."""
    folder = f"{address.spec_path}/" if address.spec_path else ""
    return path[len(folder) :] if path.startswith(folder) else path


async def _files_of(addresses: Iterable[Address]) -> tuple[tuple[str, FileEntry], ...]:
    """Return the files of targets, each with its path from the folder of its target."""
    wanted = set(addresses)
    reached = await transitive_targets(TransitiveTargetsRequest(sorted(wanted)), **implicitly())
    found: list[tuple[str, FileEntry]] = []
    for target in reached.closure:
        address = target.address
        if not wanted & {address, address.maybe_convert_to_target_generator()}:
            continue
        if not target.has_field(SourcesField):
            continue
        sources = await determine_source_files(
            SourceFilesRequest(
                (target[SourcesField],),
                for_sources_types=(FileSourceField, ResourceSourceField),
                enable_codegen=True,
            )
        )
        for entry in await engine.entries(sources.snapshot.digest):
            assert isinstance(entry, FileEntry)
            found.append((_below(entry.path, address), entry))
    return tuple(found)


async def placed_files(field: FilesAtField, first: str | None) -> PlacedFiles | None:
    """Return the files of the field `files_at` and the script that is started first; ``None`` for none.

    :raises SlimImageError: a target without a file, or a script that is not there.
    """
    rows: list[dict[str, str]] = []
    entries: list[FileEntry] = []
    for folder, texts, options in field.places():
        files = await _files_of(await _addresses(texts, field))
        if not files:
            raise SlimImageError(
                f"{field.address}: the field `{field.alias}` has no file for {folder}\n"
                "  -> name `file`, `files`, `resource` or `resources` targets"
            )
        for below, entry in files:
            rows.append({"file": str(len(rows)), "path": f"{folder}/{below}", **options})
            entries.append(entry)
    if first is not None:
        found = [one for one in await engine.repository_files(first) if isinstance(one, FileEntry)]
        if not found:
            raise SlimImageError(
                f"{field.address}: the field `start_script` names {first}, which is not there\n"
                "  -> correct the path: it is that from the BUILD file"
            )
        rows.append(
            {"file": str(len(rows)), "path": f"{PREFIX}/bin/{os.path.basename(first)}", "mode": "0755"}
        )
        entries.extend(found)
    if not rows:
        return None
    named = (
        FileEntry(row["file"], entry.file_digest, entry.is_executable) for row, entry in zip(rows, entries)
    )
    return PlacedFiles(await engine.create_entries(named), canonical_json(rows).decode())


def _packaged(target: Target, union_membership: UnionMembership) -> bool:
    return any(one.is_applicable(target) for one in union_membership.get(PackageFieldSet))


def _is_taken(target: Target, union_membership: UnionMembership) -> bool:
    """Whether an image has what a target is: code, files, requirements, a distribution, what runs code."""
    if PythonDistributionFieldSet.is_applicable(target) or any(target.has_field(one) for one in _TAKEN):
        return True
    if target.has_field(SourcesField):
        field = target[SourcesField]
        return any(field.can_generate(one, union_membership) for one in _SOURCES)
    return not _packaged(target, union_membership)


def check_taken(owner: Address, targets: Sequence[Target], union_membership: UnionMembership) -> None:
    """Check that nothing among an image's dependencies would be left out in silence.

    :raises SlimImageError: naming what an image cannot hold.
    """
    # What a generator makes is among the targets too; helpers of Pants have a name that starts with a line.
    generators = {
        one.address.maybe_convert_to_target_generator() for one in targets if one.address.is_generated_target
    }
    left = [
        one
        for one in targets
        if one.address not in generators
        and not one.alias.startswith("_")
        and not _is_taken(one, union_membership)
    ]
    if left:
        left.sort(key=lambda one: one.address)
        lines = "".join(f"\n  {one.address} is a `{one.alias}`" for one in left[:8])
        more = f"\n  and {len(left) - 8} more" if len(left) > 8 else ""
        raise SlimImageError(
            f"{owner}: its dependencies have targets of which nothing would be in the image{lines}{more}\n"
            f"  -> name their files in a `files` or `resources` target, or leave them out: "
            f"!!{left[0].address}"
        )
