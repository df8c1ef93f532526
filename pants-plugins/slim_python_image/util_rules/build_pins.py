"""Build requirements: their lock beside a resolve's lockfile, and the wheels in it that builds install."""

from __future__ import annotations

import json
import os
import platform as host
from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping

from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.bases import Interpreter
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Artifact, TargetEnvironment, canonical_json
from slim_python_image.remedies import names
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step

BUILD_LOCK_SCHEMA = "ociwheel.build-lock/1"


@dataclass(frozen=True)
class BuildPinsRequest:
    """Choose the wheels that the builds of sdists install.

    :param target: where they are installed; on a Mac, the Python alone counts.
    :param macos: the Mac's machine, empty elsewhere.
    """

    sdists: tuple[Artifact, ...]
    resolve: str
    lockfile: str
    target: TargetEnvironment
    macos: str = ""


@dataclass(frozen=True, order=True)
class Crate:
    """A locked crate of an sdist in Rust."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class BuildPins:
    """The wheels of the build requirements of each sdist, by `name==version`, and its crates."""

    wheels: FrozenDict[str, tuple[Artifact, ...]] = FrozenDict()
    crates: FrozenDict[str, tuple[Crate, ...]] = FrozenDict()

    def of(self, sdist: Artifact) -> tuple[Artifact, ...]:
        """Return those of one sdist."""
        return self.wheels[f"{sdist.name}=={sdist.version}"]

    def crates_of(self, sdist: Artifact) -> tuple[Crate, ...]:
        """Return the locked crates of one sdist."""
        return self.crates[f"{sdist.name}=={sdist.version}"]


def build_lock_path(resolve: str, lockfile: str) -> str:
    """Return where the build requirements of a resolve are locked: beside its lockfile."""
    return os.path.join(os.path.dirname(lockfile), f"{resolve}.build.lock")


def build_resolve(resolve: str) -> str:
    """Return the name that `generate-lockfiles` knows a resolve's build lock by."""
    return f"{resolve}-build"


def empty_lock() -> dict[str, Any]:
    """Return the lock of nothing."""
    return {"schema": BUILD_LOCK_SCHEMA, "environments": [], "files": {}}


def is_build_lock(data: bytes) -> bool:
    """Tell whether a file says that it is a build lock; what is in it the core checks."""
    try:
        document = json.loads(data)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("schema") == BUILD_LOCK_SCHEMA


def previous_pins(lock: bytes | None, artifact: Artifact, minor: str) -> tuple[str, ...]:
    """Return what a lock has of an sdist, of any hash; nothing where it cannot be read."""
    try:
        document = json.loads(lock or b"{}")
    except ValueError:
        return ()
    rows = document.get("environments") if isinstance(document, dict) else ()
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict) or row.get("python") != minor:
            continue
        pins = row.get("pins")
        if row.get("sdist") == f"{artifact.name}=={artifact.version}" and isinstance(pins, list):
            return tuple(pin for pin in pins if isinstance(pin, str))
    return ()


def pins_on_this_machine(
    sdists: tuple[Artifact, ...], resolve: str, lockfile: str, interpreter: Interpreter
) -> BuildPinsRequest:
    """Return the request for builds that run under an interpreter, here.

    An interpreter that is content brings its libc; the machine's own has the machine's.
    """
    target = interpreter.target
    if interpreter.source is None:
        target = replace(target, libc="glibc", libc_version=host.libc_ver()[1] or "2.17")
    macos = host.machine() if host.system() == "Darwin" else ""
    return BuildPinsRequest(sdists, resolve, lockfile, target, macos)


@dataclass(frozen=True)
class SdistPinsRequest:
    """Choose the wheels that the build of one sdist installs: see :class:`BuildPinsRequest`."""

    sdist: Artifact
    resolve: str
    lockfile: str
    target: TargetEnvironment
    macos: str = ""


@dataclass(frozen=True)
class SdistPins:
    """The build requirements of one sdist; ``None`` where not all is well with them."""

    pins: BuildPins | None


