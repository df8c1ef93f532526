"""Base images of registries: what their lock says, and their bytes only where something needs them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Iterable, Mapping

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.base.build_environment import get_buildroot
from pants.engine.fs import EMPTY_DIGEST, Digest, FileEntry
from pants.engine.rules import _uncacheable_rule, collect_rules, rule
from pants.option.global_options import GlobalOptions
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.products import (
    Base,
    BuiltImage,
    ImageConfig,
    ImageTreeRequest,
    Layer,
    RegistryBaseRequest,
    SlimImageError,
    StepRequest,
    Toolbox,
    Tree,
    VenvLayerRequest,
    canonical_json,
)
from slim_python_image.registry_products import (
    BlobPlaces,
    BlobPlacesKnown,
    BlobRequest,
    FetchedBlob,
    LayerFacts,
    LayerFactsRequest,
    Learned,
    LearnRequest,
    RegistryBase,
    RemoteBlobs,
    RemoteLayer,
    RemoteLayers,
)
from slim_python_image.target_types import BaseLockfileField
from slim_python_image.util_rules.base_locks import check_platform, host_platform, relock_command
from slim_python_image.util_rules.layers import make_layer
from slim_python_image.util_rules.machine import CACHE_NAME
from slim_python_image.util_rules.registry_locks import (
    base_of_lock,
    image_places,
    layout_folder,
    parse_registry_lock,
)

# The core's: the folder of the machine's settings with a file per blob.
_PLACES = "registry-blobs"
_MOST_PLACES = 8
_OUT = "out"
# What the core's `blob-facts` says of each file: a fault of the base is not the image's.
BASE_ORIGIN = "the base image"
# What distroless images call 65532; an image without that user gets the number.
_NONROOT = "65532:65532"


@rule
async def read_registry_base(request: RegistryBaseRequest, docker: DockerOptions) -> Base:
    asked = request.request
    target = (await engine.target(asked.address, asked.origin or "the field `base`")).target
    check_platform(asked, target)
    lock = parse_registry_lock(target, await engine.read_path(target[BaseLockfileField].path))
    places = image_places(target, docker.registries())
    try:
        return base_of_lock(lock, asked.platform, places, asked.address.target_name, host_platform())
    except (KeyError, TypeError) as e:
        raise SlimImageError(
            f"{target[BaseLockfileField].path}: is damaged: {e}\n"
            f"  -> write it again: {relock_command(asked.address.target_name)}"
        ) from None


# --- bytes ------------------------------------------------------------------------------------------


def write_places(folder: Path, request: BlobPlaces) -> None:
    """Write, for each blob, the repositories that may have it: this one first, those of before after it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for digest in request.digests:
        path = folder / digest.partition(":")[2]
        try:
            before = json.loads(path.read_bytes())
        except (OSError, ValueError):
            before = []
        places = [request.place, *(place for place in before if place != request.place)][:_MOST_PLACES]
        if places == before:
            continue
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(places))
        temporary.replace(path)


@_uncacheable_rule
async def remember_places(request: BlobPlaces, global_options: GlobalOptions) -> BlobPlacesKnown:
    write_places(Path(global_options.named_caches_dir) / CACHE_NAME / _PLACES, request)
    return BlobPlacesKnown()


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def unseen(path: str, root: Path) -> str:
    """Return why Pants sees no file at a path of the repository, and what to do."""
    file = root / path
    if file.exists() and not file.resolve().is_relative_to(root.resolve()):
        return f"{path}: this blob is a link that leads out of the repository\n  -> copy the file there"
    if file.exists():
        return f"{path}: Pants ignores this blob\n  -> see .gitignore and [GLOBAL].pants_ignore"
    return (
        f"{path}: the layout lacks this blob, which the base's lock names\n"
        "  -> write the layout again, or lock it as it is now: ./pants generate-lockfiles"
    )


