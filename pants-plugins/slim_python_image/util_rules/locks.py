"""Lockfiles and plans: which artifact serves which distribution on which platform."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Iterable

from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.fs import EMPTY_DIGEST, Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
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
    """All entries of a lockfile.

    :param python: the Pythons that it says it is for, each as alternatives.
    """

    path: str
    entries: tuple[LockEntry, ...]
    overridden: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    python: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class DescribeRequest:
    """Find files and metadata of a locked version."""

    name: str
    version: str
    hashes: tuple[str, ...]
    url: str | None = None


@dataclass(frozen=True)
class Description:
    """Files and metadata of a locked version, and its pure wheel where it has one; or why nobody knows.

    :param fault: the document of the error.
    """

    document: str
    digest: Digest
    fault: str | None = None


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


@rule
async def describe(request: DescribeRequest, toolbox: Toolbox) -> Description:
    hashes = tuple(part for sha256 in request.hashes for part in ("--sha256", sha256))
    url = ("--url", request.url) if request.url else ()
    outcome = await run_step(
        StepRequest(
            step="describe",
            arguments=("--name", request.name, "--version", request.version, *hashes, *url, "--output", OUT),
            description=f"Look up {request.name} {request.version}",
            toolbox=toolbox,
            output_directories=(OUT,),
        ),
        **implicitly(),
    )
    if outcome.fault is not None:
        # Whether it matters, the plan says: one that nobody needs stops no image.
        return Description("{}", EMPTY_DIGEST, outcome.fault)
    outcome.fields()
    return Description(outcome.document, await engine.remove_prefix(outcome.digest, OUT))


def root_rows(roots: Iterable[Root]) -> list[dict[str, str]]:
    """Return roots as the core's requests have them."""
    return [{"requirement": r.requirement, "origin": r.origin} for r in sorted(roots)]


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