def part_of(lock: bytes | None, sdist: Artifact, minor: str) -> bytes | None:
    """Return the part of a build lock that is of one sdist: what else changes in the lock is not in its key.

    :returns: ``None`` where it has nothing, or cannot be read.
    """
    try:
        document = json.loads(lock or b"{}")
        pinned, wanted = f"{sdist.name}=={sdist.version}", (sdist.sha256, minor)
        named = [row for row in document["environments"] if row["sdist"] == pinned]
        rows = [row for row in named if (row["sha256"], row["python"]) == wanted]
        if not rows:
            return None
        pins = {pin for row in rows for pin in row["pins"]}
        crates = {crate for row in rows for crate in row.get("crates", ())}
        kept = {"files": pins, "crates": crates}
        parts = {
            name: {key: value for key, value in document[name].items() if key in keys}
            for name, keys in kept.items()
            if name in document
        }
        return canonical_json({**document, **parts, "environments": rows})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _build_pins(rows: Iterable[Mapping[str, Any]]) -> BuildPins:
    """Return what a step's document says of sdists."""
    rows = tuple(rows)
    return BuildPins(
        FrozenDict(
            {
                row["sdist"]: tuple(
                    Artifact(one["name"], one["version"], "wheel", one["filename"], one["sha256"])
                    for one in row["wheels"]
                )
                for row in rows
            }
        ),
        FrozenDict(
            {
                row["sdist"]: tuple(
                    Crate(one["name"], one["version"], one["sha256"]) for one in row["crates"]
                )
                for row in rows
            }
        ),
    )


async def _pins_step(request: BuildPinsRequest, lock: bytes | None, toolbox: Toolbox) -> StepRequest:
    path = build_lock_path(request.resolve, request.lockfile)
    sdists = [{"name": one.name, "version": one.version, "sha256": one.sha256} for one in request.sdists]
    files = {"target.json": request.target.to_json(), "request.json": canonical_json({"sdists": sdists})}
    one = request.sdists[0]
    what = f"{one.name} {one.version}" if len(sdists) == 1 else f"{len(sdists)} sdists"
    return StepRequest(
        step="build-pins",
        arguments=(
            *("--lock", path, "--request", "request.json", "--target", "target.json"),
            *(("--macos", request.macos) if request.macos else ()),
        ),
        description=f"Choose build requirements of {what}",
        toolbox=toolbox,
        inputs=await engine.create_files({**files, **({} if lock is None else {path: lock})}),
    )


@rule
async def choose_sdist_pins(request: SdistPinsRequest, toolbox: Toolbox) -> SdistPins:
    path = build_lock_path(request.resolve, request.lockfile)
    part = part_of(await engine.read_path(path), request.sdist, request.target.minor)
    if part is None:
        return SdistPins(None)
    one = BuildPinsRequest((request.sdist,), request.resolve, request.lockfile, request.target, request.macos)
    outcome = await run_step(await _pins_step(one, part, toolbox), **implicitly())
    return SdistPins(None if outcome.error is not None else _build_pins(outcome.fields()["sdists"]))


@rule
async def choose_build_pins(request: BuildPinsRequest, toolbox: Toolbox) -> BuildPins:
    if not request.sdists:
        return BuildPins()
    path = build_lock_path(request.resolve, request.lockfile)
    lock = await engine.read_path(path)
    outcome = await run_step(await _pins_step(request, lock, toolbox), **implicitly())
    return _build_pins(outcome.naming(names(request.resolve)).fields()["sdists"])


async def build_pins(request: BuildPinsRequest) -> BuildPins:
    """Return the wheels that builds install, each sdist by itself: images share sdists.

    :raises StepFailed: all that is not locked or has no wheel.
    """
    found = await concurrently(
        choose_sdist_pins(
            SdistPinsRequest(sdist, request.resolve, request.lockfile, request.target, request.macos),
            **implicitly(),
        )
        for sdist in request.sdists
    )
    pins = [one.pins for one in found if one.pins is not None]
    if len(pins) < len(found):
        return await choose_build_pins(request, **implicitly())  # which tells of all at once
    return BuildPins(
        FrozenDict({key: wheels for one in pins for key, wheels in one.wheels.items()}),
        FrozenDict({key: crates for one in pins for key, crates in one.crates.items()}),
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
