"""Pants's own rules, as several rooms of this backend call them: files, processes, targets."""

from __future__ import annotations

from typing import Iterable, Mapping

from pants.core.util_rules.env_vars import environment_vars_subset
from pants.engine import intrinsics  # type: ignore[attr-defined] # 2.17 has none, see pants217.py
from pants.engine.addresses import Address, Addresses, UnparsedAddressInputs
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.fs import (
    EMPTY_DIGEST,
    AddPrefix,
    CreateDigest,
    Digest,
    DigestEntries,
    DigestSubset,
    FileContent,
    FileEntry,
    MergeDigests,
    PathGlobs,
    RemovePrefix,
    Snapshot,
    SymlinkEntry,
)
from pants.engine.internals.graph import (
    resolve_target,
    resolve_targets,
    resolve_unparsed_address_inputs,
)
from pants.engine.process import FallibleProcessResult, Process, ProcessExecutionEnvironment
from pants.engine.target import Target, Targets, WrappedTargetRequest

from slim_python_image.by_name import implicitly

# --- files ------------------------------------------------------------------------------------------


async def create_files(files: Mapping[str, bytes]) -> Digest:
    """Return a digest of files by path."""
    contents = [FileContent(path, data) for path, data in sorted(files.items())]
    return await intrinsics.create_digest(CreateDigest(contents))


async def create_entries(entries: Iterable[FileEntry | SymlinkEntry]) -> Digest:
    """Return a digest of files that the store already has."""
    return await intrinsics.create_digest(CreateDigest(list(entries)))


async def merge(digests: Iterable[Digest]) -> Digest:
    """Return the union of several digests."""
    return await intrinsics.merge_digests(MergeDigests(digests))


async def add_prefix(digest: Digest, prefix: str) -> Digest:
    """Return ``digest`` below a folder."""
    return await intrinsics.add_prefix(AddPrefix(digest, prefix))


async def remove_prefix(digest: Digest, prefix: str) -> Digest:
    """Return what ``digest`` has below a folder."""
    return await intrinsics.remove_prefix(RemovePrefix(digest, prefix))


async def subset(digest: Digest, *globs: str) -> Digest:
    """Return the files of ``digest`` that match."""
    return await intrinsics.digest_subset_to_digest(DigestSubset(digest, PathGlobs(globs)))


async def snapshot(digest: Digest) -> Snapshot:
    """Return the names of the files of ``digest``."""
    return await intrinsics.digest_to_snapshot(digest)


async def entries(digest: Digest) -> DigestEntries:
    """Return the files of ``digest`` by path and content digest, without their bytes."""
    return await intrinsics.get_digest_entries(digest)


async def contents(digest: Digest) -> dict[str, bytes]:
    """Return the bytes of the files of ``digest`` by path."""
    return {one.path: one.content for one in await intrinsics.get_digest_contents(digest)}


async def read_path(path: str) -> bytes | None:
    """Return the bytes of a file of the repository, ``None`` where there is none."""
    digest = await intrinsics.path_globs_to_digest(PathGlobs([path]))
    found = await intrinsics.get_digest_contents(digest)
    return found[0].content if found else None


async def repository_files(*globs: str) -> DigestEntries:
    """Return the files of the repository that match, without their bytes; those that Pants ignores do not."""
    return await entries(await intrinsics.path_globs_to_digest(PathGlobs(globs)))


async def repository_folder(folder: str) -> Digest:
    """Return a folder of the repository as a tree; empty where there is none."""
    found = await intrinsics.path_globs_to_digest(PathGlobs([f"{folder}/**"]))
    return found if found == EMPTY_DIGEST else await remove_prefix(found, folder)


async def environment(names: Iterable[str]) -> EnvironmentVars:
    """Return the variables of the user's environment that are set."""
    return await environment_vars_subset(EnvironmentVarsRequest(tuple(names)), **implicitly())


async def run_process(process: Process, where: ProcessExecutionEnvironment) -> FallibleProcessResult:
    """Run a process; failing is an answer too."""
    return await intrinsics.execute_process(process, where)


# --- targets ----------------------------------------------------------------------------------------


async def addresses(inputs: UnparsedAddressInputs) -> Addresses:
    """Return the addresses that a field names."""
    return await resolve_unparsed_address_inputs(inputs, **implicitly())


async def target(address: Address, origin: str) -> Target:
    """Return the target of an address."""
    request = WrappedTargetRequest(address, description_of_origin=origin)
    return (await resolve_target(request, **implicitly())).target


async def generated_targets(found: Addresses) -> Targets:
    """Return the targets of addresses; in the place of a target generator, what it generates."""
    return await resolve_targets(**implicitly({found: Addresses}))
