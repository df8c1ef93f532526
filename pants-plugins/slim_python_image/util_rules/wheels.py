"""Wheels: fetched where one fits, compiled where not, once for everyone."""

from __future__ import annotations

import functools
import json
import platform as host
from dataclasses import replace
from typing import Any, Iterable

from pants.engine.rules import collect_rules, rule
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.products import (
    Artifact,
    Base,
    BuildFailed,
    BuildWheelRequest,
    CompilerLibcRequest,
    CompilerRequest,
    CoreSources,
    DebPackage,
    EmulateWheelRequest,
    PlannedArtifact,
    SlimImageError,
    StepFailed,
    StepRequest,
    SysrootRequest,
    Toolbox,
    Tree,
    Wheel,
    WheelPlanRequest,
    WheelSet,
    WheelSetRequest,
    canonical_json,
)
from slim_python_image.registry_products import RemoteLayers
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.build_pins import build_lock_path, parse_build_lock, pins_for, with_names
from slim_python_image.util_rules.build_programs import host_libc, tools_for, with_advice, without_python
from slim_python_image.util_rules.emulation import container_request

_OUT = "out"


def compiler_wheel(tools: dict[str, Any]) -> Artifact:
    """Return the compiler's wheel for this machine, from the core's lock of tools."""
    system = {"Linux": "linux", "Darwin": "macosx"}.get(host.system(), host.system())
    machine = host.machine()
    row = tools["zig"].get(f"{system}-{machine}")
    if row is None:
        raise SlimImageError(f"no compiler is locked for {system}-{machine}, only for {sorted(tools['zig'])}")
    return Artifact(row["name"], row["version"], "wheel", row["filename"], row["sha256"])


@rule(desc="Unpack the compiler")
async def unpack_compiler(_: CompilerRequest, toolbox: Toolbox, core: CoreSources) -> Tree:
    artifact = compiler_wheel(json.loads(core.tools))
    (fetched,) = await engine.fetched((artifact,))
    outcome = await engine.run_step(
        StepRequest(
            step="zig",
            arguments=("--wheel", artifact.filename, "--output", _OUT),
            description=f"Unpack the compiler, zig {artifact.version}",
            toolbox=toolbox,
            inputs=fetched.digest,
            output_directories=(_OUT,),
        )
    )
    outcome.fields()
    return Tree(await engine.remove_prefix(outcome.digest, _OUT))


@rule
async def compile_libc(request: CompilerLibcRequest, toolbox: Toolbox) -> Tree:
    target = request.target
    outcome = await engine.run_step(
        StepRequest(
            step="zig-libc",
            arguments=(
                *("--zig", "zig", "--target", "target.json", "--output", _OUT),
                *(("--cxx",) if request.cxx else ()),
            ),
            description=(
                f"Compile the {'C++' if request.cxx else 'C'} runtime for {target.platform}, "
                f"{target.libc} {target.libc_version}"
            ),
            toolbox=toolbox,
            inputs=await engine.create_files({"target.json": target.to_json()}),
            trees=FrozenDict({"zig": (await engine.compiler()).digest}),
            output_directories=(_OUT,),
        )
    )
    outcome.fields()
    return Tree(await engine.remove_prefix(outcome.digest, _OUT))


@rule
async def build_wheel(request: BuildWheelRequest, toolbox: Toolbox) -> Wheel:
    artifact, target = request.artifact, request.target
    made, (sdist, *requirements) = await engine.build_inputs(
        SysrootRequest(target, request.builder, request.interpreter.resolve, request.builder_image),
        CompilerLibcRequest(without_python(target)),
        request.interpreter,
        (artifact, *request.pins.artifacts),
        tools=request.tools,
        host_libc=host_libc(request.tools),
    )
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
            *("--settings", "settings.json", "--output", _OUT),
            *programs,
        ),
        description=f"Build {artifact.name} {artifact.version} for {target.platform}",
        toolbox=toolbox,
        inputs=inputs,
        trees=FrozenDict({name: tree.digest for name, tree in made.items()}),
        interpreter=interpreter,
        output_directories=(_OUT,),
    )
    outcome = await engine.run_step(step)
    if outcome.error is None and outcome.fields().get("needs") == "c++":
        runtime = await engine.compiler_libc(CompilerLibcRequest(without_python(target), cxx=True))
        step = replace(step, trees=FrozenDict({**step.trees, "zig-libc": runtime.digest}))
        outcome = await engine.run_step(step)
    named = with_names(
        outcome,
        request.resolve,
        request.interpreter.resolve,
        builder_image=request.builder_image is not None,
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
        digest=await engine.remove_prefix(outcome.digest, _OUT),
        inputs=await engine.step_inputs(step),
    )


