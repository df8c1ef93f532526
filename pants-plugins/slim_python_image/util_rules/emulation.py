"""Builds in a container of the target's platform: of sdists whose settings say `emulate`, of no others."""

from __future__ import annotations

from typing import Iterable

from pants.engine.rules import collect_rules, rule
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.products import (
    Base,
    ContainerRequest,
    DebFilesRequest,
    DebPackage,
    EmulateWheelRequest,
    SlimImageError,
    StepRequest,
    Toolbox,
    Tree,
    Wheel,
)
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.build_pins import with_names

_OUT = "out"


def container_request(base: Base, name: str, added: Iterable[DebPackage]) -> ContainerRequest:
    """Return the container that a distribution is built in.

    :param added: the distribution's own builder packages.
    :raises SlimImageError: the base has no compiler for its platform.
    """
    if base.registry is not None:
        raise SlimImageError(
            f"[slim-image].builds: {name} is to be built in a container (`emulate`), and the base "
            f"{base.resolve} is an image of a registry\n"
            "  -> emulated builds are for a `debian_python_base`: choose one, or take `emulate` out"
        )
    if not base.emulation:
        raise SlimImageError(
            f"[slim-image].builds: {name} is to be built in a container of {base.target.platform} "
            f"(`emulate`), and the base {base.resolve} has locked no compiler to make one of\n"
            f'  -> give the base emulation_packages=["g++", "gcc", "libc6-dev", "make"], then: '
            f"{relock_command(base.resolve)}"
        )
    there = set(base.emulation)
    packages = (*base.emulation, *(package for package in added if package not in there))
    return ContainerRequest(base.target, packages, base.interpreter)


@rule
async def make_container(request: ContainerRequest, toolbox: Toolbox) -> Tree:
    target, python = request.target, request.interpreter
    debs = await engine.deb_files(DebFilesRequest(request.packages, python.resolve))
    outcome = await engine.run_step(
        StepRequest(
            step="container",
            arguments=("--debs", "debs", "--target", "target.json", "--output", _OUT),
            description=f"Make the container that compiles for {target.platform}",
            toolbox=toolbox,
            inputs=await engine.merge(
                (
                    await engine.add_prefix(debs.digest, "debs"),
                    await engine.create_files({"target.json": target.to_json()}),
                )
            ),
            interpreter=await engine.interpreter(python),
            output_directories=(_OUT,),
        )
    )
    outcome.fields()
    return Tree(await engine.remove_prefix(outcome.digest, _OUT))


@rule
async def emulate_wheel(request: EmulateWheelRequest, toolbox: Toolbox) -> Wheel:
    artifact, target = request.artifact, request.container.target
    sdist, *requirements = await engine.fetched((artifact, *request.pins.artifacts))
    requirement_files = await engine.merge(r.digest for r in requirements)
    image = await engine.container(request.container)
    step = StepRequest(
        step="emulate",
        arguments=(
            *("--sdist", artifact.filename, "--target", "target.json"),
            *("--requirements", "requirements", "--image", "image"),
            *("--settings", "settings.json", "--output", _OUT),
        ),
        description=f"Build {artifact.name} {artifact.version} in a container of {target.platform}",
        toolbox=toolbox,
        inputs=await engine.merge(
            (
                sdist.digest,
                await engine.add_prefix(requirement_files, "requirements"),
                await engine.create_files(
                    {"target.json": target.to_json(), "settings.json": request.settings.encode()}
                ),
            )
        ),
        trees=FrozenDict({"image": image.digest}),
        output_directories=(_OUT,),
    )
    outcome = await engine.run_step(step)
    fields = with_names(outcome, request.resolve, request.container.interpreter.resolve).fields()
    return Wheel(
        name=artifact.name,
        version=artifact.version,
        filename=fields["filename"],
        size=fields["size"],
        sha256=fields["sha256"],
        digest=await engine.remove_prefix(outcome.digest, _OUT),
        inputs=await engine.step_inputs(step),
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
