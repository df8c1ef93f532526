"""One sdist compiled for one target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Awaitable, Iterable

from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.bases import Interpreter, Source
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment, Tree, Wheel
from slim_python_image.remedies import names
from slim_python_image.remote_layers import RemoteLayers
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.build_programs import host_libc, without_python
from slim_python_image.util_rules.compiler import (
    CompilerLibcRequest,
    CompilerRequest,
    compile_libc,
    unpack_compiler,
)
from slim_python_image.util_rules.fetch import FetchedArtifact, fetch_artifact
from slim_python_image.util_rules.interpreter import InterpreterRequest, unpack_interpreter
from slim_python_image.util_rules.steps import OUT, StepFailed, StepRequest, Toolbox, run_step, step_inputs
from slim_python_image.util_rules.sysroot import (
    ProgramsRequest,
    SysrootRequest,
    unpack_programs,
    unpack_sysroot,
)


class BuildFailed(SlimImageError):
    """An sdist that does not build.

    :param name: of the distribution.
    """

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class BuildWheelRequest:
    """Build one sdist for one target."""

    artifact: Artifact
    target: TargetEnvironment
    builder: Source
    interpreter: Interpreter
    pins: tuple[Artifact, ...]
    settings: str
    resolve: str
    programs: ProgramsRequest | None = None


async def build_inputs(request: BuildWheelRequest) -> tuple[dict[str, Tree], tuple[FetchedArtifact, ...]]:
    """Return what a build stands on, made at once: trees by the name that its step gives them, files.

    :returns: without ``interpreter`` where it is the machine's own, without programs where there are none.
        The files are those of the sdist and of its requirements.
    """
    target = without_python(request.target)
    # The compiler first: it takes longest, and its libc waits for it.
    trees: dict[str, Awaitable[Tree]] = {
        "zig": unpack_compiler(CompilerRequest(), **implicitly()),
        "zig-libc": compile_libc(CompilerLibcRequest(target), **implicitly()),
        "sysroot": unpack_sysroot(SysrootRequest(request.target, request.builder), **implicitly()),
    }
    if request.programs is not None:
        trees["tools"] = unpack_programs(request.programs, **implicitly())
    runtime = host_libc(request.programs)
    if runtime is not None:
        trees["host-libc"] = compile_libc(runtime, **implicitly())
    if request.interpreter.source is not None:
        python = InterpreterRequest(request.interpreter.source, request.interpreter.target)
        trees["interpreter"] = unpack_interpreter(python, **implicitly())
    files = (fetch_artifact(one, **implicitly()) for one in (request.artifact, *request.pins))
    calls: list[Awaitable[Any]] = [*trees.values(), *files]
    found = await concurrently(calls)
    return dict(zip(trees, found)), tuple(found[len(trees) :])


@rule
async def build_wheel(request: BuildWheelRequest, toolbox: Toolbox, options: SlimImageOptions) -> Wheel:
    artifact, target = request.artifact, request.target
    made, (sdist, *requirements) = await build_inputs(request)
    interpreter = made.pop("interpreter", None)
    requirement_files = await engine.merge(r.digest for r in requirements)
    inputs = await engine.merge(
        (
            sdist.digest,
            await engine.add_prefix(requirement_files, "requirements"),
            await engine.create_files(
                {"target.json": target.to_json(), "settings.json": request.settings.encode()}
            ),
        )
    )
    programs = tuple(part for name in ("tools", "host-libc") if name in made for part in (f"--{name}", name))
    step = StepRequest(
        step="build",
        arguments=(
            *("--sdist", artifact.filename, "--target", "target.json"),
            *("--requirements", "requirements", "--sysroot", "sysroot"),
            *("--zig", "zig", "--zig-cache", "zig-libc"),
            *("--settings", "settings.json", "--output", OUT),
            *programs,
            *options.isolation_arguments(),
        ),
        description=f"Build {artifact.name} {artifact.version} for {target.platform}",
        toolbox=toolbox,
        inputs=inputs,
        trees=FrozenDict({name: tree.digest for name, tree in made.items()}),
        interpreter=interpreter,
        output_directories=(OUT,),
    )
    outcome = await run_step(step, **implicitly())
    if outcome.error is None and outcome.fields().get("needs") == "c++":
        runtime = await compile_libc(CompilerLibcRequest(without_python(target), cxx=True), **implicitly())
        step = replace(step, trees=FrozenDict({**step.trees, "zig-libc": runtime.digest}))
        outcome = await run_step(step, **implicitly())
    named = outcome.naming(
        names(
            request.resolve,
            request.interpreter.resolve,
            builder_image=isinstance(request.builder, RemoteLayers),
        )
    )
    try:
        fields = named.fields()
    except StepFailed as e:
        raise BuildFailed(str(e), artifact.name) from None
    return Wheel(
        name=artifact.name,
        version=artifact.version,
        filename=fields["filename"],
        size=fields["size"],
        sha256=fields["sha256"],
        digest=await engine.remove_prefix(outcome.digest, OUT),
        inputs=await step_inputs(step, **implicitly()),
        isolation=fields["isolation"],
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
