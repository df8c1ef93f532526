"""The bytes of base images: fetched only where something needs them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

from pants.base.build_environment import get_buildroot
from pants.engine.fs import EMPTY_DIGEST, Digest, FileEntry
from pants.option.global_options import GlobalOptions

from ociwheel.digest import Digest as BlobDigest
from slim_python_image import engine
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule, uncacheable_rule
from slim_python_image.files import replace_file
from slim_python_image.products import SlimImageError
from slim_python_image.remedies import names
from slim_python_image.remote_layers import RemoteLayer, RemoteLayers
from slim_python_image.util_rules.machine import CACHE_NAME
from slim_python_image.util_rules.registry_locks import layout_folder
from slim_python_image.util_rules.steps import (
    OUT,
    StepOutcome,
    StepRequest,
    Toolbox,
    failed_step,
    run_step,
    zstd_toolbox,
)

_ORIGINS = "registry-blobs"  # the core's: the folder of the machine's settings with a file per blob
_MOST_ORIGINS = 8


@dataclass(frozen=True)
class BlobOrigins:
    """Which repository has some blobs."""

    digests: tuple[str, ...]
    image_name: str


@dataclass(frozen=True)
class BlobOriginsKnown:
    """The steps that fetch find the repository. Empty: no place is in a key."""


@dataclass(frozen=True)
class BlobRequest:
    """Fetch one blob."""

    layer: RemoteLayer
    image_name: str


@dataclass(frozen=True)
class FetchedBlob:
    """A blob below ``blobs/sha256``, or why there is none."""

    digest: Digest
    failed: StepOutcome | None = None


@dataclass(frozen=True)
class RemoteBlobs:
    """The blobs of an image below ``blobs/sha256``."""

    digest: Digest


def write_origins(folder: Path, request: BlobOrigins) -> None:
    """Write, for each blob, the repositories that may have it: this one first, those of before after it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for digest in request.digests:
        path = folder / BlobDigest(digest).hex
        try:
            before = json.loads(path.read_bytes())
        except (OSError, ValueError):
            before = []
        names = [
            request.image_name,
            *(image_name for image_name in before if image_name != request.image_name),
        ][:_MOST_ORIGINS]
        if names == before:
            continue
        replace_file(path, json.dumps(names).encode())


@uncacheable_rule
async def remember_origins(request: BlobOrigins, global_options: GlobalOptions) -> BlobOriginsKnown:
    write_origins(Path(global_options.named_caches_dir) / CACHE_NAME / _ORIGINS, request)
    return BlobOriginsKnown()


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def unseen(path: str, root: Path) -> StepOutcome:
    """Return why Pants sees no file at a path of the repository, and what to do."""
    file = root / path
    if file.exists() and not file.resolve().is_relative_to(root.resolve()):
        what, code = "this blob is a link that leads out of the repository", "copy-into-repository"
    elif file.exists():
        what, code = "Pants ignores this blob", "unignore"
    else:
        what, code = "the layout lacks this blob, which the base's lock names", "rewrite-layout"
    return failed_step(what, path, code)


async def blob_of_layout(folder: str, layer: RemoteLayer) -> FetchedBlob:
    """Return a blob of a layout of the repository; Pants has hashed what it read."""
    path = f"{folder}/{layer.path}"
    found = [one for one in await engine.repository_files(path) if isinstance(one, FileEntry)]
    if not found:
        return FetchedBlob(EMPTY_DIGEST, unseen(path, Path(get_buildroot())))
    read = found[0].file_digest
    if (read.fingerprint, read.serialized_bytes_length) != (layer.hex, layer.size):
        what = (
            f"the blob is damaged: {read.serialized_bytes_length} bytes of sha256:{read.fingerprint}, not "
            f"the {layer.size} bytes that the base's lock names"
        )
        return FetchedBlob(EMPTY_DIGEST, failed_step(what, path, "rewrite-layout"))
    return FetchedBlob(await engine.create_entries([FileEntry(layer.path, read)]))


@rule
async def fetch_blob(request: BlobRequest, toolbox: Toolbox) -> FetchedBlob:
    layer = request.layer
    folder = layout_folder(request.image_name)
    if folder is not None:
        return await blob_of_layout(folder, layer)
    await remember_origins(BlobOrigins((layer.digest,), request.image_name), **implicitly())
    outcome = await run_step(
        StepRequest(
            step="fetch-blob",
            arguments=("--digest", layer.digest, "--size", str(layer.size), "--output", OUT),
            description=f"Fetch base layer {layer.digest[:19]} ({_mebibytes(layer.size)})",
            toolbox=toolbox,
            output_directories=(OUT,),
        ),
        **implicitly(),
    )
    if outcome.error is not None:
        return FetchedBlob(outcome.digest, outcome)
    return FetchedBlob(await engine.remove_prefix(outcome.digest, OUT))


@rule
async def fetch_layers(request: RemoteLayers) -> RemoteBlobs:
    # An image may have the same layer several times.
    layers = dict.fromkeys(request.layers)
    blobs = await concurrently(
        fetch_blob(BlobRequest(layer, request.image_name), **implicitly()) for layer in layers
    )
    known = names(base=request.resolve)
    failed = [str(blob.failed.naming(known).error) for blob in blobs if blob.failed is not None]
    if failed:
        raise SlimImageError("\n".join(failed))
    return RemoteBlobs(await engine.merge(blob.digest for blob in blobs))


async def reading(layers: Iterable[RemoteLayer], toolbox: Toolbox) -> Toolbox:
    """Return the libraries of a step that reads layers: zstandard is in no key where it is not needed."""
    return await zstd_toolbox() if any(layer.zstd for layer in layers) else toolbox


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
