"""Wheels: fetched where one fits, compiled where not, once for everyone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable

from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.bases import (
    Base,
    BuilderGroup,
    DebianBase,
    DebPackage,
    DebPackages,
    RegistryBase,
    Source,
)
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Artifact, Root, SlimImageError, Wheel, canonical_json
from slim_python_image.remote_layers import RemoteLayers
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.build_pins import (
    BuildPinsRequest,
    build_pins,
    pins_on_this_machine,
)
from slim_python_image.util_rules.build_programs import programs_for
from slim_python_image.util_rules.build_wheel import BuildFailed, BuildWheelRequest, build_wheel
from slim_python_image.util_rules.complete_lock import BuiltRequires
from slim_python_image.util_rules.emulation import (
    EmulateWheelRequest,
    container_request,
    emulate_wheel,
    emulating_base,
)
from slim_python_image.util_rules.fetch import fetch_artifact
from slim_python_image.util_rules.locks import normalized, requirement_name
from slim_python_image.util_rules.newest_wheels import NewestWheelsRequest, find_newest_wheels
from slim_python_image.util_rules.plan_coverage import by_choice
from slim_python_image.util_rules.plans import (
    PlannedArtifact,
    WheelPlan,
    WheelPlanRequest,
    plan_wheels,
)
from slim_python_image.util_rules.small_wheels import with_small_wheels
from slim_python_image.util_rules.sysroot import GccRequest


@dataclass(frozen=True)
class WheelSetRequest:
    """The wheels that ``roots`` need on one platform of a base."""

    roots: tuple[Root, ...]
    lockfile: str
    resolve: str
    base: Base
    no_binary: tuple[str, ...]
    only_binary: tuple[str, ...]


@dataclass(frozen=True)
class WheelSet:
    """The wheels of one plan, by name.

    :param notes: what plan and builds have to say.
    :param plan: with what only builds told to be required.
    """

    wheels: tuple[Wheel, ...]
    notes: tuple[str, ...] = ()
    plan: WheelPlan = WheelPlan((), ())


@rule
async def fetch_wheel(planned: PlannedArtifact) -> Wheel:
    artifact = planned.artifact
    digest = planned.described
    if digest is None:
        fetched = await fetch_artifact(artifact, **implicitly())
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
    unknown = set(configured) - {"env", "config_settings", "pure", "compiler"}
    if unknown:
        raise SlimImageError(
            f"[slim-image].builds: {artifact.name} has unknown settings {sorted(unknown)}\n"
            "  -> use `env`, `config_settings`, `pure`, `compiler`, `builder_packages`, `emulate` or "
            "`constraints`"
        )
    return canonical_json(
        {"env": {}, "config_settings": {}, **configured, "name": artifact.name, "version": artifact.version}
    ).decode()


def builder_packages(base: DebianBase, name: str, options: SlimImageOptions) -> tuple[DebPackage, ...]:
    """Return what a distribution is compiled against: the base's builder packages and its own.

    :raises SlimImageError: its own are not in the base's lock.
    """
    wanted = options.builder_packages(name, base.resolve)
    group = base.builder_groups.get(name)
    if not wanted:
        return base.builder
    if group is None or group.wanted != wanted:
        state = "not in" if group is None else "other than those in"
        raise SlimImageError(
            f"[slim-image].builds: the `builder_packages` of {name} ({', '.join(wanted)}) are {state} the "
            f"lock of the base {base.resolve}\n  -> lock them: {relock_command(base.resolve)}"
        )
    return (*base.builder, *group.packages)


def without_group(base: Base, name: str, options: SlimImageOptions) -> Base:
    """Return a base on which a distribution can be asked what it requires.

    Its `builder_packages` are locked with the base; until they are, the base's own serve.
    """
    if not isinstance(base, DebianBase):
        return base
    wanted, group = options.builder_packages(name, base.resolve), base.builder_groups.get(name)
    if not wanted or (group is not None and group.wanted == wanted):
        return base
    return replace(base, builder_groups=FrozenDict({**base.builder_groups, name: BuilderGroup(wanted, ())}))


def builder_image(base: RegistryBase, sdist: Artifact, options: SlimImageOptions) -> RemoteLayers:
    """Return the image that wheels of a registry's base are compiled against.

    :raises SlimImageError: the base names none, or it cannot have what the distribution wants.
    """
    if options.builder_packages(sdist.name, base.resolve):
        raise SlimImageError(
            f"[slim-image].builds: {sdist.name} has `builder_packages`, but the base {base.resolve} is an "
            "image of a registry\n  -> name an image that has the headers in its field `builder_image`"
        )
    if base.builder is None:
        raise SlimImageError(
            f"{sdist.name} {sdist.version} has no wheel for {base.target.platform} and must be compiled, but "
            f"the base {base.resolve} has no builder\n  -> name one in its field `builder_image`, such as "
            f"python:{base.target.minor}, then: {relock_command(base.resolve)}"
        )
    return base.builder


def gcc_for(base: Base, name: str, options: SlimImageOptions) -> GccRequest | None:
    """Return Debian's own gcc for a distribution whose compiler it is.

    :raises SlimImageError: the base has none.
    """
    if options.compiler(name) is None:
        return None
    if not isinstance(base, DebianBase):
        own = (
            "; Alpine's gcc runs on musl, and compiles for its own machine alone"
            if base.target.libc == "musl"
            else ""
        )
        raise SlimImageError(
            f"[slim-image].builds: the `compiler` of {name} is gcc, which is Debian's and comes with a "
            f"`debian_python_base`; the base {base.resolve} is an image of a registry{own}\n"
            "  -> take `compiler` out and let clang compile it, use a `debian_python_base`, or a version of "
            f"{name} that has a wheel for {base.target.platform}"
        )
    if not base.gcc:
        raise SlimImageError(
            f"[slim-image].builds: the `compiler` of {name} is gcc, which is not in the lock of the base "
            f"{base.resolve}\n  -> lock it: {relock_command(base.resolve)}"
        )
    return GccRequest(base.interpreter.target, DebPackages(base.gcc, base.resolve))


def cross_build(
    base: Base, sdist: Artifact, pins: tuple[Artifact, ...], options: SlimImageOptions, resolve: str
) -> BuildWheelRequest:
    """Return the build of an sdist on this machine, by clang."""
    builder: Source
    if isinstance(base, DebianBase):
        packages = builder_packages(base, sdist.name, options)
        builder, programs = DebPackages(packages, base.resolve), programs_for(base, packages)
    else:
        builder, programs = builder_image(base, sdist, options), None
    return BuildWheelRequest(
        artifact=sdist,
        target=base.target,
        builder=builder,
        interpreter=base.interpreter,
        pins=pins,
        settings=build_settings(options, sdist),
        resolve=resolve,
        programs=programs,
    )


def emulated_build(
    base: Base, sdist: Artifact, pins: tuple[Artifact, ...], options: SlimImageOptions, resolve: str
) -> EmulateWheelRequest:
    """Return the build of an sdist in a container of its platform."""
    debian = emulating_base(base, sdist.name)
    return EmulateWheelRequest(
        artifact=sdist,
        container=container_request(debian, builder_packages(debian, sdist.name, options)),
        pins=pins,
        settings=build_settings(options, sdist),
        resolve=resolve,
    )


def plan_request(request: WheelSetRequest) -> WheelPlanRequest:
    """Return the plan of a set of wheels."""
    return WheelPlanRequest(
        request.roots, request.lockfile, request.base.target, request.no_binary, request.only_binary
    )


async def with_advice(error: BuildFailed, request: WheelSetRequest) -> SlimImageError:
    """Return the error of a build with the newest version that needs none, where there is one."""
    newest = await find_newest_wheels(
        NewestWheelsRequest((error.name,), request.roots, request.lockfile, request.base.target),
        **implicitly(),
    )
    where = f"{request.base.target.platform} and Python {request.base.target.minor}"
    if newest.error is not None:
        return error
    version = newest.versions.get(error.name)
    if version is None:
        return SlimImageError(f"{error}\n  no version that the requirements allow has a wheel for {where}")
    if by_choice(error.name, request.no_binary, request.only_binary):
        return SlimImageError(
            f"{error}\n  -> or take {error.name} out of `no_binary` of the image and "
            f"[python].resolves_to_no_binary: {version} has a wheel for {where}"
        )
    return SlimImageError(
        f"{error}\n  -> or lock {error.name}=={version}: the newest version that the requirements allow "
        f"and that has a wheel for {where}"
    )


@dataclass(frozen=True)
class Builds:
    """The sdists of a plan that have to be compiled: on this machine, or in a container of their platform."""

    cross: tuple[BuildWheelRequest, ...]
    emulated: tuple[EmulateWheelRequest, ...]


async def builds_of(request: WheelSetRequest, plan: WheelPlan, options: SlimImageOptions) -> Builds:
    """Return what has to be compiled, with all that it is compiled with.

    :raises SlimImageError: that is not locked, or a setting makes no sense.
    """
    base: Base = request.base
    sdists = [planned.artifact for planned in plan.artifacts if planned.artifact.kind != "wheel"]
    emulated = tuple(one for one in sdists if options.emulates(one.name, base.target.platform))
    crossed = tuple(one for one in sdists if one not in emulated)
    resolve, lockfile = request.resolve, request.lockfile
    pins = await build_pins(pins_on_this_machine(crossed, resolve, lockfile, base.interpreter))
    emulated_pins = await build_pins(BuildPinsRequest(emulated, resolve, lockfile, base.target))
    there = {planned.artifact: planned.described for planned in plan.artifacts}
    return Builds(
        tuple(
            replace(
                cross_build(base, sdist, pins.of(sdist), options, resolve),
                gcc=gcc_for(base, sdist.name, options),
                crates=pins.crates_of(sdist),
                described=there[sdist],
            )
            for sdist in crossed
        ),
        tuple(emulated_build(base, sdist, emulated_pins.of(sdist), options, resolve) for sdist in emulated),
    )


async def _wheels_of(
    plan: WheelPlan, request: WheelSetRequest, options: SlimImageOptions
) -> tuple[Wheel, ...]:
    """Fetch or build what a plan chose."""
    wheels = tuple(planned for planned in plan.artifacts if planned.artifact.kind == "wheel")
    builds = await builds_of(request, plan, options)
    ready = await with_small_wheels(wheels, request.lockfile)
    try:
        found = await concurrently(
            [
                *(fetch_wheel(one, **implicitly()) for one in ready),
                *(build_wheel(one, **implicitly()) for one in builds.cross),
                *(emulate_wheel(one, **implicitly()) for one in builds.emulated),
            ]
        )
    except BuildFailed as e:
        raise await with_advice(e, request) from None
    return tuple(found)


def joined(plan: WheelPlan, wheels: Iterable[Wheel]) -> tuple[BuiltRequires, ...]:
    """Return what wheels that were built here require beyond their plan: only their builds could tell."""
    there = {normalized(planned.artifact.name) for planned in plan.artifacts}
    return tuple(
        BuiltRequires(wheel.name, wheel.version, wheel.requires)
        for wheel in wheels
        if any("extra ==" not in text and requirement_name(text) not in there for text in wheel.requires)
    )


def joined_notes(before: WheelPlan, after: WheelPlan, built: Iterable[BuiltRequires]) -> list[str]:
    """Return what the built metadata of distributions brought into a plan."""
    there = {planned.artifact.name for planned in before.artifacts}
    more = {planned.artifact.name for planned in after.artifacts} - there
    notes = []
    for one in built:
        names = ", ".join(sorted({requirement_name(text) for text in one.requires} & more))
        if names:
            notes.append(f"{one.name} {one.version} requires {names}, which only its build told")
    return notes


@rule(desc="Make wheels")
async def make_wheel_set(request: WheelSetRequest, options: SlimImageOptions) -> WheelSet:
    asked = plan_request(request)
    plan = await plan_wheels(asked, **implicitly())
    found = await _wheels_of(plan, request, options)
    notes: list[str] = []
    # What is built tells what it requires, which may have to be built in its turn.
    while not set(joined(plan, found)) <= set(asked.built):
        asked = replace(asked, built=tuple(sorted({*asked.built, *joined(plan, found)})))
        larger = await plan_wheels(asked, **implicitly())
        notes += joined_notes(plan, larger, asked.built)
        plan = larger
        found = await _wheels_of(plan, request, options)
    told = (note for wheel in found for note in wheel.notes)
    return WheelSet(
        wheels=tuple(sorted(found, key=lambda wheel: wheel.name)),
        notes=tuple(dict.fromkeys((*plan.notes, *notes, *told))),
        plan=plan,
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
