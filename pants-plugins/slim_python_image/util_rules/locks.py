"""Lockfiles and plans: which artifact serves which distribution on which platform."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Root, SlimImageError, canonical_json
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_step


@dataclass(frozen=True)
class LockEntriesRequest:
    """Read the lockfile at a path of the repository."""

    path: str


@dataclass(frozen=True)
class LockEntry:
    """One locked version, as JSON of the core's ``lock-entries`` document."""

    name: str
    version: str
    json: str

    @property
    def fields(self) -> dict[str, Any]:
        """The entry's fields."""
        value = json.loads(self.json)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class LockEntries:
    """All entries of a lockfile."""

    path: str
    entries: tuple[LockEntry, ...]


@dataclass(frozen=True)
class DescribeRequest:
    """Find files and metadata of a locked version."""

    name: str
    version: str
    hashes: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """Files and metadata of a locked version, and its pure wheel where it has one."""

    document: str
    digest: Digest


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


@rule(desc="Read a lockfile")
async def read_lock(request: LockEntriesRequest, toolbox: Toolbox) -> LockEntries:
    data = await engine.read_path(request.path)
    if data is None:
        raise SlimImageError(
            f"{request.path}: the lockfile is not there\n"
            "  -> write a hash-pinned one, for example: uv pip compile --universal --generate-hashes "
            f"--no-emit-index-url -o {request.path} <requirements>"
        )
    outcome = await run_step(
        StepRequest(
            step="lock-entries",
            arguments=("--lockfile", request.path),
            description=f"Read {request.path}",
            toolbox=toolbox,
            inputs=await engine.create_files({request.path: data}),
        ),
        **implicitly(),
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
    outcome = await run_step(
        StepRequest(
            step="describe",
            arguments=("--name", request.name, "--version", request.version, *hashes, "--output", OUT),
            description=f"Look up {request.name} {request.version}",
            toolbox=toolbox,
            output_directories=(OUT,),
        ),
        **implicitly(),
    )
    outcome.fields()
    return Description(outcome.document, await engine.remove_prefix(outcome.digest, OUT))


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
    lock = await read_lock(LockEntriesRequest(lockfile), **implicitly())
    entries = [entry.fields for entry in lock.entries]
    unknown = [entry for entry in entries if _incomplete(entry)]
    described = await concurrently(
        describe(
            DescribeRequest(e["name"], e["version"], tuple(sorted(f["sha256"] for f in e["files"]))),
            **implicitly(),
        )
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


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
