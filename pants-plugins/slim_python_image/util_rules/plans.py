"""Plans: which artifact serves which distribution on which platform."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Artifact, Root, TargetEnvironment, canonical_json
from slim_python_image.util_rules.locks import complete_lock, normalized, requirement_name, root_rows
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step


@dataclass(frozen=True)
class WheelPlanRequest:
    """Choose artifacts for ``roots`` from a lockfile."""

    roots: tuple[Root, ...]
    lockfile: str
    target: TargetEnvironment
    no_binary: tuple[str, ...]
    only_binary: tuple[str, ...]


@dataclass(frozen=True)
class PlannedArtifact:
    """An artifact, and where its description already holds the file."""

    artifact: Artifact
    described: Digest | None


@dataclass(frozen=True)
class WheelPlan:
    """One artifact per distribution, by name.

    :param sizes: bytes of each artifact, ``None`` where the index does not say.
    :param required_by: of each artifact, the names that require it.
    """

    artifacts: tuple[PlannedArtifact, ...]
    sizes: tuple[int | None, ...]
    required_by: tuple[tuple[str, ...], ...] = ()


def reachable(roots: Iterable[str], requires: dict[str, frozenset[str]]) -> frozenset[str]:
    """Return the names that ``roots`` may need, markers and extras not looked at.

    A superset of what the plan chooses: it keeps lines of the lock that cannot matter out of the
    plan's key.
    """
    seen: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(requires.get(name, ()))
    return frozenset(seen)


@rule(desc="Plan wheels")
async def plan_wheels(request: WheelPlanRequest, toolbox: Toolbox) -> WheelPlan:
    if not request.roots:
        return WheelPlan((), ())
    lock = await complete_lock(request.lockfile)
    requires: dict[str, frozenset[str]] = {}
    for entry in lock.entries:
        names = frozenset(requirement_name(r) for r in entry["requires_dist"])
        requires[entry["name"]] = requires.get(entry["name"], frozenset()) | names
    needed = reachable((requirement_name(root.requirement) for root in request.roots), requires)
    document = {
        "roots": root_rows(request.roots),
        "entries": [entry for entry in lock.entries if entry["name"] in needed],
        "no_binary": sorted(n for n in request.no_binary if n == ":all:" or normalized(n) in needed),
        "only_binary": sorted(n for n in request.only_binary if n == ":all:" or normalized(n) in needed),
        "lockfile": request.lockfile,
    }
    outcome = await run_step(
        StepRequest(
            step="plan",
            arguments=("--target", "target.json", "--request", "request.json"),
            description=f"Plan {len(request.roots)} requirements for {request.target.platform}",
            toolbox=toolbox,
            inputs=await engine.create_files(
                {"target.json": request.target.to_json(), "request.json": canonical_json(document)}
            ),
        ),
        **implicitly(),
    )
    rows = outcome.fields()["artifacts"]
    planned = []
    for row in rows:
        artifact = Artifact(row["name"], row["version"], row["kind"], row["filename"], row["sha256"])
        description = lock.descriptions.get((artifact.name, artifact.version))
        holds = description is not None and json.loads(description.document)["artifact"]
        inside = description.digest if description and holds == artifact.filename else None
        planned.append(PlannedArtifact(artifact, inside))
    return WheelPlan(
        tuple(planned),
        tuple(row["size"] for row in rows),
        tuple(tuple(row["required_by"]) for row in rows),
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
