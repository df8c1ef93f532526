"""Build requirements: their lock beside a resolve's lockfile, and the wheels in it that builds install."""

from __future__ import annotations

import json
import os
import platform as host
from dataclasses import dataclass, replace
from typing import Any, Iterable

from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.bases import Interpreter
from slim_python_image.by_name import collect_rules, implicitly, rule
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


@rule
async def choose_build_pins(request: BuildPinsRequest, toolbox: Toolbox) -> BuildPins:
    if not request.sdists:
        return BuildPins()
    path = build_lock_path(request.resolve, request.lockfile)
    lock = await engine.read_path(path)
    sdists = [{"name": one.name, "version": one.version, "sha256": one.sha256} for one in request.sdists]
    files = {"target.json": request.target.to_json(), "request.json": canonical_json({"sdists": sdists})}
    outcome = await run_step(
        StepRequest(
            step="build-pins",
            arguments=(
                *("--lock", path, "--request", "request.json", "--target", "target.json"),
                *(("--macos", request.macos) if request.macos else ()),
            ),
            description=f"Choose build requirements of {len(sdists)} sdists",
            toolbox=toolbox,
            inputs=await engine.create_files({**files, **({} if lock is None else {path: lock})}),
        ),
        **implicitly(),
    )
    rows = outcome.naming(names(request.resolve)).fields()["sdists"]
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


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
