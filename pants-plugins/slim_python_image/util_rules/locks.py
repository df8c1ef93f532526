"""Lockfiles and plans: which artifact serves which distribution on which platform."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Iterable, Sequence

from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.fs import EMPTY_DIGEST, Digest, FileEntry

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Root, SlimImageError, canonical_json
from slim_python_image.util_rules.steps import OUT, StepOutcome, StepRequest, Toolbox, run_step


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
    """All entries of a lockfile.

    :param python: the Pythons that it says it is for, each as alternatives.
    """

    path: str
    entries: tuple[LockEntry, ...]
    overridden: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    python: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class LockedLine:
    """A locked version to look up.

    :param url: where the lock says that its only file is.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    url: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Name and version, which no other line has."""
        return self.name, self.version

    @property
    def fields(self) -> dict[str, Any]:
        """The line as the core's request has it."""
        url = {"url": self.url} if self.url else {}
        return {"name": self.name, "version": self.version, "sha256": list(self.hashes), **url}


@dataclass(frozen=True)
class DescribeRequest:
    """Find files and metadata of locked versions, by one process."""

    lines: tuple[LockedLine, ...]


@dataclass(frozen=True)
class Description:
    """Files and metadata of a locked version, and its pure wheel where it has one; or why nobody knows.

    :param fault: the document of the error.
    """

    document: str
    digest: Digest
    fault: str | None = None

    def holding(self, filename: str) -> Digest | None:
        """Return the digest where it has this file, ``None`` where it has another, or none."""
        return self.digest if json.loads(self.document).get("artifact") == filename else None


@dataclass(frozen=True)
class Descriptions:
    """What is known of each line; ``None`` of one that has to be asked by itself."""

    found: tuple[Description | None, ...]


_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def normalized(name: str) -> str:
    """Return a distribution's name as PEP 503 normalizes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(requirement: str) -> str:
    """Return the normalized name that a PEP 508 requirement starts with."""
    found = _NAME.match(requirement)
    if not found:
        raise SlimImageError(
            f"the requirement {requirement!r} names no distribution\n  -> write NAME==VERSION, or NAME @ URL"
        )
    return normalized(found.group(1))


def set_aside(python_setup: PythonSetup, lockfile: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the overrides and excludes that are configured for the resolves of a lockfile.

    Locks of Pex have their own in them. Pants 2.17 has no such options.
    """
    resolves = [name for name, path in python_setup.resolves.items() if path == lockfile]
    found = []
    for option in ("resolves_to_overrides", "resolves_to_excludes"):
        values = python_setup.options.get(option) or {}
        texts: dict[str, None] = {}
        for resolve in resolves:
            texts.update(dict.fromkeys(values.get(resolve, values.get("__default__", ()))))
        found.append(tuple(texts))
    return found[0], found[1]


@rule(desc="Read a lockfile")
async def read_lock(request: LockEntriesRequest, toolbox: Toolbox, python_setup: PythonSetup) -> LockEntries:
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
    fields = outcome.fields()
    own = (tuple(fields["overridden"]), tuple(fields["excluded"]))
    overridden, excluded = own if fields["format"] == "pex" else set_aside(python_setup, request.path)
    return LockEntries(
        request.path,
        tuple(
            LockEntry(entry["name"], entry["version"], canonical_json(entry).decode())
            for entry in fields["entries"]
        ),
        overridden or own[0],
        excluded or own[1],
        tuple(map(tuple, fields["python"])),
    )


def _look_up(lines: Sequence[LockedLine]) -> str:
    """Return what the user reads while some lines are looked up."""
    named = ", ".join(f"{line.name} {line.version}" for line in lines[:3])
    if len(lines) == 1:
        return f"Look up {named}"
    return f"Look up {len(lines)} distributions: {named}{', …' if len(lines) > 3 else ''}"


async def _descriptions(outcome: StepOutcome, count: int) -> Descriptions:
    """Return each line's part of an answer, with its own file alone at the root of its digest."""
    left = {
        entry.path.split("/")[1]: FileEntry(entry.path.split("/")[2], entry.file_digest)
        for entry in await engine.entries(outcome.digest)
        if isinstance(entry, FileEntry)
    }
    found: list[Description | None] = [None] * count
    for answer in outcome.fields()["answers"]:
        number = answer.pop("line")
        file = left.get(str(number))
        digest = await engine.create_entries([file]) if file else EMPTY_DIGEST
        found[number] = Description(canonical_json(answer).decode(), digest)
    return Descriptions(tuple(found))


@rule
async def describe(request: DescribeRequest, toolbox: Toolbox) -> Descriptions:
    lines = request.lines
    document = {"lines": [line.fields for line in lines]}
    outcome = await run_step(
        StepRequest(
            step="describe",
            arguments=("--request", "request.json", "--output", OUT),
            description=_look_up(lines),
            toolbox=toolbox,
            inputs=await engine.create_files({"request.json": canonical_json(document)}),
            output_directories=(OUT,),
        ),
        **implicitly(),
    )
    if outcome.error is not None and len(lines) > 1:
        # Pants keeps no failure, so that nothing of it lasts. Whose it is, each line by itself tells.
        return Descriptions((None,) * len(lines))
    if outcome.fault is not None:
        # Whether it matters, the plan says: one that nobody needs stops no image.
        return Descriptions((Description("{}", EMPTY_DIGEST, outcome.fault),))
    return await _descriptions(outcome, len(lines))


def root_rows(roots: Iterable[Root]) -> list[dict[str, str]]:
    """Return roots as the core's requests have them."""
    return [{"requirement": r.requirement, "origin": r.origin} for r in sorted(roots)]


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
