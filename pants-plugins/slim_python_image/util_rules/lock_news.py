"""What has become of locked things since they were locked: asked anew in each run, never of a cache."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from pants.engine.addresses import Address
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.base_target import BaseLockfileField
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import SlimImageError, canonical_json
from slim_python_image.util_rules.base_locks import parse_lock
from slim_python_image.util_rules.build_pins import BUILD_LOCK_SCHEMA, is_build_lock
from slim_python_image.util_rules.debian_locks import LOCK_SCHEMA
from slim_python_image.util_rules.locks import LockEntriesRequest, read_lock
from slim_python_image.util_rules.registry_locks import layout_folder
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step

_NO_INDEX = ("git", "path", "url")
"""Sources of locked versions that no index has."""


@dataclass(frozen=True)
class News:
    """What has become of the things of one lock, or why nobody knows.

    :param rows: a JSON list of what changed.
    :param total: how many things were asked about.
    """

    rows: str = "[]"
    total: int = 0
    error: str | None = None

    def list(self) -> list[dict[str, Any]]:
        """Return what changed."""
        found = json.loads(self.rows)
        assert isinstance(found, list)
        return found


@dataclass(frozen=True)
class DebianNewsRequest:
    """Ask the mirrors for newer versions of what a `debian_python_base` locks."""

    address: Address


@dataclass(frozen=True)
class ImageNewsRequest:
    """Ask registries what the names of a `registry_python_base` lead to.

    :param names: of its images with their registries, by field.
    :param locked: digests by field.
    """

    resolve: str
    names: FrozenDict[str, str]
    locked: FrozenDict[str, str]


@dataclass(frozen=True)
class YankedRequest:
    """Ask the indexes about what a lockfile, or a build lock, pins."""

    path: str


def locked_roots(lock: Mapping[str, Any]) -> FrozenDict[str, str]:
    """Return the digests of a registry base's lock by field."""
    roles = ("image", "builder_image")
    return FrozenDict({role: lock[role]["digest"] for role in roles if lock.get(role)})


@rule(desc="Ask mirrors for newer packages")
async def debian_news(request: DebianNewsRequest, toolbox: Toolbox) -> News:
    target = await engine.target(request.address, "a base")
    path = target[BaseLockfileField].path
    data = await engine.read_path(path)
    try:
        parse_lock(request.address, path, data, LOCK_SCHEMA)
    except SlimImageError as e:
        return News(error=str(e))
    outcome = await run_step(
        StepRequest(
            step="debian-updates",
            arguments=("--lock", path),
            description=f"Look for newer packages of {request.address.target_name}",
            toolbox=toolbox,
            inputs=await engine.create_files({path: data or b""}),
            fresh=True,
        ),
        **implicitly(),
    )
    if outcome.error is not None:
        return News(error=outcome.error)
    fields = outcome.fields()
    return News(canonical_json(fields["updates"]).decode(), fields["packages"])


@dataclass(frozen=True)
class _OneImageRequest:
    resolve: str
    field: str
    name: str
    locked: str


@rule(desc="Ask a registry where a name leads")
async def one_image(request: _OneImageRequest, toolbox: Toolbox) -> News:
    # Without platforms: the digest of what the name leads to is all that is asked.
    asked = {"image": request.name, "platforms": []}
    outcome = await run_step(
        StepRequest(
            step="registry-resolve",
            arguments=("--request", "request.json"),
            description=f"Look where {request.name} leads, for {request.resolve}",
            toolbox=toolbox,
            inputs=await engine.create_files({"request.json": canonical_json(asked)}),
            fresh=True,
        ),
        **implicitly(),
    )
    if outcome.error is not None:
        return News(total=1, error=outcome.error)
    image = outcome.fields()["image"]
    current = image["root"]["digest"]
    if current == request.locked:
        return News(total=1)
    row = {"field": request.field, "name": image["name"], "locked": request.locked, "current": current}
    return News(canonical_json([row]).decode(), 1)


@rule(desc="Ask registries for moved tags")
async def image_news(request: ImageNewsRequest) -> News:
    # A layout of the repository is left out: its content is the repository's own.
    asked = [
        _OneImageRequest(request.resolve, field, name, request.locked[field])
        for field, name in request.names.items()
        if field in request.locked and layout_folder(name) is None
    ]
    found = await concurrently(one_image(one, **implicitly()) for one in asked)
    rows = [row for one in found for row in one.list()]
    errors = [one.error for one in found if one.error]
    return News(canonical_json(rows).decode(), len(asked), "\n".join(errors) or None)


def build_lock_versions(lock: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a build lock pins, as the step asks for it: requirements of builds, not what is built."""
    found = []
    for pin, files in sorted(lock.get("files", {}).items()):
        name, _, version = pin.partition("==")
        found.append({"name": name, "version": version, "sha256": sorted(file["sha256"] for file in files)})
    return found


async def _versions(path: str) -> list[dict[str, Any]]:
    """Return what a lock pins of indexes."""
    data = await engine.read_path(path)
    if data is not None and is_build_lock(data):
        try:
            return build_lock_versions(json.loads(data))
        except (AttributeError, KeyError, TypeError):
            raise SlimImageError(
                f"{path}: is no {BUILD_LOCK_SCHEMA} document that can be read\n  -> write it again"
            ) from None
    lock = await read_lock(LockEntriesRequest(path), **implicitly())
    merged: dict[tuple[str, str], set[str]] = {}
    for entry in lock.entries:
        fields = entry.fields
        if fields.get("source", {}).get("kind") in _NO_INDEX or not fields["files"]:
            continue
        hashes = {file["sha256"] for file in fields["files"]}
        merged.setdefault((entry.name, entry.version), set()).update(hashes)
    return [
        {"name": name, "version": version, "sha256": sorted(hashes)}
        for (name, version), hashes in sorted(merged.items())
    ]


@rule(desc="Ask indexes for yanked versions")
async def yanked_news(request: YankedRequest, toolbox: Toolbox) -> News:
    try:
        versions = await _versions(request.path)
    except SlimImageError as e:
        return News(error=str(e))
    if not versions:
        return News()
    outcome = await run_step(
        StepRequest(
            step="yanked",
            arguments=("--request", "request.json"),
            description=f"Ask for yanked versions of {request.path}",
            toolbox=toolbox,
            inputs=await engine.create_files({"request.json": canonical_json({"versions": versions})}),
            fresh=True,
        ),
        **implicitly(),
    )
    if outcome.error is not None:
        return News(total=len(versions), error=outcome.error)
    return News(canonical_json(outcome.fields()["yanked"]).decode(), len(versions))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