@rule
async def fetch_wheel(planned: PlannedArtifact) -> Wheel:
    artifact = planned.artifact
    digest = planned.described
    if digest is None:
        (fetched,) = await engine.fetched((artifact,))
        digest = fetched.digest
    (entry,) = await engine.entries(digest)
    size = entry.file_digest.serialized_bytes_length  # type: ignore[union-attr]
    return Wheel(artifact.name, artifact.version, artifact.filename, size, artifact.sha256, digest)


def build_settings(options: SlimImageOptions, artifact: Artifact) -> str:
    """Return the core's ``settings`` of one build."""
    configured = options.build_settings(artifact.name)
    # `emulate` chooses the step that builds; the others count when locks are written.
    for elsewhere in ("constraints", "builder_packages", "emulate"):
        configured.pop(elsewhere, None)
    unknown = set(configured) - {"env", "config_settings", "pure"}
    if unknown:
        raise SlimImageError(
            f"[slim-image].builds: {artifact.name} has unknown settings {sorted(unknown)}\n"
            "  -> use `env`, `config_settings`, `pure`, `builder_packages`, `emulate` or `constraints`"
        )
    return canonical_json(
        {"env": {}, "config_settings": {}, **configured, "name": artifact.name, "version": artifact.version}
    ).decode()


def builder_for(base: Base, name: str, options: SlimImageOptions) -> tuple[DebPackage, ...]:
    """Return what a distribution is compiled against: the base's builder packages and its own.

    :raises SlimImageError: its own are not in the base's lock.
    """
    wanted = options.builder_packages(name, base.resolve)
    group = base.builder_groups.get(name)
    if not wanted:
        return base.builder
    if base.registry is not None:
        raise SlimImageError(
            f"[slim-image].builds: {name} has `builder_packages`, but the base {base.resolve} is an image of "
            "a registry\n  -> name an image that has the headers in its field `builder_image`"
        )
    if group is None or group.wanted != wanted:
        state = "not in" if group is None else "other than those in"
        raise SlimImageError(
            f"[slim-image].builds: the `builder_packages` of {name} ({', '.join(wanted)}) are {state} the "
            f"lock of the base {base.resolve}\n  -> lock them: {relock_command(base.resolve)}"
        )
    return (*base.builder, *group.packages)


def builder_image_of(base: Base, sdist: Artifact) -> RemoteLayers | None:
    """Return the image that wheels of a registry's base are compiled against, ``None`` for Debian's.

    :raises SlimImageError: the base names none.
    """
    if base.registry is None:
        return None
    if base.registry.builder is None:
        raise SlimImageError(
            f"{sdist.name} {sdist.version} has no wheel for {base.target.platform} and must be compiled, but "
            f"the base {base.resolve} has no builder\n  -> name one in its field `builder_image`, such as "
            f"python:{base.target.minor}, then: {relock_command(base.resolve)}"
        )
    return base.registry.builder


def plan_request(request: WheelSetRequest) -> WheelPlanRequest:
    """Return the plan of a set of wheels."""
    return WheelPlanRequest(
        request.roots, request.lockfile, request.base.target, request.no_binary, request.only_binary
    )


@rule(desc="Make wheels")
async def make_wheel_set(request: WheelSetRequest, options: SlimImageOptions) -> WheelSet:
    base: Base = request.base
    plan = await engine.wheel_plan(plan_request(request))
    ready = [planned for planned in plan.artifacts if planned.artifact.kind == "wheel"]
    sdists = [planned.artifact for planned in plan.artifacts if planned.artifact.kind != "wheel"]
    lock: dict[str, Any] = {}
    path = build_lock_path(request.resolve, request.lockfile)
    if sdists:
        data = await engine.read_path(path)
        lock = parse_build_lock(path, data, request.resolve)
    pins = functools.partial(pins_for, lock, minor=base.target.minor, path=path, resolve=request.resolve)
    emulated = [sdist for sdist in sdists if options.emulates(sdist.name, base.target.platform)]
    try:
        found = await engine.wheels(
            ready,
            [
                BuildWheelRequest(
                    artifact=sdist,
                    target=base.target,
                    builder=builder_for(base, sdist.name, options),
                    builder_image=builder_image_of(base, sdist),
                    interpreter=base.interpreter,
                    pins=pins(artifact=sdist),
                    settings=build_settings(options, sdist),
                    resolve=request.resolve,
                    tools=tools_for(base, builder_for(base, sdist.name, options)),
                )
                for sdist in sdists
                if sdist not in emulated
            ],
            [
                EmulateWheelRequest(
                    artifact=sdist,
                    container=container_request(base, sdist.name, builder_for(base, sdist.name, options)),
                    pins=pins(artifact=sdist, emulated=base.target),
                    settings=build_settings(options, sdist),
                    resolve=request.resolve,
                )
                for sdist in emulated
            ],
        )
    except BuildFailed as e:
        raise await with_advice(e, request) from None
    return WheelSet(tuple(sorted(found, key=lambda wheel: wheel.name)))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
