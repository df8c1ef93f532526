"""Build requirements: their lock beside a resolve's lockfile, and the wheels in it that a build installs."""

from __future__ import annotations

import json
import os
import platform as host
from dataclasses import dataclass
from typing import Any

from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.wheel_tags import fits_target


@dataclass(frozen=True)
class BuildPins:
    """The locked build requirements of one sdist."""

    artifacts: tuple[Artifact, ...]


BUILD_LOCK_SCHEMA = "ociwheel.build-lock/1"


def build_lock_path(resolve: str, lockfile: str) -> str:
    """Return where the build requirements of a resolve are locked: beside its lockfile."""
    return os.path.join(os.path.dirname(lockfile), f"{resolve}.build.lock")


def build_resolve(resolve: str) -> str:
    """Return the name that `generate-lockfiles` knows a resolve's build lock by."""
    return f"{resolve}-build"


def empty_lock() -> dict[str, Any]:
    """Return the lock of nothing."""
    return {"schema": BUILD_LOCK_SCHEMA, "environments": [], "files": {}}


def parse_build_lock(path: str, data: bytes | None, resolve: str) -> dict[str, Any]:
    """Return a build lock's document, an empty one where the file is not there.

    :raises SlimImageError: it is not a build lock.
    """
    if data is None:
        return empty_lock()
    hint = f"write it again: {relock_command(build_resolve(resolve))}"
    try:
        lock = json.loads(data)
    except ValueError as e:
        raise SlimImageError(f"{path}: is not JSON ({e}); a merge conflict?\n  -> {hint}") from None
    found = lock.get("schema") if isinstance(lock, dict) else None
    if found != BUILD_LOCK_SCHEMA:
        raise SlimImageError(f"{path}: expected a {BUILD_LOCK_SCHEMA} document, found {found!r}\n  -> {hint}")
    assert isinstance(lock, dict)
    return lock


def _fits_host(filename: str, minor: str) -> int | None:
    """Return how well a wheel fits a build on this machine, lower is better, ``None`` for not at all."""
    tags = filename[: -len(".whl")].rsplit("-", 3)[1:]
    pythons, _, platforms = (part.split(".") for part in tags)
    digits = minor.replace(".", "")
    abi3 = "abi3" in tags[1]
    if "any" in platforms:
        return 2 if any(p in ("py3", f"py{digits}", f"cp{digits}") for p in pythons) else None
    system = {"Linux": "linux", "Darwin": "macosx"}[host.system()]
    machine = host.machine()
    fits = any(p.endswith(f"_{machine}") and (system in p) and "musllinux" not in p for p in platforms) or (
        system == "macosx" and any(p.endswith("_universal2") for p in platforms)
    )
    python = (
        f"cp{digits}" in pythons or "py3" in pythons or (abi3 and any(p.startswith("cp3") for p in pythons))
    )
    if not (fits and python):
        return None
    return 1 if abi3 else 0


def pins_for(
    lock: dict[str, Any],
    artifact: Artifact,
    minor: str,
    *,
    path: str,
    resolve: str,
    emulated: TargetEnvironment | None = None,
) -> BuildPins:
    """Return the locked build requirements of an sdist, for builds on this machine.

    :param emulated: the target in whose container they are installed instead.
    :raises SlimImageError: the lock has none for it, or a pin has no wheel for that machine.
    """

    def fits(filename: str) -> int | None:
        return fits_target(filename, emulated) if emulated else _fits_host(filename, minor)

    key = f"{artifact.name}=={artifact.version}"
    hint = f"lock its build requirements: {relock_command(build_resolve(resolve))}"
    for row in lock["environments"]:
        if row["sdist"] == key and row["python"] == minor and row["sha256"] == artifact.sha256:
            break
    else:
        raise SlimImageError(
            f"{path}: the build requirements of {key} for Python {minor} are not locked, and it has to "
            f"be compiled\n  -> {hint}"
        )
    artifacts = []
    for pin in row["pins"]:
        name, version = pin.split("==")
        ranked = [
            (rank, file["filename"], file["sha256"])
            for file in lock["files"].get(pin, ())
            if (rank := fits(file["filename"])) is not None
        ]
        if not ranked:
            machine = emulated.platform if emulated else f"{host.system()} {host.machine()}"
            elsewhere = f"{hint}; where the index has none, constrain it to a version that has one"
            raise SlimImageError(
                f"{path}: the build requirement {pin} of {key} has no wheel for {machine}\n"
                f"  -> {elsewhere if emulated else hint}"
            )
        _, filename, sha256 = min(ranked)
        artifacts.append(Artifact(name, version, "wheel", filename, sha256))
    return BuildPins(tuple(sorted(artifacts)))
