"""Lockfiles and plans: which artifact serves which distribution on which platform."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Iterable

from pants.engine.rules import collect_rules, rule

from slim_python_image import engine
from slim_python_image.products import (
    Artifact,
    DescribeRequest,
    Description,
    FetchedArtifact,
    LockEntries,
    LockEntriesRequest,
    LockEntry,
    PlannedArtifact,
    Root,
    SlimImageError,
    StepRequest,
    Toolbox,
    WheelPlan,
    WheelPlanRequest,
    canonical_json,
)

_OUT = "out"
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def normalized(name: str) -> str:
    """Return a distribution's name as PEP 503 normalizes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(requirement: str) -> str:
    """Return the normalized name that a PEP 508 requirement starts with."""
    found = _NAME.match(requirement)
    if not found:
        raise SlimImageError(f"cannot read the requirement {requirement!r}")
    return normalized(found.group(1))


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


@rule(desc="Read a lockfile")
async def read_lock(request: LockEntriesRequest, toolbox: Toolbox) -> LockEntries:
    data = await engine.read_path(request.path)
    if data is None:
        raise SlimImageError(
            f"{request.path}: the lockfile is not there\n"
            "  -> write a hash-pinned one, for example: uv pip compile --universal --generate-hashes "
            f"--no-emit-index-url -o {request.path} <requirements>"
        )
    outcome = await engine.run_step(
        StepRequest(
            step="lock-entries",
            arguments=("--lockfile", request.path),
            description=f"Read {request.path}",
            toolbox=toolbox,
            inputs=await engine.create_files({request.path: data}),
        )
    )
    return LockEntries(
        request.path,
        tuple(
            LockEntry(entry["name"], entry["version"], canonical_json(entry).decode())
            for entry in outcome.fields()["entries"]
        ),
    )


@rule
async def describe(request: DescribeRequest, toolbox: Toolbox) -> Description:
    hashes = tuple(part for sha256 in request.hashes for part in ("--sha256", sha256))
    outcome = await engine.run_step(
        StepRequest(
            step="describe",
            arguments=("--name", request.name, "--version", request.version, *hashes, "--output", _OUT),
            description=f"Look up {request.name} {request.version}",
            toolbox=toolbox,
            output_directories=(_OUT,),
        )
    )
    outcome.fields()
    return Description(outcome.document, await engine.remove_prefix(outcome.digest, _OUT))


def _incomplete(entry: dict[str, Any]) -> bool:
    """Whether a lock leaves something out that the plan needs."""
    return entry["requires_dist"] is None or any(not f["filename"] for f in entry["files"])


def _complete(entry: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    """Return a lock entry with what its description adds."""
    return {
        **entry,
        "requires_dist": description["requires_dist"],
        "requires_python": entry.get("requires_python") or description.get("requires_python"),
        "files": description["files"],
    }


def _without_lines(entry: dict[str, Any], path: str) -> dict[str, Any]:
    """Return an entry that does not change when a line is added above it."""
    return {**entry, "where": path}


@dataclass(frozen=True)
class CompleteLock:
    """A lockfile's entries with all that a plan needs, and the descriptions that told the rest."""

    entries: list[dict[str, Any]]
    descriptions: dict[tuple[str, str], Description]


async def complete_lock(lockfile: str) -> CompleteLock:
    """Read a lockfile and ask the index for what it leaves out."""
    lock = await engine.lock_entries(LockEntriesRequest(lockfile))
    entries = [entry.fields for entry in lock.entries]
    unknown = [entry for entry in entries if _incomplete(entry)]
    described = await engine.descriptions(
        DescribeRequest(e["name"], e["version"], tuple(sorted(f["sha256"] for f in e["files"])))
        for e in unknown
    )
    by_key = {(e["name"], e["version"]): d for e, d in zip(unknown, described)}
    complete = [
        _complete(e, json.loads(by_key[key].document)) if (key := (e["name"], e["version"])) in by_key else e
        for e in entries
    ]
    return CompleteLock([_without_lines(e, lockfile) for e in complete], by_key)


def root_rows(roots: Iterable[Root]) -> list[dict[str, str]]:
    """Return roots as the core's requests have them."""
    return [{"requirement": r.requirement, "origin": r.origin} for r in sorted(roots)]


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
    outcome = await engine.run_step(
        StepRequest(
            step="plan",
            arguments=("--target", "target.json", "--request", "request.json"),
            description=f"Plan {len(request.roots)} requirements for {request.target.platform}",
            toolbox=toolbox,
            inputs=await engine.create_files(
                {"target.json": request.target.to_json(), "request.json": canonical_json(document)}
            ),
        )
    )
    rows = outcome.fields()["artifacts"]
    planned = []
    for row in rows:
        artifact = Artifact(row["name"], row["version"], row["kind"], row["filename"], row["sha256"])
        description = lock.descriptions.get((artifact.name, artifact.version))
        holds = description is not None and json.loads(description.document)["artifact"]
        inside = description.digest if description and holds == artifact.filename else None
        planned.append(PlannedArtifact(artifact, inside))
    return WheelPlan(tuple(planned), tuple(row["size"] for row in rows))


@rule
async def fetch_artifact(artifact: Artifact, toolbox: Toolbox) -> FetchedArtifact:
    outcome = await engine.run_step(
        StepRequest(
            step="fetch",
            arguments=(
                "--name",
                artifact.name,
                "--version",
                artifact.version,
                "--filename",
                artifact.filename,
                "--sha256",
                artifact.sha256,
                "--output",
                _OUT,
            ),
            description=f"Fetch {artifact.filename}",
            toolbox=toolbox,
            output_directories=(_OUT,),
        )
    )
    outcome.fields()
    return FetchedArtifact(await engine.remove_prefix(outcome.digest, _OUT))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
