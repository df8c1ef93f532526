"""Layers of wheels and of first-party code."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable

from pants.engine.rules import collect_rules, rule

from slim_python_image import engine
from slim_python_image.products import (
    GZIP,
    Layer,
    LayerOptions,
    SourceLayerRequest,
    StepRequest,
    Toolbox,
    WheelLayerRequest,
    canonical_json,
)

_OUT = "out"


async def make_layer(request: StepRequest, compression: str) -> Layer:
    """Run a step that writes a layer to ``out``.

    What the default compression makes knows nothing of others: its key does not name one.
    """
    if compression != GZIP:
        arguments = (*request.arguments, "--compression", compression)
        request = replace(request, arguments=arguments, toolbox=await engine.zstd_toolbox())
    outcome = await engine.run_step(request)
    fields = outcome.fields()
    files = await engine.remove_prefix(outcome.digest, _OUT)
    return Layer(
        document=canonical_json(fields).decode(),
        digest=fields["descriptor"]["digest"],
        size=fields["descriptor"]["size"],
        unpacked_size=fields["unpacked_size"],
        elf_files=fields["elf_files"],
        title=fields["title"],
        blobs=await engine.subset(files, "blobs/**"),
        facts=await engine.subset(files, "layer-facts.json"),
        inputs=await engine.step_inputs(request),
    )


def option_arguments(options: LayerOptions) -> tuple[str, ...]:
    """Return the arguments that layer steps share."""
    excluded = tuple(part for glob in options.exclude for part in ("--exclude", glob))
    return ("--prefix", options.prefix, "--bytecode", options.bytecode, *excluded)


@rule
async def wheel_layer(request: WheelLayerRequest, toolbox: Toolbox) -> Layer:
    wheels = await engine.merge(wheel.digest for wheel in request.wheels)
    where = "" if all(w.pure for w in request.wheels) else f" for {request.target.platform}"
    return await make_layer(
        StepRequest(
            step="wheel-layer",
            arguments=(
                *("--wheels", "wheels", "--target", "target.json", "--title", request.title),
                *option_arguments(request.options),
                *("--strip", "debug" if request.options.strip else "none"),
                *("--output", _OUT),
            ),
            description=f"Layer {request.title}{where}",
            toolbox=toolbox,
            inputs=await engine.merge(
                (
                    await engine.add_prefix(wheels, "wheels"),
                    await engine.create_files({"target.json": request.target.to_json()}),
                )
            ),
            interpreter=await engine.interpreter(request.interpreter),
            output_directories=(_OUT,),
        ),
        request.options.compression,
    )


@rule
async def source_layer(request: SourceLayerRequest, toolbox: Toolbox) -> Layer:
    scripts = tuple(part for name, spec in request.scripts for part in ("--entry-script", f"{name}={spec}"))
    return await make_layer(
        StepRequest(
            step="source-layer",
            arguments=(
                *("--sources", "sources", "--files", "files", "--workdir", request.workdir),
                *("--target", "target.json", "--title", request.title),
                *scripts,
                *option_arguments(request.options),
                *("--output", _OUT),
            ),
            description=f"Layer {request.title}",
            toolbox=toolbox,
            inputs=await engine.merge(
                (
                    await engine.add_prefix(request.sources, "sources"),
                    await engine.add_prefix(request.files, "files"),
                    await engine.create_files({"target.json": request.target.to_json()}),
                )
            ),
            interpreter=await engine.interpreter(request.interpreter),
            output_directories=(_OUT,),
        ),
        request.options.compression,
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
