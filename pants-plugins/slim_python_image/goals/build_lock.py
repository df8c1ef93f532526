"""`pants generate-lockfiles` of what sdists require to be built."""

from __future__ import annotations

import json
import logging
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

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

from slim_python_image import engine
from slim_python_image.bases import Base
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Artifact, SlimImageError, canonical_json
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import ExtendsField
from slim_python_image.util_rules.build_pins import (
    build_lock_path,
    build_resolve,
    empty_lock,
    is_build_lock,
    previous_pins,
)
from slim_python_image.util_rules.build_requirements import SdistLock, SdistLockRequest, lock_sdist
from slim_python_image.util_rules.plan_coverage import PlanAttempt, attempt_plan
from slim_python_image.util_rules.plans import WheelPlan, WheelPlanRequest
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step
from slim_python_image.util_rules.subjects import Subject, SubjectRequest, attempt_subject, read_subject
from slim_python_image.util_rules.wheels import cross_build, without_group
from slim_python_image.wheel_set_target import WheelSetDependenciesField

logger = logging.getLogger(__name__)


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


async def _planned(subjects: Iterable[Subject]) -> tuple[tuple[PlanNeed, WheelPlan], ...]:
    """Plan what targets need; what is wrong with one of them stops no lock of the others.

    :raises SlimImageError: something is wrong with each.
    """
    pairs = [(subject, platform) for subject in subjects for platform in subject.platforms]
    outcomes = await concurrently(attempt_plan(PlanAttempt(*pair), **implicitly()) for pair in pairs)
    errors = {
        outcome.error: subject.address for (subject, _), outcome in zip(pairs, outcomes) if outcome.error
    }
    if outcomes and all(outcome.error for outcome in outcomes):
        raise SlimImageError("\n".join(errors))
    for error, address in errors.items():
        logger.warning("Nothing is locked for %s: %s", address, error)
    return tuple(
        (PlanNeed(subject.plan_request(outcome.base), outcome.base), outcome.plan)
        for (subject, _), outcome in zip(pairs, outcomes)
        if outcome.base and outcome.plan
    )


def sdists_to_lock(
    needs: Iterable[PlanNeed], chosen: Iterable[Iterable[Artifact]]
) -> dict[tuple[str, Artifact], PlanNeed]:
    """Return the sdists to lock, by minor version of the Python that builds them and sdist.

    Each with the base that its backend is asked on: of several, the first by platform and name, so that it is
    the same whichever machine locks.
    """
    found: dict[tuple[str, Artifact], PlanNeed] = {}
    ordered = sorted(
        zip(needs, chosen), key=lambda pair: (pair[0].base.target.platform, pair[0].base.resolve)
    )
    for need, artifacts in ordered:
        for artifact in artifacts:
            if artifact.kind == "sdist":
                found.setdefault((need.base.target.minor, artifact), need)
    return {key: found[key] for key in sorted(found, key=lambda key: (key[1], key[0]))}


def lock_request(
    artifact: Artifact,
    need: PlanNeed,
    options: SlimImageOptions,
    *,
    before: bytes | None,
    resolve: str,
    platforms: Iterable[str],
    place: str,
) -> SdistLockRequest:
    """Return the request to lock one sdist.

    :param before: the lock so far.
    :param platforms: those that wheels of the resolve are built for.
    """
    # Its own builder packages may be locked by the same command, at this moment: then without them.
    base = without_group(need.base, artifact.name, options)
    build = cross_build(base, artifact, (), options, resolve)
    constraints = options.build_settings(artifact.name).get("constraints", [])
    if not isinstance(constraints, (list, tuple)) or not all(isinstance(one, str) for one in constraints):
        raise SlimImageError(
            f"[slim-image].builds: `constraints` of {artifact.name} is {constraints!r}\n"
            '  -> write a list of requirements: ["setuptools<81"]'
        )
    return SdistLockRequest(
        build=build,
        constraints=tuple(constraints),
        before=previous_pins(before, artifact, need.base.target.minor),
        emulated=tuple(one for one in sorted(set(platforms)) if options.emulates(artifact.name, one)),
        place=place,
    )


