"""`pants slim-coverage`: what a platform will cost, before anything is built for it."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from enum import Enum
from typing import Iterable, Mapping

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonRequirementResolveField, PythonRequirementsField
from pants.engine.console import Console
from pants.engine.fs import FileEntry
from pants.engine.goal import Goal, GoalSubsystem, Outputting
from pants.engine.target import AllTargets, Target, Targets
from pants.option.option_types import EnumOption
from pants.util.strutil import softwrap

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, concurrently, goal_rule, implicitly
from slim_python_image.goals.coverage_report import Fault, Row, Table, json_report, text_report
from slim_python_image.products import Artifact, Root, TargetEnvironment
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import ExtendsField
from slim_python_image.util_rules.newest_wheels import NewestWheels, NewestWheelsRequest, find_newest_wheels
from slim_python_image.util_rules.plan_coverage import (
    InspectedSdist,
    InspectSdist,
    PlanAttempt,
    PlanOutcome,
    attempt_plan,
    by_choice,
    inspect_sdist,
)
from slim_python_image.util_rules.plans import PlannedArtifact
from slim_python_image.util_rules.subjects import Subject, SubjectRequest, read_subject
from slim_python_image.wheel_set_target import WheelSetDependenciesField

logger = logging.getLogger(__name__)


class CoverageFormat(Enum):
    """How the report reads."""

    TEXT = "text"
    JSON = "json"


class SlimCoverageSubsystem(Outputting, GoalSubsystem):
    """Options of `slim-coverage`."""

    name = "slim-coverage"
    help = softwrap(
        """
        Show what images and wheel sets cost on each platform before anything is built: which
        distributions come as wheels, which as sdists, and which of these have to be compiled.

        Give it `slim_python_image` and `python_wheel_set` targets, or `::` for all of them. Where no
        wheel fits a platform, its Python and its libc, it names the newest version that has one and
        that everything in the lock, and every requirement of the resolve, allows.

        It plans from the lockfile and the index, and fetches the sdists to look inside; it runs none
        of their code. The exit code is 1 when a platform has no plan, or part of the answer could
        not be found out; the rest is printed all the same.
        """
    )

    format = EnumOption(
        default=CoverageFormat.TEXT,
        help="`text`: a table per platform, then a summary of each. `json`: the same for programs.",
    )


class SlimCoverage(Goal):
    """What a platform will cost."""

    subsystem_cls = SlimCoverageSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@dataclass(frozen=True, order=True)
class Place:
    """What targets share a table: the platform, what wheels must fit there, and the lockfile."""

    platform: str
    lockfile: str
    resolve: str
    target: TargetEnvironment | None


@dataclass(frozen=True)
class Planned:
    """One platform of one target, planned or not."""

    subject: Subject
    platform: str
    outcome: PlanOutcome

    @property
    def place(self) -> Place:
        """The table that it goes to."""
        return Place(self.platform, self.subject.lockfile, self.subject.resolve, self.outcome.target)

    def sdists(self) -> dict[PlannedArtifact, str]:
        """Return the sdists and why they are: `no_binary` or `no_wheel`."""
        subject, plan = self.subject, self.outcome.plan
        return {
            one: "no_binary"
            if by_choice(one.artifact.name, subject.no_binary, subject.only_binary)
            else "no_wheel"
            for one in (plan.artifacts if plan else ())
            if one.artifact.kind == "sdist"
        }


def by_place(planned: Iterable[Planned]) -> dict[Place, tuple[Planned, ...]]:
    """Return plans by the table that they go to.

    A failed plan goes to the table of its platform and lockfile, where there is one.
    """
    groups: dict[Place, list[Planned]] = defaultdict(list)
    failed = []
    for one in planned:
        if one.outcome.target is None:
            failed.append(one)
        else:
            groups[one.place].append(one)
    for one in failed:
        same = [p for p in groups if replace(p, target=None) == one.place and p.target]
        groups[min(same, default=one.place)].append(one)

    def order(place: Place) -> tuple[str, str, str, bool, str]:
        return (place.platform, place.lockfile, place.resolve, place.target is not None, str(place.target))

    return {
        place: tuple(sorted(groups[place], key=lambda one: one.subject.address))
        for place in sorted(groups, key=order)
    }


@dataclass(frozen=True)
class Findings:
    """What was found out besides the plans."""

    sdists: Mapping[Artifact, InspectedSdist]
    newest: Mapping[Place, NewestWheels]
    sizes: Mapping[Artifact, int]
    """Bytes of files that a description holds."""
    pure: frozenset[str]
    """Names that `[slim-image].builds` says are meant to be pure."""


def _row(artifact: Artifact, size: int | None, found: Findings) -> Row:
    size = found.sizes.get(artifact, size)
    if artifact.kind != "sdist":
        return Row(artifact, size, ())
    inside = found.sdists.get(artifact, InspectedSdist())
    native = False if artifact.name in found.pure else inside.native
    return Row(artifact, inside.size or size, (), native=native, rust=inside.rust)


def rows(place: Place, planned: Iterable[Planned], found: Findings) -> tuple[Row, ...]:
    """Return the distributions of one table, each artifact once."""
    newest = found.newest.get(place, NewestWheels()).versions
    table: dict[Artifact, Row] = {}
    for one in planned:
        if one.outcome.plan is None:
            continue
        reasons = {sdist.artifact: reason for sdist, reason in one.sdists().items()}
        for each, size in zip(one.outcome.plan.artifacts, one.outcome.plan.sizes):
            artifact = each.artifact
            row = table.get(artifact) or _row(artifact, size, found)
            row = replace(row, targets=(*row.targets, str(one.subject.address)))
            # Somebody needs a wheel that is not there, even if somebody else wants none.
            if artifact in reasons and row.reason != "no_wheel":
                row = replace(row, reason=reasons[artifact])
            if row.reason == "no_wheel" and artifact.name in newest:
                row = replace(row, newest_wheel=newest[artifact.name], searched=True)
            table[artifact] = row
    return tuple(table[artifact] for artifact in sorted(table))


def faults(place: Place, planned: Iterable[Planned], found: Findings) -> tuple[Fault, ...]:
    """Return what could not be found out for one table, each message once."""
    errors: dict[str, list[str]] = defaultdict(list)
    everyone = []
    for one in planned:
        address = str(one.subject.address)
        everyone.append(address)
        if one.outcome.error is not None:
            errors[one.outcome.error].append(address)
        for sdist in one.sdists():
            error = found.sdists.get(sdist.artifact, InspectedSdist()).error
            if error is not None:
                errors[error].append(address)
    unanswered = found.newest.get(place, NewestWheels()).error
    if unanswered is not None:
        errors[unanswered] = everyone
    return tuple(Fault(tuple(dict.fromkeys(targets)), error) for error, targets in sorted(errors.items()))


def notes(planned: Iterable[Planned]) -> tuple[str, ...]:
    """Return what plans have to say, each line once."""
    plans = [one.outcome.plan for one in planned if one.outcome.plan]
    return tuple(dict.fromkeys(note for plan in plans for note in plan.notes))


def resolve_roots(targets: Iterable[Target], python_setup: PythonSetup) -> dict[str, tuple[Root, ...]]:
    """Return all requirements of the repository by resolve."""
    found: dict[str, set[Root]] = defaultdict(set)
    for target in targets:
        if target.has_field(PythonRequirementsField):
            resolve = target[PythonRequirementResolveField].normalized_value(python_setup)
            found[resolve] |= {
                Root(str(requirement), str(target.address))
                for requirement in target[PythonRequirementsField].value
            }
    return {resolve: tuple(sorted(roots)) for resolve, roots in found.items()}


def newest_requests(
    groups: Mapping[Place, Iterable[Planned]], roots: Mapping[str, tuple[Root, ...]]
) -> dict[Place, NewestWheelsRequest]:
    """Return what to look for: of each table, the distributions that no wheel fits."""
    requests = {}
    for place, planned in groups.items():
        names = {
            sdist.artifact.name
            for one in planned
            for sdist, reason in one.sdists().items()
            if reason == "no_wheel"
        }
        if names and place.target is not None:
            own = {root for one in planned for root in one.subject.roots}
            every = tuple(sorted({*own, *roots.get(place.resolve, ())}))
            requests[place] = NewestWheelsRequest(tuple(sorted(names)), every, place.lockfile, place.target)
    return requests


async def _planned(targets: Iterable[Target]) -> tuple[Planned, ...]:
    subjects = await concurrently(
        read_subject(SubjectRequest(target.address), **implicitly()) for target in targets
    )
    pairs = [(subject, platform) for subject in subjects for platform in subject.platforms]
    outcomes = await concurrently(
        attempt_plan(PlanAttempt(subject, platform, subject.packages), **implicitly())
        for subject, platform in pairs
    )
    return tuple(Planned(*pair, outcome) for pair, outcome in zip(pairs, outcomes))


async def _sizes(planned: Iterable[Planned]) -> dict[Artifact, int]:
    """Return the sizes of files that the index gave while it was asked, whatever it says of sizes."""
    sizes: dict[Artifact, int] = {}
    plans = [one.outcome.plan for one in planned if one.outcome.plan]
    for each in sorted(
        {a for plan in plans for a in plan.artifacts if a.described}, key=lambda a: a.artifact
    ):
        assert each.described is not None
        for entry in await engine.entries(each.described):
            if isinstance(entry, FileEntry) and entry.path == each.artifact.filename:
                sizes[each.artifact] = entry.file_digest.serialized_bytes_length
    return sizes


async def _findings(
    groups: Mapping[Place, tuple[Planned, ...]],
    roots: Mapping[str, tuple[Root, ...]],
    options: SlimImageOptions,
) -> Findings:
    planned = [one for group in groups.values() for one in group]
    sdists = sorted(
        {InspectSdist(sdist.artifact, sdist.described) for one in planned for sdist in one.sdists()},
        key=lambda request: request.artifact,
    )
    inspected = await concurrently(inspect_sdist(one, **implicitly()) for one in sdists)
    requests = newest_requests(groups, roots)
    newest = await concurrently(find_newest_wheels(one, **implicitly()) for one in requests.values())
    return Findings(
        sdists={request.artifact: one for request, one in zip(sdists, inspected)},
        newest=dict(zip(requests, newest)),
        sizes=await _sizes(planned),
        pure=frozenset(name for name in options.builds if options.build_settings(name).get("pure")),
    )


@goal_rule
async def slim_coverage(  # noqa: PLR0917 (the engine fills them in)
    console: Console,
    subsystem: SlimCoverageSubsystem,
    targets: Targets,
    all_targets: AllTargets,
    python_setup: PythonSetup,
    options: SlimImageOptions,
) -> SlimCoverage:
    """Plan, look inside sdists, and print."""
    chosen = sorted(
        (t for t in targets if t.has_field(ExtendsField) or t.has_field(WheelSetDependenciesField)),
        key=lambda target: target.address,
    )
    if not chosen:
        logger.warning(
            "No `slim_python_image` or `python_wheel_set` target is among those given. "
            "Name one, or use `::` for all of them."
        )
    groups = by_place(await _planned(chosen))
    found = await _findings(groups, resolve_roots(all_targets, python_setup), options)
    tables = tuple(
        Table(
            platform=place.platform,
            target=place.target,
            lockfile=place.lockfile,
            targets=tuple(str(one.subject.address) for one in planned),
            rows=rows(place, planned, found),
            faults=faults(place, planned, found),
            notes=notes(planned),
        )
        for place, planned in groups.items()
    )
    as_json = subsystem.format is CoverageFormat.JSON
    if tables or as_json:
        with subsystem.output(console) as write:
            write(json_report(tables) if as_json else text_report(tables))
    return SlimCoverage(exit_code=1 if any(table.faults for table in tables) else 0)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
