"""`pants generate-lockfiles` of bases and of build requirements."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import Iterable

from pants.backend.python.subsystems.setup import PythonSetup
from pants.core.goals.generate_lockfiles import (
    GenerateLockfile,
    GenerateLockfileResult,
    KnownUserResolveNames,
    KnownUserResolveNamesRequest,
    RequestedUserResolveNames,
    UserGenerateLockfiles,
)
from pants.engine.addresses import Address
from pants.engine.target import AllTargets, Target
from pants.engine.unions import UnionRule
from pants.util.docutil import bin_name

from slim_python_image import engine
from slim_python_image.base_target import BaseLockfileField, BaseSuitesField
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Artifact, Base, Interpreter, SlimImageError, canonical_json
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import ExtendsField
from slim_python_image.util_rules.base import BaseRequest, read_base
from slim_python_image.util_rules.build_pins import build_lock_path, build_resolve
from slim_python_image.util_rules.debian_locks import lock_inputs
from slim_python_image.util_rules.fetch import fetch_artifact
from slim_python_image.util_rules.footing import one_address
from slim_python_image.util_rules.interpreter import interpreter_tree
from slim_python_image.util_rules.parts import ImageParts, ImagePartsRequest, platforms_of, read_image
from slim_python_image.util_rules.plans import WheelPlanRequest, plan_wheels
from slim_python_image.util_rules.requirements import binary_choices, dependency_targets, requirements_of
from slim_python_image.util_rules.steps import ResolverToolbox, StepRequest, Toolbox, run_step
from slim_python_image.wheel_set_target import BaseField, WheelSetDependenciesField

# --- bases ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GenerateBaseLock(GenerateLockfile):
    """Resolve and lock the Debian packages of one base."""

    request: str


class RequestedBaseNames(RequestedUserResolveNames):
    """Bases to lock, by target name."""


class KnownBaseNamesRequest(KnownUserResolveNamesRequest):
    """Which bases there are."""


def bases_of(targets: Iterable[Target]) -> dict[str, Target]:
    """Return the bases among targets by the name that they are locked by.

    :raises SlimImageError: two have the same name.
    """
    found: dict[str, Target] = {}
    for target in targets:
        if not target.has_field(BaseSuitesField):
            continue
        name = target.address.target_name
        if name in found:
            raise SlimImageError(
                f"{found[name].address} and {target.address} are bases of one name, which is the name of "
                "their lock too\n  -> rename one"
            )
        found[name] = target
    return found


@rule
async def known_bases(_: KnownBaseNamesRequest, all_targets: AllTargets) -> KnownUserResolveNames:
    return KnownUserResolveNames(
        names=tuple(sorted(bases_of(all_targets))),
        option_name="the names of `debian_python_base` targets",
        requested_resolve_names_cls=RequestedBaseNames,
    )


def lock_request(base: Target, options: SlimImageOptions) -> str:
    """Return the core's request for the lock of a base: its fields, and what the options add to it."""
    groups = options.builder_groups(base.address.target_name)
    added = {"builder_groups": {name: list(names) for name, names in groups.items()}} if groups else {}
    return canonical_json({**lock_inputs(base), **added}).decode()


@rule
async def base_lock_requests(
    requested: RequestedBaseNames, all_targets: AllTargets, options: SlimImageOptions
) -> UserGenerateLockfiles:
    bases = bases_of(all_targets)
    return UserGenerateLockfiles(
        GenerateBaseLock(
            resolve_name=name,
            lockfile_dest=bases[name][BaseLockfileField].path,
            diff=False,
            request=lock_request(bases[name], options),
        )
        for name in sorted(requested)
    )


@rule
async def lock_base(request: GenerateBaseLock, toolbox: Toolbox) -> GenerateLockfileResult:
    outcome = await run_step(
        StepRequest(
            step="debian-lock",
            arguments=("--request", "request.json", "--output", request.lockfile_dest),
            description=f"Resolve the Debian packages of {request.resolve_name}",
            toolbox=toolbox,
            inputs=await engine.create_files({"request.json": request.request.encode()}),
            output_files=(request.lockfile_dest,),
            fresh=True,
        ),
        **implicitly(),
    )
    outcome.fields()
    return GenerateLockfileResult(outcome.digest, request.resolve_name, request.lockfile_dest)


