"""The layers that an image starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable

from pants.engine.fs import EMPTY_DIGEST, Digest

from slim_python_image import engine
from slim_python_image.bases import (
    Base,
    DebianBase,
    DebPackages,
    Interpreter,
    LayerGroup,
    RegistryBase,
)
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import GZIP, Layer, Layers, TargetEnvironment, canonical_json
from slim_python_image.remote_layers import RemoteLayers
from slim_python_image.util_rules.debian import with_debs
from slim_python_image.util_rules.interpreter import interpreter_tree
from slim_python_image.util_rules.layer_steps import make_bounded, make_layer
from slim_python_image.util_rules.made_files import MadeFilesRequest, made_files, makes_files
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox


@dataclass(frozen=True)
class DebLayerRequest:
    """One layer of Debian packages, or more where it would be too large.

    :param max_size: bytes of a layer, ``None`` for one layer of any size.
    :param accounts: what layers below add to passwd and group, as JSON; empty where they add nothing.
    """

    group: LayerGroup
    interpreter: Interpreter
    bytecode: str
    compression: str = GZIP
    accept_scripts: tuple[str, ...] = ()
    max_size: int | None = None
    accounts: str = ""


@dataclass(frozen=True)
class RootfsLayerRequest:
    """The layer of users, folders, the loader's cache and the empty virtual environment.

    :param facts: `layer-facts.json` of the layers of packages that have ELF files.
    :param accounts: what layers of packages add to passwd and group, as JSON; empty where they add nothing.
    """

    target: TargetEnvironment
    prefix: str
    facts: tuple[Digest, ...]
    compression: str = GZIP
    accounts: str = ""


@dataclass(frozen=True)
class VenvLayerRequest:
    """The layer of the empty virtual environment on an image's own Python."""

    target: TargetEnvironment
    interpreter: str
    prefix: str
    compression: str = GZIP


@dataclass(frozen=True)
class BaseLayersRequest:
    """The layers that an image starts from.

    :param max_size: bytes of a layer of packages, ``None`` for any.
    """

    base: Base
    prefix: str
    bytecode: str
    compression: str = GZIP
    max_size: int | None = None


async def _accounts_file(accounts: str) -> tuple[tuple[str, ...], Digest]:
    """Return the arguments and the input that tell a step of accounts."""
    if not accounts:
        return (), EMPTY_DIGEST
    return ("--accounts", "accounts.json"), await engine.create_files({"accounts.json": accounts.encode()})


@rule
async def deb_layers(request: DebLayerRequest, toolbox: Toolbox) -> Layers:
    group, python = request.group, request.interpreter
    bytecode = group.bytecode and request.bytecode != "none"
    extra: tuple[str, ...] = ()
    if bytecode:
        extra = ("--python-minor", python.target.minor, "--bytecode", "unchecked-hash")
    extra += tuple(part for name in request.accept_scripts for part in ("--accept-scripts", name))
    told, accounts = await _accounts_file(request.accounts)
    debs = await with_debs(DebPackages(group.packages, python.resolve))
    return await make_bounded(
        StepRequest(
            step="deb-layer",
            arguments=("--debs", "debs", "--title", group.title, *extra, *told, "--output", OUT),
            description=f"Layer {group.title} ({group.packages[0].architecture})",
            toolbox=toolbox,
            inputs=await engine.merge((debs, accounts)) if told else debs,
            interpreter=await interpreter_tree(python) if bytecode else None,
            output_directories=(OUT,),
        ),
        request.compression,
        request.max_size,
    )


@rule
async def rootfs_layer(request: RootfsLayerRequest, toolbox: Toolbox) -> Layer:
    paths = [f"facts/{number:03}" for number in range(len(request.facts))]
    placed = [await engine.add_prefix(digest, path) for digest, path in zip(request.facts, paths)]
    told, accounts = await _accounts_file(request.accounts)
    return await make_layer(
        StepRequest(
            step="rootfs-layer",
            arguments=(
                *("--target", "target.json", "--prefix", request.prefix),
                *(part for path in paths for part in ("--facts", f"{path}/layer-facts.json")),
                *(*told, "--output", OUT),
            ),
            description=f"Layer users and folders ({request.target.platform})",
            toolbox=toolbox,
            inputs=await engine.merge(
                (*placed, accounts, await engine.create_files({"target.json": request.target.to_json()}))
            ),
            output_directories=(OUT,),
        ),
        request.compression,
    )