async def blob_of_layout(folder: str, layer: RemoteLayer) -> FetchedBlob:
    """Return a blob of a layout of the repository; Pants has hashed what it read."""
    path = f"{folder}/{layer.path}"
    found = [one for one in await engine.repository_files(path) if isinstance(one, FileEntry)]
    if not found:
        return FetchedBlob(EMPTY_DIGEST, unseen(path, Path(get_buildroot())))
    read = found[0].file_digest
    if (read.fingerprint, read.serialized_bytes_length) != (layer.hex, layer.size):
        error = (
            f"{path}: the blob is damaged: {read.serialized_bytes_length} bytes of "
            f"sha256:{read.fingerprint}, not the {layer.size} bytes that the base's lock names\n"
            "  -> write the layout again, or lock it as it is now: ./pants generate-lockfiles"
        )
        return FetchedBlob(EMPTY_DIGEST, error)
    return FetchedBlob(await engine.create_entries([FileEntry(layer.path, read)]), None)


@rule
async def fetch_blob(request: BlobRequest, toolbox: Toolbox) -> FetchedBlob:
    layer = request.layer
    folder = layout_folder(request.place)
    if folder is not None:
        return await blob_of_layout(folder, layer)
    await engine.blob_places(BlobPlaces((layer.digest,), request.place))
    outcome = await engine.run_step(
        StepRequest(
            step="fetch-blob",
            arguments=("--digest", layer.digest, "--size", str(layer.size), "--output", _OUT),
            description=f"Fetch base layer {layer.digest[:19]} ({_mebibytes(layer.size)})",
            toolbox=toolbox,
            output_directories=(_OUT,),
        )
    )
    if outcome.error is not None:
        return FetchedBlob(outcome.digest, outcome.error)
    return FetchedBlob(await engine.remove_prefix(outcome.digest, _OUT), None)


@rule
async def fetch_layers(request: RemoteLayers) -> RemoteBlobs:
    # An image may have the same layer several times.
    layers = dict.fromkeys(request.layers)
    blobs = await engine.fetched_blobs(BlobRequest(layer, request.place) for layer in layers)
    failed = [blob.error for blob in blobs if blob.error is not None]
    if failed:
        relock = relock_command(request.resolve)
        raise SlimImageError("\n".join(failed).replace("./pants generate-lockfiles", relock))
    return RemoteBlobs(await engine.merge(blob.digest for blob in blobs))


async def reading(layers: Iterable[RemoteLayer], toolbox: Toolbox) -> Toolbox:
    """Return the libraries of a step that reads layers: zstandard is in no key where it is not needed."""
    return await engine.zstd_toolbox() if any(layer.zstd for layer in layers) else toolbox


async def complete_layout(image: BuiltImage) -> Digest:
    """Return an image's layout with the blobs of its base image."""
    remote = [await engine.remote_blobs(layers) for layers in image.remote]
    return await engine.merge((image.layout, *(blobs.digest for blobs in remote)))


@rule
async def list_layer(request: LayerFactsRequest, toolbox: Toolbox) -> LayerFacts:
    layer = request.layer
    blobs = await engine.remote_blobs(RemoteLayers((layer,), request.place, request.resolve))
    outcome = await engine.run_step(
        StepRequest(
            step="blob-facts",
            arguments=("--blob", layer.path, "--diff-id", layer.diff_id, "--output", _OUT),
            description=f"List base layer {layer.digest[:19]}",
            toolbox=await reading((layer,), toolbox),
            inputs=blobs.digest,
            output_directories=(_OUT,),
        )
    )
    outcome.fields()
    return LayerFacts(await engine.remove_prefix(outcome.digest, _OUT))


@rule
async def learn_image(request: LearnRequest, toolbox: Toolbox) -> Learned:
    outcome = await engine.run_step(
        StepRequest(
            step="image-learn",
            arguments=("--layout", ".", "--request", "request.json"),
            description=f"Find Python and libc of the base image for {request.platform}",
            toolbox=await reading(request.layers.layers, toolbox),
            inputs=await engine.merge(
                (
                    (await engine.remote_blobs(request.layers)).digest,
                    await engine.create_files({"request.json": request.document.encode()}),
                )
            ),
        )
    )
    return Learned(canonical_json(outcome.fields()).decode())


