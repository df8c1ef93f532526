"""Bases of every kind: read from their locks, turned into layers, sysroot and interpreter."""

from __future__ import annotations

from typing import Iterable

from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.rules import collect_rules, rule

from slim_python_image import engine
from slim_python_image.products import (
    Base,
    BaseLayers,
    BaseLayersRequest,
    BaseRequest,
    DebLayerRequest,
    ImageTreeRequest,
    Interpreter,
    Layer,
    RegistryBaseRequest,
    RootfsLayerRequest,
    SlimImageError,
    StepOutcome,
    StepRequest,
    SysrootRequest,
    Toolbox,
    ToolsRequest,
    Tree,
    VenvLayerRequest,
    canonical_json,
)
from slim_python_image.registry_products import RemoteLayers
from slim_python_image.registry_target import RegistryImageField
from slim_python_image.target_types import (
    BaseLockfileField,
    BaseSuitesField,
)
from slim_python_image.util_rules.base_locks import check_platform, host_platform, parse_lock
from slim_python_image.util_rules.debian import with_debs
from slim_python_image.util_rules.debian_locks import LOCK_SCHEMA, LockedBase, check_inputs, debian_base

_OUT = "out"


@rule(desc="Read the lock of a base")
async def read_base(request: BaseRequest) -> Base:
    wrapped = await engine.target(request.address, request.origin or "the field `base`")
    target = wrapped.target
    if target.has_field(RegistryImageField):
        return await engine.registry_base(RegistryBaseRequest(request))
    if not target.has_field(BaseSuitesField):
        whose = f"{request.origin}: " if request.origin else ""
        raise SlimImageError(
            f"{whose}the field `base` names {request.address}, which is a "
            f"`{target.alias}`\n  -> name a `debian_python_base` or `registry_python_base` target"
        )
    check_platform(request, target)
    path = target[BaseLockfileField].path
    data = await engine.read_path(path)
    locked = LockedBase(request.address, path, parse_lock(request.address, path, data, LOCK_SCHEMA))
    check_inputs(target, locked)
    return debian_base(locked, request.platform, host_platform())


def tree_of(outcome: StepOutcome) -> Digest:
    """Return a step's files, after looking that it did not fail."""
    outcome.fields()
    return outcome.digest


@rule
async def unpack_interpreter(request: Interpreter, toolbox: Toolbox) -> Tree:
    if request.image is not None:
        return await engine.image_tree(ImageTreeRequest("image-interpreter", request.image, request.target))
    outcome = await engine.run_step(
        StepRequest(
            step="interpreter",
            arguments=("--debs", "debs", "--target", "target.json", "--output", _OUT),
            description=f"Unpack Python {request.target.python} for this machine",
            toolbox=toolbox,
            inputs=await with_debs(request.packages, request.resolve, target=request.target.to_json()),
            output_directories=(_OUT,),
        )
    )
    return Tree(await engine.remove_prefix(tree_of(outcome), _OUT))


@rule
async def unpack_sysroot(request: SysrootRequest, toolbox: Toolbox) -> Tree:
    if request.image is not None:
        return await engine.image_tree(ImageTreeRequest("image-sysroot", request.image, request.target))
    outcome = await engine.run_step(
        StepRequest(
            step="sysroot",
            arguments=("--debs", "debs", "--target", "target.json", "--output", _OUT),
            description=f"Unpack headers and libraries for {request.target.platform}",
            toolbox=toolbox,
            inputs=await with_debs(request.packages, request.resolve, target=request.target.to_json()),
            output_directories=(_OUT,),
        )
    )
    return Tree(await engine.remove_prefix(tree_of(outcome), _OUT))


@rule
async def unpack_tools(request: ToolsRequest, toolbox: Toolbox) -> Tree:
    outcome = await engine.run_step(
        StepRequest(
            step="tools",
            arguments=("--debs", "debs", "--target", "target.json", "--output", _OUT),
            description="Unpack programs for builds",
            toolbox=toolbox,
            inputs=await with_debs(request.packages, request.resolve, target=request.target.to_json()),
            output_directories=(_OUT,),
        )
    )
    return Tree(await engine.remove_prefix(tree_of(outcome), _OUT))


# --- layers -----------------------------------------------------------------------------------------


def remote_layers(image: RemoteLayers) -> tuple[Layer, ...]:
    """Return the layers of a registry's image, by descriptor: no byte of them is here."""
    return tuple(
        Layer(
            document=canonical_json(layer.document()).decode(),
            digest=layer.digest,
            size=layer.size,
            unpacked_size=layer.unpacked,
            elf_files=0,
            title=layer.title,
            blobs=EMPTY_DIGEST,
            facts=EMPTY_DIGEST,
            remote=layer,
        )
        for layer in image.layers
    )


@rule
async def base_layers(request: BaseLayersRequest) -> BaseLayers:
    base = request.base
    if base.registry is not None:
        # The environment's layer is the image's own: everything below it is somebody else's, by digest.
        venv = await engine.venv_layer(
            VenvLayerRequest(base.target, base.registry.interpreter, request.prefix, request.compression)
        )
        return BaseLayers((*remote_layers(base.registry.image), venv))
    rootfs = await engine.rootfs_layer(RootfsLayerRequest(base.target, request.prefix, request.compression))
    groups = await engine.deb_layers(
        DebLayerRequest(group, base.interpreter, request.bytecode, request.compression)
        for group in base.groups
    )
    return BaseLayers((rootfs, *groups))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