@rule
async def venv_layer(request: VenvLayerRequest, toolbox: Toolbox) -> Layer:
    return await make_layer(
        StepRequest(
            step="venv-layer",
            arguments=(
                *("--target", "target.json", "--interpreter", request.interpreter),
                *("--prefix", request.prefix, "--output", OUT),
            ),
            description="Layer virtual environment",
            toolbox=toolbox,
            inputs=await engine.create_files(
                # The layer is one for all platforms.
                {"target.json": replace(request.target, platform="linux/amd64").to_json()}
            ),
            output_directories=(OUT,),
        ),
        request.compression,
    )


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


async def _deb_layers(
    request: BaseLayersRequest, base: DebianBase, groups: Iterable[LayerGroup], below: Iterable[Layer] = ()
) -> tuple[Layer, ...]:
    there = accounts_json(below)
    asked = [
        DebLayerRequest(
            group,
            base.interpreter,
            request.bytecode,
            request.compression,
            # Of whom it does not hold, a layer knows nothing.
            tuple(n for n in base.accept_scripts if n in {one.name for one in group.packages}),
            request.max_size,
            there,
        )
        for group in groups
    ]
    made = list(await concurrently(deb_layers(one, **implicitly()) for one in asked))
    known = there
    for number, one in enumerate(asked):
        if known != there and accounts_json(made[number].layers) != there:
            # Seldom: two of them make accounts, whose numbers follow from those below.
            made[number] = await deb_layers(replace(one, accounts=known), **implicitly())
        known = accounts_json(made[number].layers) or known
    return tuple(layer for one in made for layer in one.layers)


def accounts_of(layers: Iterable[Layer]) -> dict[str, list[str]]:
    """Return the rows of passwd and group that layers add; the topmost that has some knows those below."""
    found: dict[str, list[str]] = {}
    for layer in layers:
        found = layer.fields().get("accounts") or found
    return found


def accounts_json(layers: Iterable[Layer]) -> str:
    """Return the rows of passwd and group that layers add, as JSON; empty where they add none."""
    found = accounts_of(layers)
    return canonical_json(found).decode() if found else ""


async def _made_layers(request: BaseLayersRequest, base: DebianBase) -> tuple[Layer, ...]:
    if not makes_files(base):
        return ()
    layer = await made_files(MadeFilesRequest.of(base, request.compression), **implicitly())
    return (layer,) if layer.fields()["contents"] or layer.fields().get("notes") else ()


async def _rootfs(request: BaseLayersRequest, layers: tuple[Layer, ...]) -> Layer:
    return await rootfs_layer(
        RootfsLayerRequest(
            request.base.target,
            request.prefix,
            tuple(one.facts for one in layers if one.elf_files),
            request.compression,
            accounts_json(layers),
        ),
        **implicitly(),
    )


async def added_layers(
    request: BaseLayersRequest, groups: tuple[LayerGroup, ...], below: tuple[Layer, ...]
) -> tuple[Layer, ...]:
    """Return the layers of packages that an image adds.

    What no package ships is written anew where it follows from all of them: the loader's cache, and files
    that programs make. The first lies below the packages, as in a base, so that their own files win.

    :param request: its base has no other packages added than these, and those of the images below.
    :param below: the layers of packages that it stands on.
    """
    if not groups:
        return ()
    assert isinstance(request.base, DebianBase)
    own = await _deb_layers(request, request.base, groups, below)
    anew = any(one.elf_files for one in own) or accounts_of(own) not in ({}, accounts_of(below))
    rootfs = (await _rootfs(request, (*below, *own)),) if anew else ()
    found = (*rootfs, *own, *await _made_layers(request, request.base))
    # Programs without libraries change nothing in either: an image has no layer twice.
    there = {one.digest for one in below}
    return tuple(one for one in found if one.digest not in there)


@rule
async def base_layers(request: BaseLayersRequest) -> Layers:
    base = request.base
    if isinstance(base, RegistryBase):
        # The environment's layer is the image's own: everything below it is somebody else's, by digest.
        venv = await venv_layer(
            VenvLayerRequest(base.target, base.python, request.prefix, request.compression),
            **implicitly(),
        )
        return Layers((*remote_layers(base.image), venv))
    groups = await _deb_layers(request, base, base.groups)
    made = await _made_layers(request, base)
    return Layers((await _rootfs(request, groups), *groups, *made))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