@rule
async def unpack_image(request: ImageTreeRequest, toolbox: Toolbox) -> Tree:
    what = "headers and libraries" if request.step == "image-sysroot" else f"Python {request.target.python}"
    outcome = await engine.run_step(
        StepRequest(
            step=request.step,
            arguments=(
                *("--layout", ".", "--request", "request.json"),
                *("--target", "target.json", "--output", _OUT),
            ),
            description=f"Unpack {what} of the base image for {request.target.platform}",
            toolbox=await reading(request.image.layers, toolbox),
            inputs=await engine.merge(
                (
                    (await engine.remote_blobs(request.image)).digest,
                    await engine.create_files(
                        {
                            "request.json": canonical_json(request.image.request()),
                            "target.json": request.target.to_json(),
                        }
                    ),
                )
            ),
            output_directories=(_OUT,),
        )
    )
    outcome.fields()
    return Tree(await engine.remove_prefix(outcome.digest, _OUT))


@rule
async def venv_layer(request: VenvLayerRequest, toolbox: Toolbox) -> Layer:
    return await make_layer(
        StepRequest(
            step="venv-layer",
            arguments=(
                *("--target", "target.json", "--interpreter", request.interpreter),
                *("--prefix", request.prefix, "--output", _OUT),
            ),
            description="Layer virtual environment",
            toolbox=toolbox,
            inputs=await engine.create_files(
                # The layer is one for all platforms.
                {"target.json": replace(request.target, platform="linux/amd64").to_json()}
            ),
            output_directories=(_OUT,),
        ),
        request.compression,
    )


# --- images -----------------------------------------------------------------------------------------


def remote_of(layers: Iterable[Layer], base: Base) -> RemoteLayers | None:
    """Return those of an image's layers that a registry has."""
    if base.registry is None:
        return None
    own = tuple(layer.remote for layer in layers if layer.remote is not None)
    return replace(base.registry.image, layers=own)


async def audited_facts(layers: Iterable[Layer], base: Base) -> tuple[Digest, ...]:
    """Return the lists of files of layers, those of a registry's image included."""
    facts: list[Digest] = []
    for layer in layers:
        if layer.remote is None or base.registry is None:
            facts.append(layer.facts)
        else:
            image = base.registry.image
            (listed,) = await engine.remote_facts(
                (LayerFactsRequest(layer.remote, image.place, image.resolve),)
            )
            facts.append(listed.digest)
    return tuple(facts)


def config_on_base(
    config: ImageConfig, base: RegistryBase | None, prefix: str, defaults: Mapping[str, str]
) -> ImageConfig:
    """Return an image's configuration with what it inherits of a registry's image, as `FROM` does.

    :param defaults: variables that an image has when nobody sets them; those of the base win over them.
    """
    if base is None:
        return config
    own = {name: text for name, text in config.env.items() if defaults.get(name) != text}
    inherited = {"LANG": defaults["LANG"], **base.env}
    inherited["PATH"] = f"{prefix}/bin:{base.env.get('PATH') or defaults['PATH'].partition(':')[2]}"
    if base.certificates and "SSL_CERT_FILE" not in base.env:
        inherited["SSL_CERT_FILE"] = base.certificates
    return replace(
        config,
        env=FrozenDict(sorted({**inherited, **own}.items())),
        labels=FrozenDict(sorted({**base.labels, **config.labels}.items())),
        user=_NONROOT if config.user == "nonroot" and not base.nonroot else config.user,
    )


def base_annotations(base: RegistryBase | None, *, index: bool = False) -> dict[str, str]:
    """Return the annotations that name an image's base (OCI image-spec, annotations.md).

    :param index: of the index of all platforms, whose base is the base's index.
    """
    if base is None:
        return {}
    found = {"org.opencontainers.image.base.digest": base.root if index else base.manifest}
    # "Image reference of the image this image is based on": a layout of the repository has none.
    if layout_folder(base.name) is None:
        found["org.opencontainers.image.base.name"] = base.name
    return found


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
