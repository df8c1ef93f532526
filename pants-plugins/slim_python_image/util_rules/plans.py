"""Plans: which artifact serves which distribution on which platform."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Artifact, Root, SlimImageError, TargetEnvironment, canonical_json
from slim_python_image.util_rules.complete_lock import BuiltRequires, complete_lock
from slim_python_image.util_rules.declared_python import check_lock
from slim_python_image.util_rules.locks import LockEntriesRequest, normalized, read_lock, root_rows
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step


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


@rule(desc="Plan wheels")
async def plan_wheels(request: WheelPlanRequest, toolbox: Toolbox) -> WheelPlan:
    if not request.roots:
        return WheelPlan((), ())
    stated = await read_lock(LockEntriesRequest(request.lockfile), **implicitly())
    check_lock(request.lockfile, stated.python, request.target)
    lock = await complete_lock(request.lockfile, [root.requirement for root in request.roots], request.built)
    needed = {entry["name"] for entry in lock.entries}
    document = {
        "roots": root_rows(request.roots),
        "entries": lock.entries,
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
        notes += json.loads(description.document).get("notes", ()) if description else ()
        inside = description.holding(artifact.filename) if description else None
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
