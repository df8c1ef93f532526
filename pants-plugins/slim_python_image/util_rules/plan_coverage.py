"""What a plan would cost: which distributions come as sdists, what is in these, and what would help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.addresses import Address
from pants.engine.fs import Digest
from pants.engine.target import Dependencies

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Artifact, Root, SlimImageError, TargetEnvironment
from slim_python_image.target_types import ExtendsField, ImageDependenciesField
from slim_python_image.util_rules.base import BaseRequest, read_base
from slim_python_image.util_rules.fetch import fetch_artifact
from slim_python_image.util_rules.footing import footing
from slim_python_image.util_rules.locks import normalized
from slim_python_image.util_rules.parts import platforms_of
from slim_python_image.util_rules.plans import WheelPlan, WheelPlanRequest, plan_wheels
from slim_python_image.util_rules.requirements import binary_choices, dependency_targets, requirements_of
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step
from slim_python_image.wheel_set_target import WheelSetDependenciesField


@dataclass(frozen=True)
class CoverageSubjectRequest:
    """Read what an image or a wheel set needs planned."""

    address: Address


@dataclass(frozen=True)
class CoverageSubject:
    """What an image or a wheel set needs planned; nothing of it is built to know that."""

    address: Address
    base: Address
    platforms: tuple[str, ...]
    roots: tuple[Root, ...]
    resolve: str
    lockfile: str
    no_binary: tuple[str, ...]
    only_binary: tuple[str, ...]


@dataclass(frozen=True)
class PlanAttempt:
    """Plan one platform of a subject."""

    subject: CoverageSubject
    platform: str


@dataclass(frozen=True)
class PlanOutcome:
    """A plan and what it is for, or why there is none."""

    target: TargetEnvironment | None = None
    plan: WheelPlan | None = None
    error: str | None = None


@dataclass(frozen=True)
class InspectSdist:
    """Look inside an sdist.

    :param described: where its description already holds the file.
    """

    artifact: Artifact
    described: Digest | None


@dataclass(frozen=True)
class InspectedSdist:
    """Whether an sdist has code to compile, and its size in bytes; or why nobody knows."""

    native: bool | None = None
    rust: bool = False
    size: int | None = None
    error: str | None = None


def by_choice(name: str, no_binary: Iterable[str], only_binary: Iterable[str]) -> bool:
    """Tell whether a distribution may not come as a wheel. A name is stronger than `:all:`, as in pip."""
    without = {normalized(n) if n != ":all:" else n for n in no_binary}
    named = {normalized(n) for n in only_binary}
    return name in without or (":all:" in without and name not in named)


@rule(desc="Read what an image needs planned")
async def read_subject(request: CoverageSubjectRequest, python_setup: PythonSetup) -> CoverageSubject:
    """Read a target and those it extends, whose wheels its layers hold too."""
    target = await engine.target(request.address, "a target to look at")
    below = await footing(target)
    base = below.base
    field: Dependencies
    parents = [below.extends] if below.extends else []
    if target.has_field(ExtendsField):
        field = target[ImageDependenciesField]
    else:
        field = target[WheelSetDependenciesField]
    targets = await dependency_targets(field, (base, *parents))
    requirements = requirements_of(targets, target.address, python_setup)
    inherited = await concurrently(
        read_subject(CoverageSubjectRequest(parent), **implicitly()) for parent in parents
    )
    no_binary, only_binary = binary_choices(target, requirements.resolve, python_setup)
    return CoverageSubject(
        address=target.address,
        base=base,
        platforms=await platforms_of(target, parents[0] if below.inherits else base),
        roots=tuple(sorted({*requirements.roots, *(root for one in inherited for root in one.roots)})),
        resolve=requirements.resolve,
        lockfile=requirements.lockfile,
        no_binary=no_binary,
        only_binary=only_binary,
    )


@rule
async def attempt_plan(request: PlanAttempt) -> PlanOutcome:
    """Plan one platform; an error is an answer, so that the other platforms are still answered."""
    subject = request.subject
    try:
        # No origin: the error is the same whichever target asks first.
        base = await read_base(BaseRequest(subject.base, request.platform), **implicitly())
        plan = await plan_wheels(
            WheelPlanRequest(
                subject.roots, subject.lockfile, base.target, subject.no_binary, subject.only_binary
            ),
            **implicitly(),
        )
    except SlimImageError as e:
        return PlanOutcome(error=str(e))
    return PlanOutcome(base.target, plan)


@rule
async def inspect_sdist(request: InspectSdist, toolbox: Toolbox) -> InspectedSdist:
    """Fetch an sdist and look inside."""
    artifact, digest = request.artifact, request.described
    try:
        if digest is None:
            fetched = await fetch_artifact(artifact, **implicitly())
            digest = fetched.digest
        outcome = await run_step(
            StepRequest(
                step="inspect-sdist",
                arguments=("--sdist", artifact.filename),
                description=f"Look inside {artifact.filename}",
                toolbox=toolbox,
                inputs=digest,
            ),
            **implicitly(),
        )
        fields = outcome.fields()
    except SlimImageError as e:
        return InspectedSdist(error=str(e))
    return InspectedSdist(fields["native"], fields["rust"], fields["size"])


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
