"""One sdist compiled for one target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Awaitable, Iterable

from pants.engine.fs import Digest
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.bases import Interpreter, Source
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment, Tree, Wheel
from slim_python_image.remedies import names
from slim_python_image.remote_layers import RemoteLayers
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.build_code import BuildCodeRequest, compile_build_code
from slim_python_image.util_rules.build_pins import Crate
from slim_python_image.util_rules.build_programs import host_sysroot, without_python
from slim_python_image.util_rules.compiler import (
    CompilerLibcRequest,
    CompilerRequest,
    compile_libc,
    unpack_compiler,
)
from slim_python_image.util_rules.crates import CratesRequest, fetch_crates
from slim_python_image.util_rules.fetch import FetchedArtifact, fetch_artifact
from slim_python_image.util_rules.interpreter import InterpreterRequest, unpack_interpreter
from slim_python_image.util_rules.steps import OUT, StepFailed, StepRequest, Toolbox, run_step, step_inputs
from slim_python_image.util_rules.sysroot import (
    GccRequest,
    ProgramsRequest,
    SysrootRequest,
    unpack_gcc,
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
    """Build one sdist for one target.

    :param described: the sdist's file, where its look-up already brought it.
    """

    artifact: Artifact
    target: TargetEnvironment
    builder: Source
    interpreter: Interpreter
    pins: tuple[Artifact, ...]
    settings: str
    resolve: str
    programs: ProgramsRequest | None = None
    crates: tuple[Crate, ...] = ()
    gcc: GccRequest | None = None
    described: Digest | None = None


def content_python(request: BuildWheelRequest) -> InterpreterRequest | None:
    """Return the Python that runs a build, ``None`` where it is the machine's own."""
    python = request.interpreter
    return None if python.source is None else InterpreterRequest(python.source, python.target)


async def build_inputs(request: BuildWheelRequest) -> tuple[dict[str, Tree], tuple[FetchedArtifact, ...]]:
    """Return what a build stands on, made at once: trees by the name that its step gives them, files.

    :returns: without ``interpreter`` where it is the machine's own, without programs where there are none.
        The files are those of the sdist and of its requirements.
    """
    # The compiler first: it takes longest.
    trees: dict[str, Awaitable[Tree]] = {
        "zig": unpack_compiler(CompilerRequest(), **implicitly()),
        "sysroot": unpack_sysroot(SysrootRequest(request.target, request.builder), **implicitly()),
    }
    if request.programs is not None:
        trees["tools"] = unpack_programs(request.programs, **implicitly())
        if request.crates and request.programs.libraries:
            crates = CratesRequest(request.crates, request.programs)
            trees["crates"] = fetch_crates(crates, **implicitly())
    host = host_sysroot(request.programs)
    if host is not None:
        trees["host-sysroot"] = unpack_sysroot(host, **implicitly())
    if request.gcc is not None:
        trees["gcc"] = unpack_gcc(request.gcc, **implicitly())
    python = content_python(request)
    if python is not None:
        trees["interpreter"] = unpack_interpreter(python, **implicitly())
    wanted = (*(() if request.described else (request.artifact,)), *request.pins)
    files = (fetch_artifact(one, **implicitly()) for one in wanted)
    code = () if python is None else (compile_build_code(BuildCodeRequest(python), **implicitly()),)
    calls: list[Awaitable[Any]] = [*trees.values(), *files, *code]
    found = await concurrently(calls)
    made = dict(zip(trees, found))
    if not made["sysroot"].runtime:
        made.update(await _runtime_of_the_compiler(request.target, cxx=False))
    there = (FetchedArtifact(request.described),) if request.described else ()
    return made, (*there, *found[len(trees) : len(trees) + len(wanted)])


async def _runtime_of_the_compiler(target: TargetEnvironment, *, cxx: bool) -> dict[str, Tree]:
    """Return zig with what it makes of its own libc: the builder has none, as an image of Alpine."""
    request = CompilerLibcRequest(without_python(target), cxx)
    calls = (
        unpack_compiler(CompilerRequest(runtimes=True), **implicitly()),
        compile_libc(request, **implicitly()),
    )
    return dict(zip(("zig", "zig-runtime"), await concurrently(calls)))


@dataclass(frozen=True)
class HookStep:
    """A step that runs a hook of an sdist's backend.

    :param arguments: those of this step alone.
    """

    name: str
    description: str
    arguments: tuple[str, ...] = ()


async def hook_step(
    hook: HookStep, request: BuildWheelRequest, toolbox: Toolbox, options: SlimImageOptions
) -> StepRequest:
    """Return a step that runs a hook against the target and from content alone."""
    artifact = request.artifact
    made, (sdist, *requirements) = await build_inputs(request)
    interpreter, python = made.pop("interpreter", None), content_python(request)
    bytecode = None if python is None else await compile_build_code(BuildCodeRequest(python), **implicitly())
    requirement_files = await engine.merge(r.digest for r in requirements)
    inputs = await engine.merge(
        (
            sdist.digest,
            await engine.add_prefix(requirement_files, "requirements"),
            await engine.create_files(
                {"target.json": request.target.to_json(), "settings.json": request.settings.encode()}
            ),
        )
    )
    more = (name for name in ("zig-runtime", "tools", "host-sysroot", "gcc", "crates") if name in made)
    return StepRequest(
        step=hook.name,
        arguments=(
            *("--sdist", artifact.filename, "--target", "target.json"),
            *("--requirements", "requirements", "--sysroot", "sysroot"),
            *("--zig", "zig", "--settings", "settings.json", *hook.arguments),
            *(part for name in more for part in (f"--{name}", name)),
            *options.isolation_arguments(),
        ),
        description=hook.description,
        toolbox=toolbox,
        inputs=inputs,
        trees=FrozenDict({name: tree.digest for name, tree in made.items()}),
        interpreter=interpreter,
        bytecode=bytecode,
        output_directories=(OUT,) if OUT in hook.arguments else (),
    )


@rule
async def build_wheel(request: BuildWheelRequest, toolbox: Toolbox, options: SlimImageOptions) -> Wheel:
    artifact, target = request.artifact, request.target
    description = f"Build {artifact.name} {artifact.version} for {target.platform}"
    hook = HookStep("build", description, ("--output", OUT))
    step = await hook_step(hook, request, toolbox, options)
    outcome = await run_step(step, **implicitly())
    if outcome.error is None and outcome.fields().get("needs") == "c++":
        runtime = (await _runtime_of_the_compiler(target, cxx=True))["zig-runtime"]
        step = replace(step, trees=FrozenDict({**step.trees, "zig-runtime": runtime.digest}))
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
    files = await engine.remove_prefix(outcome.digest, OUT)
    return Wheel.built(artifact, fields, files, await step_inputs(step, **implicitly()))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
