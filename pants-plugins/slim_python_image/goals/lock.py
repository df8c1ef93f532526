"""`pants generate-lockfiles` of bases and of build requirements."""

from __future__ import annotations

import itertools
import logging
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
from pants.engine.fs import Digest, FileEntry
from pants.engine.target import AllTargets, Target
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.base_target import BaseLockfileField, BaseSuitesField
from slim_python_image.bases import Base, BaseRequest, Interpreter
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Artifact, canonical_json
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import ExtendsField
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.base_locks import bases_by_name
from slim_python_image.util_rules.build_pins import build_lock_path, build_resolve, empty_lock
from slim_python_image.util_rules.build_programs import programs_for
from slim_python_image.util_rules.debian_locks import lock_inputs
from slim_python_image.util_rules.fetch import fetch_artifact
from slim_python_image.util_rules.interpreter import interpreter_tree
from slim_python_image.util_rules.plans import WheelPlanRequest, plan_wheels
from slim_python_image.util_rules.steps import ResolverToolbox, StepRequest, Toolbox, run_step
from slim_python_image.util_rules.subjects import Subject, SubjectRequest, attempt_subject, read_subject
from slim_python_image.util_rules.sysroot import ProgramsRequest, unpack_programs
from slim_python_image.wheel_set_target import WheelSetDependenciesField

logger = logging.getLogger(__name__)

# --- bases ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GenerateBaseLock(GenerateLockfile):
    """Resolve and lock the Debian packages of one base."""

    request: str


class RequestedBaseNames(RequestedUserResolveNames):
    """Bases to lock, by target name."""


class KnownBaseNamesRequest(KnownUserResolveNamesRequest):
    """Which bases there are."""


@rule
async def known_bases(_: KnownBaseNamesRequest, all_targets: AllTargets) -> KnownUserResolveNames:
    return KnownUserResolveNames(
        names=tuple(sorted(bases_by_name(all_targets, BaseSuitesField))),
        option_name="the names of `debian_python_base` targets",
        requested_resolve_names_cls=RequestedBaseNames,
    )


def lock_request(base: Target, options: SlimImageOptions) -> str:
    """Return the core's request for the lock of a base: its fields, and what the options add to it."""
    groups = options.builder_groups(base.address.target_name)
    added: dict[str, object] = {}
    if groups:
        added["builder_groups"] = {name: list(names) for name, names in groups.items()}
    if options.compilers():
        added["compilers"] = list(options.compilers())
    return canonical_json({**lock_inputs(base), **added}).decode()


@rule
async def base_lock_requests(
    requested: RequestedBaseNames, all_targets: AllTargets, options: SlimImageOptions
) -> UserGenerateLockfiles:
    bases = bases_by_name(all_targets, BaseSuitesField)
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
    subjects: tuple[Address, ...]


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


async def subjects_of(targets: Iterable[Target]) -> dict[str, tuple[Address, ...]]:
    """Return the images and wheel sets among targets by the resolve that their wheels are of.

    What is broken in one of them is for it to report when it is packaged: it stops no lock of others.
    """
    addresses = sorted(
        t.address for t in targets if t.has_field(ExtendsField) or t.has_field(WheelSetDependenciesField)
    )
    attempts = await concurrently(
        attempt_subject(SubjectRequest(address), **implicitly()) for address in addresses
    )
    found: dict[str, list[Address]] = defaultdict(list)
    for address, attempt in zip(addresses, attempts):
        if attempt.subject is None:
            logger.warning("Nothing is locked for %s: %s", address, attempt.error)
        else:
            found[attempt.subject.resolve].append(address)
    return {resolve: tuple(members) for resolve, members in found.items()}


@rule
async def build_lock_requests(
    requested: RequestedBuildLockNames, all_targets: AllTargets, python_setup: PythonSetup
) -> UserGenerateLockfiles:
    wanted = {
        name: lockfile for name, lockfile in python_setup.resolves.items() if build_resolve(name) in requested
    }
    subjects = await subjects_of(all_targets)
    for name in sorted(wanted.keys() - subjects.keys()):
        logger.info("%s: no image and no wheel set is of the resolve %s.", build_resolve(name), name)
    return UserGenerateLockfiles(
        GenerateBuildLock(
            resolve_name=build_resolve(name),
            lockfile_dest=build_lock_path(name, wanted[name]),
            diff=False,
            python_resolve=name,
            subjects=subjects[name],
        )
        for name in sorted(wanted.keys() & subjects.keys())
    )


