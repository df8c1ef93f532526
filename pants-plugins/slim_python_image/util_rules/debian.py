"""Debian packages: fetched by hash, and unpacked into layers."""

from __future__ import annotations

from typing import Iterable

from pants.engine.fs import Digest
from pants.engine.rules import collect_rules, rule

from slim_python_image import engine
from slim_python_image.products import (
    DebFiles,
    DebFilesRequest,
    DebLayerRequest,
    DebPackage,
    FetchedDeb,
    Layer,
    RootfsLayerRequest,
    SlimImageError,
    StepRequest,
    Toolbox,
)
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.layers import make_layer

_OUT = "out"


@rule
async def fetch_deb(package: DebPackage, toolbox: Toolbox) -> FetchedDeb:
    outcome = await engine.run_step(
        StepRequest(
            step="fetch-deb",
            arguments=(
                "--archive",
                package.archive,
                "--path",
                package.path,
                "--size",
                str(package.size),
                "--sha256",
                package.sha256,
                "--output",
                _OUT,
            ),
            description=f"Fetch {package.name} {package.version} ({package.architecture})",
            toolbox=toolbox,
            output_directories=(_OUT,),
        )
    )
    return FetchedDeb(outcome)


@rule
async def fetch_debs(request: DebFilesRequest) -> DebFiles:
    fetched = await engine.fetched_debs(request.packages)
    failed = [deb.outcome.error for deb in fetched if deb.outcome.error is not None]
    if failed:
        raise SlimImageError(
            "\n".join(failed)
            + f"\n  -> lock the versions that the mirrors have: {relock_command(request.resolve)}"
        )
    merged = await engine.merge(deb.outcome.digest for deb in fetched)
    return DebFiles(await engine.remove_prefix(merged, _OUT))


async def with_debs(packages: tuple[DebPackage, ...], resolve: str, **files: bytes) -> Digest:
    """Return a sandbox's input: the packages in ``debs``, and named JSON files."""
    debs = await engine.deb_files(DebFilesRequest(packages, resolve))
    folder = await engine.add_prefix(debs.digest, "debs")
    named = await engine.create_files({f"{name}.json": data for name, data in files.items()})
    return await engine.merge((folder, named))


@rule
async def deb_layer(request: DebLayerRequest, toolbox: Toolbox) -> Layer:
    group, python = request.group, request.interpreter
    bytecode = group.bytecode and request.bytecode != "none"
    extra: tuple[str, ...] = ()
    if bytecode:
        extra = ("--python-minor", python.target.minor, "--bytecode", request.bytecode)
    return await make_layer(
        StepRequest(
            step="deb-layer",
            arguments=("--debs", "debs", "--title", group.title, *extra, "--output", _OUT),
            description=f"Layer {group.title} ({group.packages[0].architecture})",
            toolbox=toolbox,
            inputs=await with_debs(group.packages, python.resolve),
            interpreter=await engine.interpreter(python) if bytecode else None,
            output_directories=(_OUT,),
        ),
        request.compression,
    )


@rule
async def rootfs_layer(request: RootfsLayerRequest, toolbox: Toolbox) -> Layer:
    return await make_layer(
        StepRequest(
            step="rootfs-layer",
            arguments=("--target", "target.json", "--prefix", request.prefix, "--output", _OUT),
            description=f"Layer users and folders ({request.target.platform})",
            toolbox=toolbox,
            inputs=await engine.create_files({"target.json": request.target.to_json()}),
            output_directories=(_OUT,),
        ),
        request.compression,
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
