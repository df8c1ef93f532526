"""Builds in a container of the target's platform: of sdists whose settings say `emulate`, of no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.bases import Base, DebianBase, DebPackage, DebPackages, Interpreter
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment, Tree, Wheel
from slim_python_image.remedies import names
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.debian import with_debs
from slim_python_image.util_rules.fetch import fetch_artifact
from slim_python_image.util_rules.interpreter import interpreter_tree
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_for_tree, run_step, step_inputs


@dataclass(frozen=True)
class ContainerRequest:
    """The image, an OCI layout, of the container that compiles for its own platform.

    :param interpreter: the Python that makes it, of the target's version.
    """

    target: TargetEnvironment
    packages: tuple[DebPackage, ...]
    interpreter: Interpreter


@dataclass(frozen=True)
class EmulateWheelRequest:
    """Build one sdist for one target in a container of that target."""

    artifact: Artifact
    container: ContainerRequest
    pins: tuple[Artifact, ...]
    settings: str
    resolve: str


def emulating_base(base: Base, name: str) -> DebianBase:
    """Return a base that has what the container of a distribution's build is made of.

    :raises SlimImageError: it has no compiler for its platform.
    """
    if not isinstance(base, DebianBase):
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
    return base


def container_request(base: DebianBase, added: Iterable[DebPackage]) -> ContainerRequest:
    """Return the container that a distribution is built in.

    :param added: the distribution's own builder packages.
    """
    there = set(base.emulation)
    packages = (*base.emulation, *(package for package in added if package not in there))
    return ContainerRequest(base.target, packages, base.interpreter)


@rule
async def make_container(request: ContainerRequest, toolbox: Toolbox) -> Tree:
    target, python = request.target, request.interpreter
    return await run_for_tree(
        StepRequest(
            step="container",
            arguments=("--debs", "debs", "--target", "target.json", "--output", OUT),
            description=f"Make the container that compiles for {target.platform}",
            toolbox=toolbox,
            inputs=await with_debs(DebPackages(request.packages, python.resolve), target=target.to_json()),
            interpreter=await interpreter_tree(python),
            output_directories=(OUT,),
        )
    )


@rule
async def emulate_wheel(request: EmulateWheelRequest, toolbox: Toolbox) -> Wheel:
    artifact, target = request.artifact, request.container.target
    sdist, *requirements = await concurrently(
        fetch_artifact(one, **implicitly()) for one in (artifact, *request.pins)
    )
    requirement_files = await engine.merge(r.digest for r in requirements)
    image = await make_container(request.container, **implicitly())
    step = StepRequest(
        step="emulate",
        arguments=(
            *("--sdist", artifact.filename, "--target", "target.json"),
            *("--requirements", "requirements", "--image", "image"),
            *("--settings", "settings.json", "--output", OUT),
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
        output_directories=(OUT,),
    )
    outcome = await run_step(step, **implicitly())
    fields = outcome.naming(names(request.resolve, request.container.interpreter.resolve)).fields()
    files = await engine.remove_prefix(outcome.digest, OUT)
    return Wheel.built(artifact, fields, files, await step_inputs(step, **implicitly()))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