@dataclass(frozen=True)
class PlanNeed:
    """A plan that some target needs, and the base it stands on."""

    plan: WheelPlanRequest
    base: Base


async def _needs(subject: Subject) -> tuple[PlanNeed, ...]:
    bases = await concurrently(
        read_base(BaseRequest(subject.base, platform, origin=str(subject.address)), **implicitly())
        for platform in subject.platforms
    )
    return tuple(PlanNeed(subject.plan_request(read.base), read.base) for read in bases)


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


def programs_by_minor(needs: Iterable[PlanNeed]) -> dict[str, ProgramsRequest | None]:
    """Return the programs that give hooks a root of their own, by the minor version of their Python."""
    found: dict[str, ProgramsRequest | None] = {}
    for need in needs:
        found.setdefault(need.base.target.minor, programs_for(need.base, ()))
    return found


def emulated_platforms(
    sdists: Iterable[Artifact], needs: Iterable[PlanNeed], options: SlimImageOptions
) -> dict[str, list[str]]:
    """Return the platforms in whose containers sdists are built, by sdist: wheels for them are locked too."""
    platforms = sorted({need.base.target.platform for need in needs})
    found = {a.name: [p for p in platforms if options.emulates(a.name, p)] for a in sdists}
    return {name: chosen for name, chosen in found.items() if chosen}


async def _sdist_row(artifact: Artifact, fetched: Digest) -> dict[str, str]:
    row = {
        "name": artifact.name,
        "version": artifact.version,
        "filename": artifact.filename,
        "sha256": artifact.sha256,
    }
    if not artifact.source:
        return row
    # What names a commit is no hash of the file that is made of it.
    (entry,) = await engine.entries(fetched)
    assert isinstance(entry, FileEntry)
    return {**row, "content": entry.file_digest.fingerprint}


@rule
async def lock_builds(
    request: GenerateBuildLock,
    options: SlimImageOptions,
    resolver: ResolverToolbox,
) -> GenerateLockfileResult:
    subjects = await concurrently(
        read_subject(SubjectRequest(address), **implicitly()) for address in request.subjects
    )
    needs: list[PlanNeed] = []
    for subject in subjects:
        needs.extend(await _needs(subject))
    plans = await concurrently(plan_wheels(need.plan, **implicitly()) for need in needs)
    by_interpreter = sdists_by_interpreter(
        needs, ([planned.artifact for planned in plan.artifacts] for plan in plans)
    )
    previous = await engine.read_path(request.lockfile_dest)
    if not by_interpreter and previous is None:
        # Pants says that it wrote the lock: so there is one, of nothing.
        logger.info("%s: nothing of the resolve is compiled today.", request.resolve_name)
        previous = canonical_json(empty_lock())
    digest = await engine.create_files({request.lockfile_dest: previous or b""} if previous else {})
    written = previous is not None
    programs = programs_by_minor(needs)
    emulated = emulated_platforms(itertools.chain(*by_interpreter.values()), needs, options)
    for interpreter, sdists in by_interpreter.items():
        fetched = await concurrently(fetch_artifact(one, **implicitly()) for one in sdists)
        files = await engine.merge(one.digest for one in fetched)
        document = {
            "sdists": [await _sdist_row(artifact, one.digest) for artifact, one in zip(sdists, fetched)],
            "constraints": {a.name: options.build_settings(a.name).get("constraints", []) for a in sdists},
            "minors": sorted(i.target.minor for i in by_interpreter),
            "emulated": emulated,
        }
        tools = programs[interpreter.target.minor]
        trees = {"tools": (await unpack_programs(tools, **implicitly())).digest} if tools else {}
        outcome = await run_step(
            StepRequest(
                step="build-lock",
                arguments=(
                    *("--python-minor", interpreter.target.minor, "--sdists", "sdists"),
                    *("--request", "request.json", "--output", request.lockfile_dest),
                    *(("--previous", os.path.join("previous", request.lockfile_dest)) if written else ()),
                    *(("--tools", "tools") if tools else ()),
                    *options.isolation_arguments(),
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
                trees=FrozenDict(trees),
                interpreter=await interpreter_tree(interpreter),
                output_files=(request.lockfile_dest,),
                fresh=True,
            ),
            **implicitly(),
        )
        outcome.fields()
        digest, written = outcome.digest, True
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
