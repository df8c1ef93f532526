"""`pants generate-lockfiles` of bases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.core.goals.generate_lockfiles import (
    GenerateLockfile,
    GenerateLockfileResult,
    KnownUserResolveNames,
    KnownUserResolveNamesRequest,
    RequestedUserResolveNames,
    UserGenerateLockfiles,
)
from pants.engine.target import AllTargets, Target
from pants.engine.unions import UnionRule

from slim_python_image import engine
from slim_python_image.base_target import BaseLockfileField, BaseSuitesField
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import canonical_json
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.base_locks import bases_by_name
from slim_python_image.util_rules.debian_locks import lock_inputs
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step


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


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (
        *collect_rules(),
        UnionRule(GenerateLockfile, GenerateBaseLock),
        UnionRule(KnownUserResolveNamesRequest, KnownBaseNamesRequest),
        UnionRule(RequestedUserResolveNames, RequestedBaseNames),
    )
