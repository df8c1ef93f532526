"""Finds what the build of one sdist requires, by the steps that `generate-lockfiles` runs for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.table.listing import Distribution

_ROUNDS = 4


@dataclass(frozen=True)
class Ways:
    """How to find out.

    :param ask: runs ``build-requires`` beside the wheels of a folder.
    :param resolve: runs ``build-resolve`` with a request.
    """

    ask: Callable[[Path], Mapping[str, Any]]
    resolve: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    fetch: Callable[[Distribution], Path]


def settle(
    sdist: Distribution, python: str, ways: Ways, folder: Path, constraints: Iterable[str] = ()
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return a build lock of one sdist, as ``build-lock`` takes it, and what was last said of its backend.

    :param python: the minor version that builds.
    :param folder: for the wheels.
    """
    row: dict[str, Any] = {"sdist": sdist.key, "sha256": sdist.sha256, "python": python, "pins": []}
    found: Mapping[str, Any] = {"wheels": [], "files": {}}
    required: list[str] = []
    for number in range(_ROUNDS):
        wheels = folder / str(number)
        shutil.rmtree(wheels, ignore_errors=True)
        wheels.mkdir(parents=True)
        for one in found["wheels"]:
            wheel = ways.fetch(Distribution(one["name"], one["version"], one["filename"], one["sha256"]))
            (wheels / wheel.name).symlink_to(wheel)
        said = ways.ask(wheels)
        if not said["missing"]:
            crates = {f"{one['name']} {one['version']}": one["sha256"] for one in said["crates"]}
            row["crates"] = sorted(crates)
            return {"environments": [row], "files": found["files"], "crates": crates}, said
        required += said["missing"]
        question = {"where": sdist.key, "required": required, "constraints": list(constraints)}
        found = ways.resolve(question)
        row["pins"] = found["pins"]
    raise LookupError(f"the build requirements of {sdist.key} never settle: {', '.join(required)}")
