"""`pants generate-lockfiles` of bases."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import Iterable, Mapping

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

from slim_python_image import engine
from slim_python_image.base_target import BaseLockfileField, BaseSuitesField
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.content_fields import ImageExtraPackagesField
from slim_python_image.products import SlimImageError, canonical_json
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.ancestry import added_packages, ancestry
from slim_python_image.util_rules.base_locks import bases_by_name
from slim_python_image.util_rules.debian_locks import lock_inputs
from slim_python_image.util_rules.image_definition import platforms_of
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step

logger = logging.getLogger(__name__)


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


ImagePackages = Mapping[str, Iterable[str]]
"""What images add to a base, as in `Depends`, and the platforms of these images."""


async def image_packages(targets: Iterable[Target]) -> Mapping[Address, ImagePackages]:
    """Return what images add to each base.

    What is broken in one of them is for it to report when it is packaged: it stops no lock of others.
    """
    images = [target for target in targets if target.has_field(ImageExtraPackagesField)]
    found: dict[Address, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    if not any(image[ImageExtraPackagesField].value for image in images):
        return found
    for image in sorted(images, key=lambda target: target.address):
        try:
            packages = await added_packages(image)
            if packages:
                below = await ancestry(image)
                inherited = below.extends if below.extends and below.inherits else below.base
                platforms = await platforms_of(image, inherited)
        except SlimImageError as e:
            logger.warning("No packages are locked for %s: %s", image.address, e)
            continue
        for one in packages:
            found[below.base][one].update(platforms)
    return found


def lock_request(base: Target, options: SlimImageOptions, packages: ImagePackages | None = None) -> str:
    """Return the core's request for the lock of a base: its fields, and what options and images add to it."""
    groups = options.builder_groups(base.address.target_name)
    added: dict[str, object] = {}
    if groups:
        added["builder_groups"] = {name: list(names) for name, names in groups.items()}
    if packages:
        added["image_packages"] = {name: sorted(platforms) for name, platforms in packages.items()}
    if options.compilers():
        added["compilers"] = list(options.compilers())
    return canonical_json({**lock_inputs(base), **added}).decode()


@rule
async def base_lock_requests(
    requested: RequestedBaseNames, all_targets: AllTargets, options: SlimImageOptions
) -> UserGenerateLockfiles:
    bases = bases_by_name(all_targets, BaseSuitesField)
    packages = await image_packages(all_targets)
    return UserGenerateLockfiles(
        GenerateBaseLock(
            resolve_name=name,
            lockfile_dest=bases[name][BaseLockfileField].path,
            diff=False,
            request=lock_request(bases[name], options, packages.get(bases[name].address)),
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