def composed(found: Mapping[tuple[str, Artifact], SdistLock]) -> Mapping[str, Any]:
    """Return the core's request for the whole lock.

    :param found: by minor version of Python and sdist.
    """
    parts = [json.loads(lock.document) for lock in found.values() if lock.error is None]
    minors = sorted({minor for minor, _ in found})
    files: dict[str, dict[str, Any]] = defaultdict(dict)
    for part in parts:
        for pin, rows in part["files"].items():
            files[pin].update({row["filename"]: row for row in rows})
    crates: dict[str, str] = {}
    for part in parts:
        for crate, sha256 in part["crates"].items():
            if crates.setdefault(crate, sha256) != sha256:
                sdist = part["environments"][0]["sdist"]
                raise SlimImageError(
                    f"{sdist}: its Cargo.lock has another checksum of the crate {crate} than another sdist's"
                    "\n  -> find out which is right before you lock again"
                )
    return {
        "environments": [row for part in parts for row in part["environments"]],
        "files": {pin: [rows[name] for name in sorted(rows)] for pin, rows in files.items()},
        "crates": crates,
        "pythons": minors,
        "minors": minors,
        "failed": sorted(
            {f"{one.name}=={one.version}" for (_, one), lock in found.items() if lock.error is not None}
        ),
    }


def failure_report(locks: Iterable[SdistLock]) -> str | None:
    """Return what to tell of the sdists that could not be locked, all together."""
    every = tuple(locks)
    failed = [lock.error for lock in every if lock.error is not None]
    if not failed:
        return None
    count = f"{len(failed)} of {len(every)} sdists" if len(every) > 1 else "the sdist"
    return "\n\n".join([f"what the build of {count} requires could not be locked:", *failed])


async def _locked(
    wanted: Mapping[tuple[str, Artifact], PlanNeed],
    resolve: str,
    platforms: Iterable[str],
    before: bytes | None,
    options: SlimImageOptions,
) -> dict[tuple[str, Artifact], SdistLock]:
    """Lock each sdist; what keeps one from it keeps no other."""
    requests: dict[tuple[str, Artifact], SdistLockRequest] = {}
    found: dict[tuple[str, Artifact], SdistLock] = {}
    for number, (key, need) in enumerate(wanted.items(), 1):
        place = f"{number} of {len(wanted)}"
        request = attempted(
            key[1], need, options, before=before, resolve=resolve, platforms=platforms, place=place
        )
        if isinstance(request, SdistLock):
            found[key] = request
        else:
            requests[key] = request
    locks = await concurrently(lock_sdist(one, **implicitly()) for one in requests.values())
    found.update(zip(requests, locks))
    return {key: found[key] for key in wanted}


def attempted(
    artifact: Artifact, need: PlanNeed, options: SlimImageOptions, **more: Any
) -> SdistLockRequest | SdistLock:
    """Return the request to lock one sdist, or why it cannot be made."""
    try:
        return lock_request(artifact, need, options, **more)
    except SlimImageError as e:
        return SdistLock(error=str(e))


@rule
async def lock_builds(
    request: GenerateBuildLock, options: SlimImageOptions, toolbox: Toolbox
) -> GenerateLockfileResult:
    subjects = await concurrently(
        read_subject(SubjectRequest(address), **implicitly()) for address in request.subjects
    )
    planned = await _planned(subjects)
    needs = [need for need, _ in planned]
    wanted = sdists_to_lock(needs, ([one.artifact for one in plan.artifacts] for _, plan in planned))
    path, name = request.lockfile_dest, request.resolve_name
    previous = await engine.read_path(path)
    if previous is not None and not is_build_lock(previous):
        logger.warning("%s: is no build lock, so all of it is locked anew.", path)
        previous = None
    if not wanted:
        logger.info("%s: nothing of the resolve is compiled today.", name)
        # Pants says that it wrote the lock: so there is one, of nothing.
        kept = await engine.create_files({path: previous or canonical_json(empty_lock())})
        return GenerateLockfileResult(kept, name, path)
    platforms = [need.base.target.platform for need in needs]
    found = await _locked(wanted, request.python_resolve, platforms, previous, options)
    for warning in [lock.warning for lock in found.values() if lock.warning]:
        logger.warning("%s", warning)
    failures = failure_report(found.values())
    if failures and all(lock.error is not None for lock in found.values()):
        raise SlimImageError(f"{name}: {failures}")
    if failures:
        logger.error("%s: %s\n\nThe others are locked; these keep what the lock had of them.", name, failures)
    files = {"request.json": canonical_json(composed(found))}
    if previous is not None:
        files[os.path.join("previous", path)] = previous
    outcome = await run_step(
        StepRequest(
            step="build-lock",
            arguments=(
                *("--request", "request.json", "--output", path),
                *(("--previous", os.path.join("previous", path)) if previous is not None else ()),
            ),
            description=f"Write {path}",
            toolbox=toolbox,
            inputs=await engine.create_files(files),
            output_files=(path,),
        ),
        **implicitly(),
    )
    outcome.fields()
    return GenerateLockfileResult(outcome.digest, name, path)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (
        *collect_rules(),
        UnionRule(GenerateLockfile, GenerateBuildLock),
        UnionRule(KnownUserResolveNamesRequest, KnownBuildLockNamesRequest),
        UnionRule(RequestedUserResolveNames, RequestedBuildLockNames),
    )
