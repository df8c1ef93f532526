"""Plans: which artifact serves which distribution on which platform."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Artifact, Root, SlimImageError, TargetEnvironment, canonical_json
from slim_python_image.util_rules.declared_python import check_lock
from slim_python_image.util_rules.locks import (
    CompleteLock,
    LockEntriesRequest,
    complete_lock,
    normalized,
    read_lock,
    requirement_name,
    root_rows,
)
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step


@dataclass(frozen=True, order=True)
class BuiltRequires:
    """What a version requires by its built metadata, which its lock and its sdist did not say."""

    name: str
    version: str
    requires: tuple[str, ...]


@dataclass(frozen=True)
class WheelPlanRequest:
    """Choose artifacts for ``roots`` from a lockfile.

    :param built: what is known of versions that were built since; names that the lock has not are left out.
    """

    roots: tuple[Root, ...]
    lockfile: str
    target: TargetEnvironment
    no_binary: tuple[str, ...]
    only_binary: tuple[str, ...]
    built: tuple[BuiltRequires, ...] = ()


@dataclass(frozen=True)
class PlannedArtifact:
    """An artifact, and where its description already holds the file."""

    artifact: Artifact
    described: Digest | None


@dataclass(frozen=True)
class LocalProject:
    """A project of this repository that a lock has by its path: its code comes from targets.

    :param required_by: the ways that lead to it, one line each.
    """

    name: str
    path: str
    required_by: tuple[str, ...]

    def has(self, folder: str) -> bool:
        """Whether a folder of the repository, or what is below it, is this project's.

        A lock of Pex has the whole path on the machine that wrote it.
        """
        path = self.path[2:] if self.path.startswith("./") else self.path
        if not path.startswith("/"):
            return path in ("", ".") or folder == path or folder.startswith(f"{path}/")
        parts = folder.split("/")
        above = ("/".join(parts[: n + 1]) for n in range(len(parts)))
        return any(path.endswith(f"/{one}") for one in above if one)


@dataclass(frozen=True)
class WheelPlan:
    """One artifact per distribution, by name.

    :param sizes: bytes of each artifact, ``None`` where the index does not say.
    :param required_by: of each artifact, the names that require it.
    :param local: projects of this repository that are needed too.
    :param notes: what the plan, and what was asked of the index for it, have to say.
    """

    artifacts: tuple[PlannedArtifact, ...]
    sizes: tuple[int | None, ...]
    required_by: tuple[tuple[str, ...], ...] = ()
    local: tuple[LocalProject, ...] = ()
    notes: tuple[str, ...] = ()


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


_REPLACED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*=(?!=)\s*(.*)", re.DOTALL)


def replacements(overridden: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the projects that overrides put in the place of others (``name=another>2``)."""
    found: dict[str, frozenset[str]] = {}
    for text in overridden:
        replaced = _REPLACED.fullmatch(text)
        if replaced:
            name = normalized(replaced[1])
            found[name] = found.get(name, frozenset()) | {requirement_name(replaced[2])}
    return found


def check_local(local: Iterable[LocalProject], folders: Iterable[str], origin: str) -> None:
    """Check that the code of each project that a lock has by its path is among an image's own.

    :param folders: those of the image's first-party targets.
    :raises SlimImageError: naming the projects that are not.
    """
    known = tuple(folders)
    missing = [one for one in local if not any(one.has(folder) for folder in known)]
    if missing:
        lines = "".join(f"\n  {one.name} ({one.path}): {way}" for one in missing for way in one.required_by)
        raise SlimImageError(
            f"{origin}: the lock has projects by their path, and no code of theirs is among the dependencies"
            f"{lines}\n  -> add their `python_sources` or `python_distribution` to `dependencies`"
        )


def with_built(lock: CompleteLock, built: Iterable[BuiltRequires]) -> CompleteLock:
    """Return a lock that has of some versions what their built metadata requires, as far as it is locked."""
    known = {(one.name, one.version): one.requires for one in built}
    locked = {entry["name"] for entry in lock.entries}

    def completed(entry: dict[str, Any]) -> dict[str, Any]:
        requires = known.get((entry["name"], entry["version"]))
        if requires is None:
            return entry
        return {**entry, "requires_dist": [text for text in requires if requirement_name(text) in locked]}

    return replace(lock, entries=[completed(entry) for entry in lock.entries])


@rule(desc="Plan wheels")
async def plan_wheels(request: WheelPlanRequest, toolbox: Toolbox) -> WheelPlan:
    if not request.roots:
        return WheelPlan((), ())
    stated = await read_lock(LockEntriesRequest(request.lockfile), **implicitly())
    check_lock(request.lockfile, stated.python, request.target)
    lock = with_built(await complete_lock(request.lockfile), request.built)
    requires: dict[str, frozenset[str]] = {}
    for entry in lock.entries:
        names = frozenset(requirement_name(r) for r in entry["requires_dist"])
        requires[entry["name"]] = requires.get(entry["name"], frozenset()) | names
    for name, others in replacements(lock.overridden).items():
        requires[name] = requires.get(name, frozenset()) | others
    needed = reachable((requirement_name(root.requirement) for root in request.roots), requires)
    document = {
        "roots": root_rows(request.roots),
        "entries": [entry for entry in lock.entries if entry["name"] in needed],
        "no_binary": sorted(n for n in request.no_binary if n == ":all:" or normalized(n) in needed),
        "only_binary": sorted(n for n in request.only_binary if n == ":all:" or normalized(n) in needed),
        "lockfile": request.lockfile,
        **lock.adjustments(),
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
    fields = outcome.fields()
    rows = fields["artifacts"]
    planned = []
    notes = list(outcome.notes)
    for row in rows:
        source = canonical_json(row["source"]).decode() if "source" in row else ""
        artifact = Artifact(row["name"], row["version"], row["kind"], row["filename"], row["sha256"], source)
        description = lock.descriptions.get((artifact.name, artifact.version))
        told = json.loads(description.document) if description else {}
        holds = told.get("artifact")
        notes += told.get("notes", ())
        inside = description.digest if description and holds == artifact.filename else None
        planned.append(PlannedArtifact(artifact, inside))
    local = tuple(LocalProject(r["name"], r["path"], tuple(r["required_by"])) for r in fields["local"])
    return WheelPlan(
        tuple(planned),
        tuple(row["size"] for row in rows),
        tuple(tuple(row["required_by"]) for row in rows),
        local,
        tuple(dict.fromkeys(notes)),
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
