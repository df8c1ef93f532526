"""What a plan would cost: which distributions come as sdists, what is in these, and what would help."""

from __future__ import annotations

from typing import Iterable

from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.rules import collect_rules, rule
from pants.engine.target import Dependencies
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.products import (
    BaseRequest,
    CoverageSubject,
    CoverageSubjectRequest,
    InspectedSdist,
    InspectSdist,
    NewestWheels,
    NewestWheelsRequest,
    PlanAttempt,
    PlanOutcome,
    SlimImageError,
    StepRequest,
    Toolbox,
    WheelPlanRequest,
    canonical_json,
)
from slim_python_image.target_types import (
    ExtendsField,
    ImageDependenciesField,
    WheelSetDependenciesField,
)
from slim_python_image.util_rules.footing import footing
from slim_python_image.util_rules.locks import complete_lock, normalized, root_rows
from slim_python_image.util_rules.parts import (
    binary_choices,
    dependency_targets,
    platforms_of,
    requirements_of,
)


def by_choice(name: str, no_binary: Iterable[str], only_binary: Iterable[str]) -> bool:
    """Tell whether a distribution may not come as a wheel. A name is stronger than `:all:`, as in pip."""
    without = {normalized(n) if n != ":all:" else n for n in no_binary}
    named = {normalized(n) for n in only_binary}
    return name in without or (":all:" in without and name not in named)


@rule(desc="Read what an image needs planned")
async def read_subject(request: CoverageSubjectRequest, python_setup: PythonSetup) -> CoverageSubject:
    """Read a target and those it extends, whose wheels its layers hold too."""
    target = (await engine.target(request.address, "a target to look at")).target
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
    inherited = await engine.coverage_subjects(CoverageSubjectRequest(parent) for parent in parents)
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
        base = await engine.base(BaseRequest(subject.base, request.platform))
        plan = await engine.wheel_plan(
            WheelPlanRequest(
                subject.roots, subject.lockfile, base.target, subject.no_binary, subject.only_binary
            )
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
            (fetched,) = await engine.fetched((artifact,))
            digest = fetched.digest
        outcome = await engine.run_step(
            StepRequest(
                step="inspect-sdist",
                arguments=("--sdist", artifact.filename),
                description=f"Look inside {artifact.filename}",
                toolbox=toolbox,
                inputs=digest,
            )
        )
        fields = outcome.fields()
    except SlimImageError as e:
        return InspectedSdist(error=str(e))
    return InspectedSdist(fields["native"], fields["rust"], fields["size"])


@rule
async def find_newest_wheels(request: NewestWheelsRequest, toolbox: Toolbox) -> NewestWheels:
    """Ask the index for versions that have a wheel, anew in each run."""
    lock = await complete_lock(request.lockfile)
    document = {
        "names": list(request.names),
        "roots": root_rows(request.roots),
        "entries": lock.entries,
        "lockfile": request.lockfile,
    }
    outcome = await engine.run_step(
        StepRequest(
            step="newest-wheel",
            arguments=("--target", "target.json", "--request", "request.json"),
            description=f"Look for wheels of {len(request.names)} projects for {request.target.platform}",
            toolbox=toolbox,
            inputs=await engine.create_files(
                {"target.json": request.target.to_json(), "request.json": canonical_json(document)}
            ),
            fresh=True,
        )
    )
    if outcome.error is not None:
        return NewestWheels(error=outcome.error)
    return NewestWheels(FrozenDict({row["name"]: row["version"] for row in outcome.fields()["wheels"]}))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