# --- build requirements -----------------------------------------------------------------------------


@dataclass(frozen=True)
class GenerateBuildLock(GenerateLockfile):
    """Lock what the sdists of a resolve need to build."""

    python_resolve: str
    images: tuple[Address, ...]
    wheel_sets: tuple[Address, ...]


class RequestedBuildLockNames(RequestedUserResolveNames):
    """Build locks to write, by name."""


class KnownBuildLockNamesRequest(KnownUserResolveNamesRequest):
    """Which build locks there are."""


@rule
async def known_build_locks(
    _: KnownBuildLockNamesRequest, python_setup: PythonSetup
) -> KnownUserResolveNames:
    names = python_setup.resolves if python_setup.enable_resolves else {}
    return KnownUserResolveNames(
        names=tuple(build_resolve(name) for name in sorted(names)),
        option_name="[python].resolves, with `-build`",
        requested_resolve_names_cls=RequestedBuildLockNames,
    )


@rule
async def build_lock_requests(
    requested: RequestedBuildLockNames, all_targets: AllTargets, python_setup: PythonSetup
) -> UserGenerateLockfiles:
    images = tuple(sorted(t.address for t in all_targets if t.has_field(ExtendsField)))
    wheel_sets = tuple(sorted(t.address for t in all_targets if t.has_field(WheelSetDependenciesField)))
    if not images and not wheel_sets:
        return UserGenerateLockfiles()
    return UserGenerateLockfiles(
        GenerateBuildLock(
            resolve_name=build_resolve(name),
            lockfile_dest=build_lock_path(name, lockfile),
            diff=False,
            python_resolve=name,
            images=images,
            wheel_sets=wheel_sets,
        )
        for name, lockfile in sorted(python_setup.resolves.items())
        if build_resolve(name) in requested
    )


@dataclass(frozen=True)
class PlanNeed:
    """A plan that some target needs, and the base it stands on."""

    plan: WheelPlanRequest
    base: Base


async def _image_needs(parts: ImageParts) -> tuple[PlanNeed, ...]:
    bases = await concurrently(
        read_base(BaseRequest(parts.base, platform, origin=str(parts.address)), **implicitly())
        for platform in parts.platforms
    )
    return tuple(
        PlanNeed(
            WheelPlanRequest(parts.roots, parts.lockfile, base.target, parts.no_binary, parts.only_binary),
            base,
        )
        for base in bases
    )


async def _wheel_set_needs(address: Address, resolve: str, python_setup: PythonSetup) -> tuple[PlanNeed, ...]:
    target = await engine.target(address, "a wheel set to lock")
    base_value = target[BaseField].value
    assert base_value is not None
    base_address = await one_address(base_value, address, BaseField.alias)
    targets = await dependency_targets(target[WheelSetDependenciesField], (base_address,))
    requirements = requirements_of(targets, address, python_setup)
    if requirements.resolve != resolve:
        return ()
    no_binary, only_binary = binary_choices(target, resolve, python_setup)
    platforms = await platforms_of(target, base_address)
    bases = await concurrently(
        read_base(BaseRequest(base_address, platform, origin=str(address)), **implicitly())
        for platform in platforms
    )
    return tuple(
        PlanNeed(
            WheelPlanRequest(requirements.roots, requirements.lockfile, base.target, no_binary, only_binary),
            base,
        )
        for base in bases
    )


def sdists_by_interpreter(
    needs: Iterable[PlanNeed], chosen: Iterable[Iterable[Artifact]]
) -> dict[Interpreter, tuple[Artifact, ...]]:
    """Return the sdists to lock by the Python that builds them, one Python per minor version."""
    sdists: dict[str, set[Artifact]] = defaultdict(set)
    interpreters: dict[str, Interpreter] = {}
    for need, artifacts in zip(needs, chosen):
        minor = need.base.target.minor
        interpreters.setdefault(minor, need.base.interpreter)
        sdists[minor].update(a for a in artifacts if a.kind == "sdist")
    return {interpreters[minor]: tuple(sorted(found)) for minor, found in sorted(sdists.items()) if found}


