"""What a plan would cost: which distributions come as sdists, what is in these, and what would help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image.bases import Base, BaseRequest
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.declared_python import check_declared
from slim_python_image.util_rules.fetch import fetch_artifact
from slim_python_image.util_rules.locks import normalized
from slim_python_image.util_rules.plans import WheelPlan, plan_wheels
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step
from slim_python_image.util_rules.subjects import Subject


@dataclass(frozen=True)
class PlanAttempt:
    """Plan one platform of a subject.

    :param packages: what the lock of its base has to have, too, as :class:`BaseRequest` has them.
        Neither a plan nor a build lock depends on them.
    """

    subject: Subject
    platform: str
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanOutcome:
    """A plan and what it is for, or why there is none."""

    target: TargetEnvironment | None = None
    plan: WheelPlan | None = None
    error: str | None = None
    base: Base | None = None


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


@rule
async def attempt_plan(request: PlanAttempt) -> PlanOutcome:
    """Plan one platform; an error is an answer, so that the other platforms are still answered."""
    subject = request.subject
    try:
        # No origin: the error is the same whichever target asks first.
        wanted = BaseRequest(subject.base, request.platform, packages=request.packages)
        read = await read_base(wanted, **implicitly())
        base = read.base
        check_declared(subject.declared, (base,), subject.address, subject.base)
        plan = await plan_wheels(subject.plan_request(base), **implicitly())
    except SlimImageError as e:
        return PlanOutcome(error=str(e))
    return PlanOutcome(base.target, plan, base=base)


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
