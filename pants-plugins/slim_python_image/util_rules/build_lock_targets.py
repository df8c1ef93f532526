"""Locks of build requirements as targets: who changes one has changed the images that are compiled with it.

As Pants does for the locks of resolves, a target for each stands in no BUILD file.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import Iterable

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonRequirementResolveField, PythonResolveField
from pants.engine.addresses import Address, Addresses, UnparsedAddressInputs
from pants.engine.internals.build_files import get_dependencies_rule_application
from pants.engine.internals.synthetic_targets import SyntheticAddressMaps, SyntheticTargetsRequest
from pants.engine.internals.target_adaptor import TargetAdaptor
from pants.engine.target import (
    Dependencies,
    DependenciesRuleApplicationRequest,
    FieldSet,
    InferDependenciesRequest,
    InferredDependencies,
)
from pants.engine.unions import UnionRule

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.start_fields import ImageResolveField
from slim_python_image.util_rules.build_pins import build_lock_path, build_resolve
from slim_python_image.wheel_set_target import BaseField

_BUILD_FILE = "BUILD.slim-build-locks"


@dataclass(frozen=True)
class BuildLockTargetsRequest(SyntheticTargetsRequest):
    """The build locks of all resolves, in one go."""

    path: str = SyntheticTargetsRequest.SINGLE_REQUEST_FOR_ALL_TARGETS


@dataclass(frozen=True)
class BuildLockFieldSet(FieldSet):
    """Targets whose wheels may be compiled."""

    required_fields = (BaseField, Dependencies)

    base: BaseField
    dependencies: Dependencies
    resolve: ImageResolveField


class InferBuildLockDependency(InferDependenciesRequest[BuildLockFieldSet]):
    """The build lock of the resolve that an image or a wheel set is of."""

    infer_from = BuildLockFieldSet


def build_locks(python_setup: PythonSetup) -> dict[str, Address]:
    """Return the target of each resolve's build lock; none where Pants makes none for locks either."""
    if not python_setup.enable_synthetic_lockfiles:
        return {}
    return {
        resolve: Address(
            os.path.dirname(build_lock_path(resolve, lockfile)),
            target_name=f"_{build_resolve(resolve)}_lockfile",
        )
        for resolve, lockfile in sorted(python_setup.resolves.items())
    }


@rule
async def build_lock_targets(
    request: BuildLockTargetsRequest, python_setup: PythonSetup
) -> SyntheticAddressMaps:
    found = sorted(
        (address.spec_path, resolve, address) for resolve, address in build_locks(python_setup).items()
    )
    return SyntheticAddressMaps.for_targets_request(
        request,
        [
            (
                os.path.join(folder, _BUILD_FILE),
                tuple(
                    TargetAdaptor(
                        "_lockfiles",
                        name=address.target_name,
                        sources=(os.path.basename(build_lock_path(resolve, "")),),
                        __description_of_origin__=f"the build lock of the resolve {resolve}",
                    )
                    for _, resolve, address in rows
                ),
            )
            for folder, rows in itertools.groupby(found, key=lambda row: row[0])
        ],
    )


async def _resolves_of(fields: BuildLockFieldSet, python_setup: PythonSetup) -> set[str]:
    """Return the resolves that a target may be of: one, where its fields or direct dependencies say it."""
    if fields.resolve.value:
        return {fields.resolve.value}
    named = [text for text in fields.dependencies.value or () if not text.startswith("!")]
    direct = await engine.addresses(
        UnparsedAddressInputs(
            named,
            owning_address=fields.address,
            description_of_origin=f"the field `dependencies` of {fields.address}",
            skip_invalid_addresses=True,
        )
    )
    if not direct:
        return {python_setup.default_resolve}
    found: set[str] = set()
    for target in await engine.generated_targets(direct):
        for field in (PythonResolveField, PythonRequirementResolveField):
            if target.has_field(field):
                found.add(target[field].normalized_value(python_setup))
    return found or set(python_setup.resolves)


async def _allowed(found: Iterable[Address], owner: Address) -> list[Address]:
    """Return those of ``found`` that visibility rules let ``owner`` depend on.

    Nobody wrote these dependencies, so no rule of a repository foresees them: an error would stop every
    image, where all that is at stake is what `--changed-since` finds.
    """
    request = DependenciesRuleApplicationRequest(
        address=owner,
        dependencies=Addresses(found),
        description_of_origin=f"the build lock of {owner}",
    )
    answer = await get_dependencies_rule_application(request, **implicitly())
    return [
        address
        for address in request.dependencies
        # Without such rules, the answer says nothing of any.
        if address not in answer.dependencies_rule
        or answer.dependencies_rule[address].action.value == "allow"
    ]


@rule(desc="Infer the build lock of an image")
async def infer_build_lock(
    request: InferBuildLockDependency, python_setup: PythonSetup
) -> InferredDependencies:
    locks = build_locks(python_setup)
    if not locks:
        return InferredDependencies([])
    resolves = await _resolves_of(request.field_set, python_setup)
    found = [locks[resolve] for resolve in sorted(resolves) if resolve in locks]
    return InferredDependencies(await _allowed(found, request.field_set.address))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (
        *collect_rules(),
        UnionRule(SyntheticTargetsRequest, BuildLockTargetsRequest),
        UnionRule(InferDependenciesRequest, InferBuildLockDependency),
    )
