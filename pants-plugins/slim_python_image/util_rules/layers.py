"""Layers of wheels and of first-party code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.bases import Interpreter
from slim_python_image.by_name import collect_rules, rule
from slim_python_image.products import LayerOptions, Layers, TargetEnvironment, Wheel
from slim_python_image.util_rules.interpreter import interpreter_tree
from slim_python_image.util_rules.layer_steps import make_bounded
from slim_python_image.util_rules.placed import PlacedFiles
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox


@dataclass(frozen=True)
class WheelLayerRequest:
    """Install wheels into one layer, or more where it would be too large.

    :param max_size: bytes of a layer, ``None`` for one layer of any size.
    """

    wheels: tuple[Wheel, ...]
    title: str
    target: TargetEnvironment
    options: LayerOptions
    interpreter: Interpreter
    prefer: tuple[str, ...] = ()
    max_size: int | None = None


@dataclass(frozen=True)
class SourceLayerRequest:
    """Put first-party code into one layer, or more where it would be too large.

    :param time: of its files, in seconds since 1970; by default, it follows from each one's content.
    :param placed: files at absolute places.
    :param max_size: bytes of a layer, ``None`` for one layer of any size.
    """

    sources: Digest
    files: Digest
    workdir: str
    scripts: tuple[tuple[str, str], ...]
    title: str
    target: TargetEnvironment
    options: LayerOptions
    interpreter: Interpreter
    time: int | None = None
    placed: PlacedFiles | None = None
    max_size: int | None = None


def option_arguments(options: LayerOptions) -> tuple[str, ...]:
    """Return the arguments that layer steps share."""
    excluded = tuple(part for glob in options.exclude for part in ("--exclude", glob))
    return ("--prefix", options.prefix, "--bytecode", options.bytecode, *excluded)


@rule
async def wheel_layers(request: WheelLayerRequest, toolbox: Toolbox) -> Layers:
    wheels = await engine.merge(wheel.digest for wheel in request.wheels)
    where = "" if all(w.pure for w in request.wheels) else f" for {request.target.platform}"
    step = StepRequest(
        step="wheel-layer",
        arguments=(
            *("--wheels", "wheels", "--target", "target.json", "--title", request.title),
            *option_arguments(request.options),
            *("--strip", "debug" if request.options.strip else "none"),
            *(part for name in request.prefer for part in ("--prefer", name)),
            *("--output", OUT),
        ),
        description=f"Layer {request.title}{where}",
        toolbox=toolbox,
        inputs=await engine.merge(
            (
                await engine.add_prefix(wheels, "wheels"),
                await engine.create_files({"target.json": request.target.to_json()}),
            )
        ),
        interpreter=await interpreter_tree(request.interpreter),
        output_directories=(OUT,),
    )
    return await make_bounded(step, request.options.compression, request.max_size)


async def _placed_inputs(placed: PlacedFiles | None) -> tuple[Digest, ...]:
    if placed is None:
        return ()
    return (
        await engine.add_prefix(placed.files, "placed"),
        await engine.create_files({"places.json": placed.places.encode()}),
    )


@rule
async def source_layers(request: SourceLayerRequest, toolbox: Toolbox) -> Layers:
    scripts = tuple(part for name, spec in request.scripts for part in ("--entry-script", f"{name}={spec}"))
    return await make_bounded(
        StepRequest(
            step="source-layer",
            arguments=(
                *("--sources", "sources", "--files", "files", "--workdir", request.workdir),
                *("--target", "target.json", "--title", request.title),
                *scripts,
                *(() if request.placed is None else ("--placed", "placed", "--places", "places.json")),
                *(() if request.time is None else ("--time", str(request.time))),
                *option_arguments(request.options),
                *("--output", OUT),
            ),
            description=f"Layer {request.title}",
            toolbox=toolbox,
            inputs=await engine.merge(
                (
                    await engine.add_prefix(request.sources, "sources"),
                    await engine.add_prefix(request.files, "files"),
                    await engine.create_files({"target.json": request.target.to_json()}),
                    *await _placed_inputs(request.placed),
                )
            ),
            interpreter=await interpreter_tree(request.interpreter),
            output_directories=(OUT,),
        ),
        request.options.compression,
        request.max_size,
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