def emulated_platforms(
    sdists: Iterable[Artifact], needs: Iterable[PlanNeed], options: SlimImageOptions
) -> dict[str, list[str]]:
    """Return the platforms in whose containers sdists are built, by sdist: wheels for them are locked too."""
    platforms = sorted({need.base.target.platform for need in needs})
    found = {a.name: [p for p in platforms if options.emulates(a.name, p)] for a in sdists}
    return {name: chosen for name, chosen in found.items() if chosen}


@rule
async def lock_builds(
    request: GenerateBuildLock,
    python_setup: PythonSetup,
    options: SlimImageOptions,
    resolver: ResolverToolbox,
) -> GenerateLockfileResult:
    parts = await concurrently(
        read_image(ImagePartsRequest(address), **implicitly()) for address in request.images
    )
    needs: list[PlanNeed] = []
    for one in parts:
        if one.resolve == request.python_resolve:
            needs.extend(await _image_needs(one))
    for address in request.wheel_sets:
        needs.extend(await _wheel_set_needs(address, request.python_resolve, python_setup))
    plans = await concurrently(plan_wheels(need.plan, **implicitly()) for need in needs)
    by_interpreter = sdists_by_interpreter(
        needs, ([planned.artifact for planned in plan.artifacts] for plan in plans)
    )
    previous = await engine.read_path(request.lockfile_dest)
    digest = await engine.create_files({request.lockfile_dest: previous or b""} if previous else {})
    written = previous is not None
    emulated = emulated_platforms(itertools.chain(*by_interpreter.values()), needs, options)
    for interpreter, sdists in by_interpreter.items():
        fetched = await concurrently(fetch_artifact(one, **implicitly()) for one in sdists)
        files = await engine.merge(one.digest for one in fetched)
        document = {
            "sdists": [
                {"name": a.name, "version": a.version, "filename": a.filename, "sha256": a.sha256}
                for a in sdists
            ],
            "constraints": {a.name: options.build_settings(a.name).get("constraints", []) for a in sdists},
            "minors": sorted(i.target.minor for i in by_interpreter),
            "emulated": emulated,
        }
        outcome = await run_step(
            StepRequest(
                step="build-lock",
                arguments=(
                    *("--python-minor", interpreter.target.minor, "--sdists", "sdists"),
                    *("--request", "request.json", "--output", request.lockfile_dest),
                    *(("--previous", os.path.join("previous", request.lockfile_dest)) if written else ()),
                ),
                description=(
                    f"Resolve the build requirements of {len(sdists)} sdists for "
                    f"Python {interpreter.target.minor}"
                ),
                toolbox=resolver.toolbox,
                inputs=await engine.merge(
                    (
                        await engine.add_prefix(files, "sdists"),
                        await engine.add_prefix(digest, "previous"),
                        await engine.create_files({"request.json": canonical_json(document)}),
                    )
                ),
                interpreter=await interpreter_tree(interpreter),
                output_files=(request.lockfile_dest,),
                fresh=True,
            ),
            **implicitly(),
        )
        outcome.fields()
        digest, written = outcome.digest, True
    if not by_interpreter:
        raise SlimImageError(
            f"{request.resolve_name}: nothing of the resolve {request.python_resolve} is compiled, so there "
            f"is nothing to lock\n  -> {bin_name()} generate-lockfiles --resolve=<another>"
        )
    return GenerateLockfileResult(digest, request.resolve_name, request.lockfile_dest)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (
        *collect_rules(),
        UnionRule(GenerateLockfile, GenerateBaseLock),
        UnionRule(KnownUserResolveNamesRequest, KnownBaseNamesRequest),
        UnionRule(RequestedUserResolveNames, RequestedBaseNames),
        UnionRule(GenerateLockfile, GenerateBuildLock),
        UnionRule(KnownUserResolveNamesRequest, KnownBuildLockNamesRequest),
        UnionRule(RequestedUserResolveNames, RequestedBuildLockNames),
    )
